// `rtil doctor`: what this machine has, what it lacks, and the one command that fixes each lack.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import type { EngineOptions } from '../engine/index.ts';
import { ExitCode, RtilError } from '../errors/index.ts';
import { declare, engineOption, jsonOption, print, printJson } from './frame.ts';
import { renderTable } from './table.ts';

/** One thing looked at. `warn`: works, but could be better; `missing`: something will not work. */
export interface Finding {
	name: string;
	/** As found, for people. */
	value: string;
	state: 'ok' | 'warn' | 'missing';
	/** What to do about it; empty when ok. */
	remedy: string;
}

export interface Diagnosis {
	/** Nothing is missing. */
	ok: boolean;
	findings: Finding[];
}

const SETUP = 'npm run setup';
const OLDEST_NODE = [20, 19] as const;
const OLDEST_NATS = [2, 10] as const;
const LOW_MEMORY = 4; // GB
const LOW_DISK = 2; // GB

const require = createRequire(import.meta.url);
const run = promisify(execFile);

/** Looks at everything; opens the engine that `options` name, by default the best there is. */
export async function diagnose(options: EngineOptions = {}): Promise<Diagnosis> {
	const gpus = await findGpus();
	const findings = [
		lookAtNode(),
		await lookAtEngine(options, gpus),
		lookAtLibtensorflow(),
		lookAtGpus(gpus),
		lookAtProcessors(),
		lookAtMemory(),
		await lookAtNats(),
		await lookAtSharp(),
		await lookAtCache(),
		await lookAtDisk(),
	];
	return { ok: findings.every(({ state }) => state !== 'missing'), findings };
}

const ok = (name: string, value: string): Finding => ({ name, value, state: 'ok', remedy: '' });

function atLeast(version: string, [major, minor]: readonly [number, number]): boolean {
	const [a = 0, b = 0] = version.split('.').map(Number);
	return a > major || (a === major && b >= minor);
}

function lookAtNode(): Finding {
	const version = process.versions.node;
	if (atLeast(version, OLDEST_NODE)) return ok('node', version);
	return {
		name: 'node',
		value: version,
		state: 'missing',
		remedy: `Install Node.js ${OLDEST_NODE.join('.')} or newer`,
	};
}

async function lookAtEngine(options: EngineOptions, gpus: string[] | undefined): Promise<Finding> {
	const name = 'engine';
	const asked = options.engine ?? process.env.RTIL_ENGINE ?? 'auto';
	try {
		const { openEngine } = await import('../engine/index.ts');
		const engine = await openEngine(options);
		const chosen = asked === 'auto' ? '' : ', as asked for';
		const value = `${engine.description}${chosen}`;
		if (asked !== 'auto') return ok(name, value);
		if (engine.name === 'wasm') {
			const remedy = `${SETUP} (the native engine is about 20 times faster)`;
			return { name, value, state: 'warn', remedy };
		}
		if (engine.name === 'native' && gpus) {
			return { name, value, state: 'warn', remedy: `${SETUP} (there is a GPU that it does not use)` };
		}
		return ok(name, value);
	} catch (error) {
		if (!(error instanceof RtilError)) throw error;
		const noGpu = 'Use another --engine: no NVIDIA GPU is seen here';
		const remedy = asked !== 'gpu' ? error.remedy : gpus ? SETUP : noGpu;
		return { name, value: error.message, state: 'missing', remedy };
	}
}

/** What set-up wrote beside the addon that it compiled. */
interface AddonRecord {
	version: string;
	flavour: string;
	library: string;
}

function lookAtLibtensorflow(): Finding {
	const name = 'libtensorflow';
	let addon: string;
	try {
		addon = realpathSync(require.resolve('@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node'));
	} catch {
		return { name, value: 'none', state: 'warn', remedy: SETUP };
	}
	const record = path.join(path.dirname(addon), 'addon.json');
	if (!existsSync(record)) return ok(name, `unknown version, linked by ${addon}`);
	const { version, flavour, library } = JSON.parse(readFileSync(record, 'utf8')) as AddonRecord;
	if (existsSync(library)) return ok(name, `${version} (${flavour}), ${library}`);
	return { name, value: `${version}, gone from ${library}`, state: 'warn', remedy: SETUP };
}

/** NVIDIA GPUs, one line each; undefined when there is none. */
async function findGpus(): Promise<string[] | undefined> {
	const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader'];
	try {
		const { stdout } = await run('nvidia-smi', query, { timeout: 10_000 });
		const lines = stdout
			.split('\n')
			.map((line) => line.trim())
			.filter(Boolean);
		return lines.length > 0 ? lines : undefined;
	} catch {
		return existsSync('/dev/nvidia0') ? ['an NVIDIA GPU that nvidia-smi does not show'] : undefined;
	}
}

function lookAtGpus(gpus: string[] | undefined): Finding {
	return ok('gpu', gpus?.join('; ') ?? 'none');
}

