// Step 2: the native engine. The addon of tfjs-node is compiled against libtensorflow with the system's compiler,
// kept in the cache under a key of everything it was made from, and linked into node_modules.
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	statSync,
	symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digest, makeFolder, readJson, recentFailure, rememberFailure, writeJson } from './cache.mjs';
import { CommandFailed, installCommand, run, which } from './command.mjs';
import { Missing } from './console.mjs';
import {
	cachedLibrary,
	givenLibrary,
	hasNvidiaGpu,
	isLibrary,
	libraryFiles,
	pythonLibrary,
} from './libtensorflow.mjs';

export const name = 'engine';

const COST = 'The demo will run on the wasm engine, about 20 times slower';

const LOADER = fileURLToPath(new URL('loader.cc', import.meta.url));

const packageOf = (root) => join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
const linkOf = (root) => join(packageOf(root), 'lib', 'napi-v8', 'tfjs_binding.node');

export function check({ root, cache, retry }) {
	if (process.env.RTIL_ENGINE === 'wasm')
		return { state: 'ok', detail: 'wasm, as RTIL_ENGINE says', engine: 'wasm' };
	const addon = readLink(linkOf(root));
	const made = addon && existsSync(addon) ? readJson(join(dirname(addon), 'addon.json')) : undefined;
	if (!made || made.sources !== digestOfSources(root) || !isLibrary(made.library)) return undefined;
	const given = givenLibrary();
	if (given && given.folder !== made.library) return undefined;
	const mayImprove = !given && hasNvidiaGpu() && made.flavour === 'cpu';
	if (mayImprove && (retry || !recentFailure(cache, 'cuda'))) return undefined;
	return describe(made, addon);
}

export async function ensure(context) {
	try {
		const compiler = findCompiler();
		const given = givenLibrary();
		if (given) return await build(context, compiler, given);
		if (hasNvidiaGpu()) {
			try {
				return await buildFlavour(context, compiler, 'cuda');
			} catch (error) {
				if (!(error instanceof Missing)) throw error;
				rememberFailure(context.cache, 'cuda', error);
				const cost = 'The GPU will not be used, TensorFlow runs on the CPU';
				context.console.problem({ name, detail: error.message, cost, remedy: error.remedy });
			}
		}
		return await buildFlavour(context, compiler, 'cpu');
	} catch (error) {
		if (!(error instanceof Missing)) throw error;
		throw new Missing(`no native engine: ${error.message}`, {
			cost: COST,
			remedy: error.remedy,
			slow: error.slow,
		});
	}
}

async function buildFlavour(context, compiler, flavour) {
	const installed = await pythonLibrary(flavour);
	if (installed) {
		try {
			return await build(context, compiler, installed);
		} catch (error) {
			if (!(error instanceof Missing)) throw error;
			context.console.line(`${name}: the installed Python TensorFlow does not serve (${error.message})`);
		}
	}
	return build(context, compiler, await cachedLibrary(context, flavour));
}

/** Compiles the addon unless the cache has it, tries whether it loads, and links it into node_modules. */
async function build({ root, cache, console }, compiler, library) {
	const sources = digestOfSources(root);
	const compilerVersion = await run(compiler, ['--version']).catch(() => '');
	const { size, mtimeMs } = statSync(join(library.folder, libraryFiles[0]));
	const key = digest(sources, library.folder, `${size} ${mtimeMs}`, compilerVersion, process.arch).slice(
		0,
		16,
	);
	const folder = join(cache, 'addon', key);
	const addon = join(folder, 'tfjs_binding.node');
	if (!existsSync(addon)) {
		await makeFolder(folder, async (partial) => {
			await console.step(name, 'compiling the addon', () => compile(root, compiler, library.folder, partial));
			const file = join(partial, 'tfjs_binding.node');
			const version = await console.step(name, 'loading it once', () => tryAddon(file));
			const { folder: from, flavour } = library;
			writeJson(join(partial, 'addon.json'), {
				version,
				flavour,
				library: from,
				from: library.from,
				sources,
			});
		});
	}
	replaceLink(linkOf(root), addon);
	return describe(readJson(join(folder, 'addon.json')), addon);
}

