// Snapshots of solves as files: one safetensors file a solve, named by what it solves with what, written whole.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { decodeSafetensors, readSafetensorsHeader, safetensorsParts } from '../checkpoints/index.ts';
import type { HostTensor } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import type { Measurements } from './problems/index.ts';
import type { SolverSpec, SolveSnapshot, SolveStore } from './solvers/index.ts';

/** All that decides the result of a solve, to the last bit. */
export interface SolveIdentity {
	/** Of the checkpoint; null: no prior. */
	prior: string | null;
	solver: SolverSpec;
	measurements: Measurements;
	seed: number;
	/** The engine's description. */
	engine: string;
	/** What is looked at for the oracle figure. */
	truth: HostTensor | null;
}

export interface SolveFile extends SolveStore {
	/** Where it is. */
	readonly file: string;
	/** Deletes it: the solve has ended. */
	remove(): Promise<void>;
}

/** The file under `dir` of one solve, written every so many seconds. */
export function solveFile(dir: string, identity: SolveIdentity, every: number): SolveFile {
	return snapshotFile(dir, nameOf(identity), every);
}

/** A file of snapshots of what has this name. */
export function snapshotFile(dir: string, name: string, every: number): SolveFile {
	const file = path.join(dir, `${name}.solve`);
	return {
		file,
		every,
		async load() {
			const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
				if (error.code === 'ENOENT') return null;
				throw error;
			});
			return bytes && decode(bytes);
		},
		async save(snapshot) {
			await mkdir(dir, { recursive: true });
			const part = `${file}.${process.pid}.part`;
			await writeFile(part, encode(snapshot), { flush: true });
			await rename(part, file);
		},
		async remove() {
			// With parts of it that were killed while they were written.
			const names = await readdir(dir).catch(() => []);
			const own = names.filter((name) => name.startsWith(path.basename(file)));
			await Promise.all(own.map((name) => rm(path.join(dir, name), { force: true })));
		},
	};
}

/** Deletes what has not been written for so long, in milliseconds: nobody came to finish it. */
export async function forgetOld(dir: string, age: number, now = Date.now()): Promise<void> {
	for (const name of await readdir(dir).catch(() => [])) {
		const file = path.join(dir, name);
		const found = await stat(file).catch(() => null);
		if (found && now - found.mtimeMs > age) await rm(file, { force: true });
	}
}

function nameOf({ measurements, truth, ...rest }: SolveIdentity): string {
	const { problem, image, keys, y } = measurements;
	const hash = createHash('sha256');
	hash.update(JSON.stringify([rest, problem, image, keys, y.shape]));
	for (const { data } of [y, ...(truth ? [truth] : [])])
		hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
	return hash.digest('hex').slice(0, 32);
}

/** JSON has no numbers that are not finite: they are spelt out. */
const NOT_FINITE: Record<string, number> = {
	'number NaN': Number.NaN,
	'number Infinity': Number.POSITIVE_INFINITY,
	'number -Infinity': Number.NEGATIVE_INFINITY,
};

function encode({ tensors, values }: SolveSnapshot): Buffer[] {
	const json = JSON.stringify(values, (_, value) =>
		typeof value === 'number' && !Number.isFinite(value) ? `number ${value}` : value,
	);
	return safetensorsParts(tensors, { format: 'rtil.solve', version: '1', values: json });
}

/** Null for what is damaged, or of another version: a snapshot saves time and is worth no failure. */
function decode(bytes: Buffer): SolveSnapshot | null {
	try {
		const { metadata } = readSafetensorsHeader(bytes);
		if (metadata.format !== 'rtil.solve' || metadata.version !== '1') return null;
		const values = JSON.parse(metadata.values!, (_, value) =>
			typeof value === 'string' && value in NOT_FINITE ? NOT_FINITE[value] : value,
		);
		return { tensors: decodeSafetensors(bytes), values };
	} catch (error) {
		if (error instanceof RtilError || error instanceof SyntaxError) return null;
		throw error;
	}
}
