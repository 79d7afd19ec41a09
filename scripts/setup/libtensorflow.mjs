// Where libtensorflow comes from: $RTIL_LIBTENSORFLOW, an installed Python TensorFlow, the cache, a PyPI wheel.
import { chmodSync, existsSync, readFileSync, realpathSync } from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from './cache.mjs';
import { run, which } from './command.mjs';
import { Missing } from './console.mjs';
import { fetchWheel, tensorflowWheels } from './wheels.mjs';
import { unzip } from './zip.mjs';

/** @typedef {{folder: string, flavour: 'cpu' | 'cuda' | 'given', from: 'given' | 'python' | 'cache'}} Library */

const VERSION = '2.21.0';
/** The two files that the addon links with. */
export const libraryFiles = ['cc', 'framework'].map((part) =>
	process.platform === 'darwin' ? `libtensorflow_${part}.2.dylib` : `libtensorflow_${part}.so.2`,
);

/** Of the 12,000 headers in a wheel, the folders that the addon's sources include from. */
const HEADERS = ['tensorflow/c/', 'tensorflow/core/platform/', 'tsl/platform/', 'xla/tsl/c/'].map(
	(folder) => `tensorflow/include/${folder}`,
);

export const hasNvidiaGpu = () =>
	process.platform === 'linux' && (existsSync('/dev/nvidia0') || which('nvidia-smi') !== undefined);

/** Whether a folder holds what the addon is compiled and linked with. */
export function isLibrary(folder) {
	return [...libraryFiles, 'include/tensorflow/c/c_api.h'].every((file) => existsSync(join(folder, file)));
}

/** The folder that `$RTIL_LIBTENSORFLOW` names, or undefined when it is not set. */
export function givenLibrary() {
	const given = process.env.RTIL_LIBTENSORFLOW;
	if (!given) return undefined;
	if (!isLibrary(given)) {
		throw new Missing(
			`RTIL_LIBTENSORFLOW is ${given}, which lacks ${libraryFiles[0]} or include/tensorflow/c`,
			{
				remedy: 'unset RTIL_LIBTENSORFLOW, or point it at the folder `tensorflow` of an unpacked wheel',
			},
		);
	}
	return { folder: realpathSync(given), flavour: 'given', from: 'given' };
}

/** libtensorflow of an installed Python TensorFlow: found by looking, nothing of it is imported. */
export async function pythonLibrary(flavour) {
	const python = which('python3', 'python');
	if (!python) return undefined;
	let paths = [];
	try {
		paths = JSON.parse(await run(python, ['-c', 'import sys, json; print(json.dumps(sys.path))']));
	} catch {}
	const folders = paths.filter(Boolean).map((path) => join(path, 'tensorflow'));
	for (const folder of folders.filter(isLibrary)) {
		const built = isCudaBuild(folder) ? 'cuda' : 'cpu';
		if (built === flavour) return { folder: realpathSync(folder), flavour, from: 'python' };
	}
	return undefined;
}

function isCudaBuild(folder) {
	try {
		return /is_cuda_build', True/.test(readFileSync(join(folder, 'python/platform/build_info.py'), 'utf8'));
	} catch {
		return false;
	}
}

const cacheFolder = (cache, flavour) => join(cache, 'tensorflow', `${VERSION}-${flavour}`);

/** libtensorflow of the pinned version out of the cache, put there from its wheel if need be. */
export async function cachedLibrary({ cache, console }, flavour) {
	const folder = cacheFolder(cache, flavour);
	const library = { folder: join(folder, 'tensorflow'), flavour, from: 'cache' };
	if (isLibrary(library.folder)) return library;
	const wheels = tensorflowWheels(flavour);
	if (!wheels) {
		throw new Missing(`no libtensorflow (${flavour}) is known for ${process.platform}-${process.arch}`, {
			remedy: 'RTIL_LIBTENSORFLOW=FOLDER npm run setup',
		});
	}
	await makeFolder(folder, async (partial) => {
		await assertSpace(partial, flavour === 'cuda' ? 9 : 1.3);
		const downloads = join(partial, 'wheels');
		for (const wheel of wheels) {
			const size = wheel.megabytes > 0 ? ` (${wheel.megabytes} MB)` : '';
			const what = `${wheel.name} ${wheel.version}`;
			const file = await console.step('engine', `fetching ${what}${size}`, () =>
				fetchWheel(wheel, downloads),
			);
			await console.step('engine', `unpacking ${what}`, () => unpack(file, partial));
			await rm(downloads, { recursive: true, force: true });
		}
		if (!isLibrary(join(partial, 'tensorflow')))
			throw new Missing('the wheel lacks libtensorflow or its headers');
	});
	return library;
}

async function unpack(wheel, folder) {
	const names = await unzip(wheel, (name) => (isWanted(name) ? join(folder, name) : undefined));
	for (const name of names) if (name.includes('/bin/')) chmodSync(join(folder, name), 0o755);
}

function isWanted(name) {
	if (name.split('/').includes('..')) return false;
	if (name.startsWith('nvidia/')) return !name.includes('/include/');
	if (HEADERS.some((folder) => name.startsWith(folder))) return true;
	return libraryFiles.some((file) => name === `tensorflow/${file}`);
}

async function assertSpace(folder, gigabytes) {
	const { bavail, bsize } = await statfs(folder);
	const free = (bavail * bsize) / 1e9;
	if (free > gigabytes) return;
	throw new Missing(
		`unpacking libtensorflow needs ${gigabytes} GB, and ${folder} has ${free.toFixed(1)} GB left`,
		{
			remedy: 'RTIL_CACHE=FOLDER npm run setup, with a folder on a larger disk',
		},
	);
}