/** Two shared objects: tfjs-node's own sources as tfjs_addon.so, and the small one that Node loads (loader.cc). */
async function compile(root, compiler, library, folder) {
	const headers = join(root, 'node_modules', 'node-api-headers', 'include');
	const binding = join(packageOf(root), 'binding');
	const sources = readdirSync(binding)
		.filter((file) => file.endsWith('.cc'))
		.map((file) => join(binding, file));
	const flags = ['-O2', '-std=c++17', '-shared', '-fPIC', '-DNAPI_VERSION=8', '-w', '-I', headers];
	if (process.platform === 'darwin') flags.push('-undefined', 'dynamic_lookup');
	const libraries = [...libraryFiles.map((file) => join(library, file)), `-Wl,-rpath,${library}`];
	const addon = [
		'-I',
		join(library, 'include'),
		...sources,
		'-o',
		join(folder, 'tfjs_addon.so'),
		...libraries,
	];
	try {
		await run(compiler, [...flags, ...addon]);
		await run(compiler, [...flags, LOADER, '-o', join(folder, 'tfjs_binding.node'), '-ldl']);
	} catch (error) {
		if (!(error instanceof CommandFailed)) throw error;
		throw new Missing(`${compiler} could not compile the addon (${error.reason})`, {
			remedy: `${compilerRemedy()} && npm run setup`,
			slow: true,
		});
	}
}

/** Loads the addon in a process of its own; gives the version of TensorFlow that answers. */
async function tryAddon(file) {
	const program = 'process.stdout.write(require(process.argv[1]).TF_Version)';
	try {
		return await run(process.execPath, ['-e', program, file], { env: { TF_CPP_MIN_LOG_LEVEL: '2' } });
	} catch (error) {
		if (!(error instanceof CommandFailed)) throw error;
		throw new Missing(`the compiled addon does not load (${error.reason})`, {
			remedy: 'RTIL_LIBTENSORFLOW=FOLDER npm run setup, with a libtensorflow made for this system',
			slow: true,
		});
	}
}

function findCompiler() {
	const compiler = which(...[process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean));
	if (compiler) return compiler;
	throw new Missing('no C++ compiler (c++, g++, clang++) is on PATH', {
		remedy: `${compilerRemedy()} && npm run setup`,
	});
}

function compilerRemedy() {
	if (process.platform === 'darwin') return 'xcode-select --install';
	return installCommand({ apt: 'g++', dnf: 'gcc-c++' });
}

/** What the addon is made from: the sources, the loader's and the version of the Node-API headers. */
function digestOfSources(root) {
	const binding = join(packageOf(root), 'binding');
	const files = existsSync(binding) ? readdirSync(binding).sort() : [];
	const headers = readJson(join(root, 'node_modules', 'node-api-headers', 'package.json'))?.version ?? '';
	return digest(
		headers,
		readFileSync(LOADER),
		...files.flatMap((file) => [file, readFileSync(join(binding, file))]),
	);
}

function describe(made, addon) {
	const engine = made.flavour === 'cuda' ? 'gpu' : 'native';
	const detail = `${engine} engine, TensorFlow ${made.version} (${made.flavour}, ${made.library})`;
	return {
		state: 'ok',
		detail,
		engine,
		version: made.version,
		flavour: made.flavour,
		library: made.library,
		path: addon,
	};
}

function readLink(link) {
	try {
		return readlinkSync(link);
	} catch {
		return undefined;
	}
}

/** Points the link elsewhere in one step: a process that loads the addon meanwhile gets the old or the new one. */
function replaceLink(link, target) {
	if (readLink(link) === target) return;
	mkdirSync(dirname(link), { recursive: true });
	const aside = `${link}.${process.pid}`;
	symlinkSync(target, aside);
	renameSync(aside, link);
}
