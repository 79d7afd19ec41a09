// The real command line as a process.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** The root of the package. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

export interface Rtil {
	child: ChildProcess;
	/** What it has written so far. */
	output(): { out: string; err: string };
	/** Resolves when stderr has a match. */
	says(pattern: RegExp): Promise<void>;
	/** Exit code, once it has ended. */
	ended: Promise<number | null>;
}

/** Starts `rtil` with the given words; it is killed when the test ends. */
export function rtil(
	t: ExecutionContext,
	words: readonly string[],
	{ cwd, ...env }: NodeJS.ProcessEnv & { cwd?: string } = {},
): Rtil {
	const child = spawn(process.execPath, [`${root}dist/cli/index.js`, ...words], {
		stdio: ['ignore', 'pipe', 'pipe'],
		...(cwd ? { cwd } : {}),
		env: { ...process.env, RTIL_NATS: undefined, ...env },
	});
	t.teardown(() => child.kill('SIGKILL'));
	let [out, err] = ['', ''];
	child.stdout!.on('data', (text) => (out += text));
	child.stderr!.on('data', (text) => (err += text));
	const ended = once(child, 'close').then(([code]) => code as number | null);
	const says = async (pattern: RegExp): Promise<void> => {
		while (!pattern.test(err)) {
			const more = await Promise.race([
				once(child.stderr!, 'data').then(() => true),
				ended.then(() => false),
			]);
			if (!more && !pattern.test(err)) throw new Error(`ended without saying ${pattern}:\n${err}`);
		}
	};
	return { child, output: () => ({ out, err }), says, ended };
}

/** Runs `rtil` to its end. */
export async function runRtil(
	t: ExecutionContext,
	words: readonly string[],
	env: NodeJS.ProcessEnv & { cwd?: string } = {},
): Promise<{ code: number | null; out: string; err: string }> {
	const run = rtil(t, words, env);
	const code = await run.ended;
	return { code, ...run.output() };
}
