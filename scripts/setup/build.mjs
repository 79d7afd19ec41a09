// Step 4: TypeScript to dist/, when a source is newer than what was last built.
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { digest, readJson, writeJson } from './cache.mjs';
import { CommandFailed, run } from './command.mjs';
import { Missing } from './console.mjs';

export const name = 'build';

const SHOWN = 20; // compiler errors told; `npm run types` tells all

export function check({ root }) {
	const sources = findSources(root);
	const { state, files } = readJson(stampOf(root)) ?? {};
	if (state !== stateOf(root, sources) || files !== sources.length) return undefined;
	if (sources.some((source) => !existsSync(outputOf(root, source)))) return undefined;
	return { state: 'ok', detail: `dist/ is up to date (${sources.length} files)` };
}

export async function ensure({ root, console }) {
	const sources = findSources(root);
	const state = stateOf(root, sources); // before the compiler reads: a later change builds again
	removeStale(root, sources);
	const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
	try {
		await console.step(name, `compiling ${sources.length} files`, () =>
			run(process.execPath, [compiler, '-p', '.', '--pretty', 'false'], { cwd: root }),
		);
	} catch (error) {
		if (!(error instanceof CommandFailed)) throw error;
		const lines = error.stdout.split('\n').filter((line) => line.includes('error TS'));
		if (lines.length === 0) throw new Missing(`the compiler failed (${error.reason})`);
		const shown = lines.slice(0, SHOWN).map((line) => `\n  ${line}`);
		const more = lines.length > SHOWN ? `\n  … and ${lines.length - SHOWN} more` : '';
		throw new Missing(`the compiler found errors${shown.join('')}${more}\n${lines.length} in all`);
	}
	writeJson(stampOf(root), { state, files: sources.length });
	return { state: 'ok', detail: `dist/ is up to date (${sources.length} files)` };
}

const stampOf = (root) => join(root, 'dist', '.built.json');

/** All .ts files of the folders that tsconfig.json includes. */
function findSources(root) {
	const { include } = readJson(join(root, 'tsconfig.json'));
	return include
		.flatMap((folder) => walk(join(root, folder)))
		.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
		.sort();
}

function walk(folder) {
	if (!existsSync(folder)) return [];
	return readdirSync(folder, { withFileTypes: true, recursive: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** Names, sizes and times of the sources, and the compiler's settings. */
function stateOf(root, sources) {
	const settings = ['tsconfig.json', 'package-lock.json'].map((file) => readFileSync(join(root, file)));
	const files = sources.map((file) => {
		const { size, mtimeMs } = statSync(file);
		return `${relative(root, file)} ${size} ${mtimeMs}`;
	});
	return digest(...settings, ...files);
}

const outputOf = (root, source) => join(root, 'dist', relative(root, source).replace(/\.ts$/, '.js'));

/** Removes outputs whose source is gone; where an output is gone, has the compiler emit everything again. */
function removeStale(root, sources) {
	const outputs = new Set(sources.map((source) => outputOf(root, source)));
	for (const file of walk(join(root, 'dist'))) {
		const output = file.replace(/\.js\.map$/, '.js');
		if (output.endsWith('.js') && !outputs.has(output)) rmSync(file, { force: true });
	}
	if ([...outputs].every((output) => existsSync(output))) return;
	rmSync(join(root, readJson(join(root, 'tsconfig.json')).compilerOptions.tsBuildInfoFile), { force: true });
}
