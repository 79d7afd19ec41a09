// Runs one of our programs in the foreground: same terminal, signals passed on, same exit code.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Resolves to the exit code of `node ROOT/script args`, 128 + n when signal n ended it. */
export function runNode(script, args) {
	const child = spawn(process.execPath, [join(ROOT, script), ...args], { stdio: 'inherit' });
	// A terminal sends Ctrl-C to both processes: then this one must only outlive it.
	const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
	process.on('SIGINT', () => terminal || child.kill('SIGINT'));
	for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
	});
}