function lookAtProcessors(): Finding {
	const usable = os.availableParallelism();
	const all = os.cpus();
	const model = all[0]?.model.trim() ?? process.arch;
	return ok(
		'processors',
		usable === all.length ? `${usable} × ${model}` : `${usable} of ${all.length} × ${model}`,
	);
}

function lookAtMemory(): Finding {
	const limit = process.constrainedMemory();
	const total = limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
	const free = Math.min(process.availableMemory(), total);
	const value = `${gigabytes(free)} of ${gigabytes(total)} free`;
	if (free / 1e9 >= LOW_MEMORY) return ok('memory', value);
	return {
		name: 'memory',
		value,
		state: 'warn',
		remedy: `Close other programs: a training run wants ${LOW_MEMORY} GB`,
	};
}

async function lookAtNats(): Promise<Finding> {
	const name = 'nats-server';
	try {
		const { findNatsServer } = await import('../bus/index.ts');
		const { path: file, version } = await findNatsServer();
		if (atLeast(version, OLDEST_NATS)) return ok(name, `${version}, ${file}`);
		return {
			name,
			value: `${version}, ${file}`,
			state: 'warn',
			remedy: `${SETUP} (2.10 or newer is wanted)`,
		};
	} catch (error) {
		if (!(error instanceof RtilError)) throw error;
		return { name, value: error.message, state: 'missing', remedy: error.remedy };
	}
}

async function lookAtSharp(): Promise<Finding> {
	try {
		const { default: sharp } = await import('sharp');
		return ok('sharp', `${sharp.versions.sharp} (libvips ${sharp.versions.vips})`);
	} catch {
		return {
			name: 'sharp',
			value: 'does not load on this platform',
			state: 'missing',
			remedy: 'npm install --include=optional',
		};
	}
}

const cacheFolder = (env = process.env): string =>
	env.RTIL_CACHE || path.join(env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'rtil');

async function lookAtCache(): Promise<Finding> {
	const folder = cacheFolder();
	const parts = await readdir(folder, { withFileTypes: true }).catch(() => []);
	const sizes = await Promise.all(
		parts
			.filter((entry) => entry.isDirectory())
			.map(async ({ name }) => ({ name, bytes: await sizeOf(path.join(folder, name)) })),
	);
	const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
	const large = sizes.filter(({ bytes }) => bytes >= 1e6).sort((a, b) => b.bytes - a.bytes);
	const list = large.map(({ name, bytes }) => `${name} ${gigabytes(bytes)}`).join(', ');
	return ok(
		'cache',
		total === 0 ? `${folder}, empty` : `${folder}, ${gigabytes(total)}${list && ` (${list})`}`,
	);
}

async function sizeOf(folder: string): Promise<number> {
	const entries = await readdir(folder, { withFileTypes: true, recursive: true });
	const files = entries.filter((entry) => entry.isFile());
	const sizes = await Promise.all(
		files.map(({ parentPath, name }) => stat(path.join(parentPath, name)).catch(() => ({ size: 0 }))),
	);
	return sizes.reduce((sum, { size }) => sum + size, 0);
}

async function lookAtDisk(): Promise<Finding> {
	const { bavail, bsize } = await statfs('.');
	const value = `${gigabytes(bavail * bsize)} free in ${process.cwd()}`;
	if ((bavail * bsize) / 1e9 >= LOW_DISK) return ok('disk', value);
	return { name: 'disk', value, state: 'warn', remedy: `Make room: a run wants ${LOW_DISK} GB` };
}

function gigabytes(bytes: number): string {
	return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;
}

const marks = { ok: '✓', warn: '!', missing: '✗' } as const;

/** The command `rtil doctor`. */
export function doctorCommand(): Command {
	return declare('doctor', 'say what this machine has, what it lacks, and how to mend it', [
		'rtil doctor',
		'rtil doctor --json',
	])
		.addOption(engineOption())
		.addOption(jsonOption())
		.action(async ({ engine, json }: { engine?: EngineOptions['engine']; json?: boolean }) => {
			const diagnosis = await diagnose(engine ? { engine } : {});
			if (json) printJson(diagnosis);
			else print(describe(diagnosis));
			if (!diagnosis.ok) process.exitCode = ExitCode.environment;
		});
}

function describe({ findings }: Diagnosis): string {
	const table = renderTable(
		[
			{ title: '', cell: ({ state }: Finding) => marks[state] },
			{ title: 'part', cell: ({ name }) => name },
			{ title: 'found', cell: ({ value }) => value },
		],
		findings,
	);
	const remedies = findings.filter(({ remedy }) => remedy).map(({ name, remedy }) => `${name}: ${remedy}`);
	return remedies.length === 0
		? `${table}\n\nAll is well.`
		: `${table}\n\nTo improve:\n  ${remedies.join('\n  ')}`;
}
