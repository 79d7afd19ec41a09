// Step 1: the npm packages, as package-lock.json says. `npm install --no-save` and not `npm ci`: it takes the same
// versions, leaves what fits in place (the engine's link too), and a lock file made behind a mirror may lack optional
// packages of other platforms, which `npm ci` refuses.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { digest, readJson, writeJson } from './cache.mjs';
import { CommandFailed, run, which } from './command.mjs';
import { Missing } from './console.mjs';

export const name = 'packages';

const stampOf = (root) => join(root, 'node_modules', '.rtil-packages.json');
const digestOf = (root) => digest(readFileSync(join(root, 'package-lock.json')));

export function check({ root }) {
	if (readJson(stampOf(root))?.lock !== digestOf(root) && !installedByHand(root)) return undefined;
	return { state: 'ok', detail: 'npm packages as in package-lock.json' };
}

/** After an `npm install` by hand, npm's own record of what it installed says the same as the lock file. */
function installedByHand(root) {
	const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {};
	const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
	if (!installed) return false;
	for (const [path, { version, optional }] of Object.entries(wanted)) {
		if (path === '') continue;
		if (installed[path] ? installed[path].version !== version : !optional) return false;
	}
	writeJson(stampOf(root), { lock: digestOf(root) });
	return true;
}

export async function ensure({ root, console }) {
	const [program, prefix] = npm();
	const flags = ['--no-save', '--ignore-scripts', '--no-fund', '--no-audit', '--loglevel=error'];
	try {
		await console.step(name, 'npm install', () =>
			run(program, [...prefix, 'install', ...flags], { cwd: root }),
		);
	} catch (error) {
		if (!(error instanceof CommandFailed)) throw error;
		throw new Missing(`npm install failed: ${error.reason}`, { remedy: 'npm install --ignore-scripts' });
	}
	writeJson(stampOf(root), { lock: digestOf(root) });
	return { state: 'ok', detail: 'npm packages as in package-lock.json' };
}

/** npm as it was started, else the one beside node, else the one on PATH. */
function npm() {
	const beside = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
	const started = process.env.npm_execpath;
	const script = [started?.endsWith('npm-cli.js') && started, beside].find(
		(file) => file && existsSync(file),
	);
	if (script) return [process.execPath, [script]];
	const program = which('npm');
	if (program) return [program, []];
	throw new Missing('npm is not on PATH', { remedy: 'install Node.js with npm, https://nodejs.org' });
}
