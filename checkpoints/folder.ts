// One checkpoint folder on disk. It appears in one rename, complete and on the medium, or not at all: a process killed
// or a disk filled in the middle leaves only a folder whose name starts with `.writing-`, which nobody reads.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HostTensors } from '../engine/contract.ts';
import { RtilError } from '../errors/index.ts';
import {
	type CheckpointFields,
	type CheckpointManifest,
	checkpointId,
	fileName,
	parseManifest,
} from './manifest.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

export const MANIFEST = 'manifest.json';
/** Unfinished folders; a writer that was killed leaves one, retention removes it. */
export const UNFINISHED = '.writing-';

/**
 * Writes a checkpoint: one `<group>.safetensors` a group (`g_ema`, `g`, `d`, `state`, …) and the manifest. A checkpoint
 * that stands in the folder is replaced in the last moment.
 *
 * @throws EXHAUSTED when the disk is full; what was there before is untouched.
 */
export async function writeCheckpoint(
	dir: string,
	fields: CheckpointFields,
	groups: Record<string, HostTensors>,
): Promise<CheckpointManifest> {
	return atomically(dir, async (building) => {
		const files: CheckpointManifest['files'] = {};
		for (const [group, tensors] of Object.entries(groups)) {
			const name = fileName.parse(`${group}.safetensors`);
			const bytes = encodeSafetensors(tensors);
			files[name] = { sha256: digest(bytes), bytes: bytes.length };
			await writeFile(path.join(building, name), bytes, { flush: true });
		}
		return { format: 1, id: checkpointId(files), ...fields, files };
	});
}

/**
 * Puts a checkpoint together from its manifest and files fetched elsewhere (name → path); they are copied and checked.
 *
 * @throws CORRUPT when a file is missing or is not the one that the manifest names.
 */
export async function assembleCheckpoint(
	dir: string,
	manifest: CheckpointManifest,
	files: Record<string, string>,
): Promise<CheckpointManifest> {
	const checked = parseManifest(manifest, `the manifest for ${dir}`);
	return atomically(dir, async (building) => {
		for (const name of Object.keys(checked.files)) {
			const from = files[name];
			if (!from)
				throw new RtilError(
					'CORRUPT',
					`Checkpoint ${checked.id.slice(0, 12)} comes without its file ${name}`,
				);
			await copyFile(from, path.join(building, name));
			await readVerified(building, name, checked);
			await flush(path.join(building, name));
		}
		return checked;
	});
}

/** The files of a checkpoint for transport: everything `assembleCheckpoint` needs besides the manifest. */
export async function checkpointFiles(
	dir: string,
): Promise<{ name: string; path: string; sha256: string; bytes: number }[]> {
	const { files } = await readManifest(dir);
	return Object.entries(files).map(([name, file]) => ({ name, path: path.join(dir, name), ...file }));
}

/** @throws NOT_FOUND when the folder holds no checkpoint, CORRUPT when its manifest is damaged. */
export async function readManifest(dir: string): Promise<CheckpointManifest> {
	const file = path.join(dir, MANIFEST);
	const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
		throw new RtilError('NOT_FOUND', `There is no checkpoint in ${dir} (${cause.code})`, '', { cause });
	});
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw new RtilError('CORRUPT', `${file} is not JSON (${(cause as Error).message})`, '', { cause });
	}
	return parseManifest(value, file);
}

/**
 * The tensors of one group, checked against the manifest's digest.
 *
 * @throws NOT_FOUND when the checkpoint has no such group, CORRUPT when the file is not what the manifest says.
 */
export async function readGroup(dir: string, group: string): Promise<HostTensors> {
	const manifest = await readManifest(dir);
	const name = `${group}.safetensors`;
	if (!Object.hasOwn(manifest.files, name)) {
		const has = Object.keys(manifest.files).map((file) => path.basename(file, '.safetensors'));
		throw new RtilError(
			'NOT_FOUND',
			`The checkpoint in ${dir} has no group ${group}, only ${has.join(', ')}`,
		);
	}
	return decodeSafetensors(await readVerified(dir, name, manifest), path.join(dir, name));
}

/** Reads every file of a checkpoint and compares digests. @throws as `readManifest` and `readGroup`. */
export async function verifyCheckpoint(dir: string): Promise<CheckpointManifest> {
	const manifest = await readManifest(dir);
	for (const name of Object.keys(manifest.files)) await readVerified(dir, name, manifest);
	return manifest;
}

async function readVerified(dir: string, name: string, { files }: CheckpointManifest): Promise<Buffer> {
	const file = path.join(dir, name);
	const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
		throw new RtilError('CORRUPT', `${file} cannot be read (${cause.code})`, '', { cause });
	});
	const wanted = files[name]!;
	if (bytes.length !== wanted.bytes) {
		throw new RtilError(
			'CORRUPT',
			`${file} has ${bytes.length} bytes, not the ${wanted.bytes} its manifest states`,
		);
	}
	if (digest(bytes) !== wanted.sha256) {
		throw new RtilError('CORRUPT', `${file} is not what its manifest states: the sha256 differs`);
	}
	return bytes;
}

function digest(bytes: Buffer): string {
	return createHash('sha256').update(bytes).digest('hex');
}

/** Fills a folder beside `dir`, puts it on the medium and renames it into place. */
async function atomically(
	dir: string,
	fillFolder: (building: string) => Promise<CheckpointManifest>,
): Promise<CheckpointManifest> {
	const parent = path.dirname(path.resolve(dir));
	await mkdir(parent, { recursive: true });
	let building = '';
	try {
		building = await mkdtemp(path.join(parent, UNFINISHED));
		const manifest = await fillFolder(building);
		await writeFile(path.join(building, MANIFEST), `${JSON.stringify(manifest, null, '\t')}\n`, {
			flush: true,
		});
		await flush(building);
		await replace(building, dir);
		await flush(parent);
		return manifest;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
			throw new RtilError(
				'EXHAUSTED',
				`There is no room for the checkpoint ${dir} (${code})`,
				'Free space and resume: the checkpoint before it is whole.',
				{ cause: error },
			);
		}
		throw error;
	} finally {
		if (building) await rm(building, { recursive: true, force: true });
	}
}

/**
 * Renames a folder over another. A kill between the two renames leaves neither under the name: the checkpoint of the
 * step before is then the latest.
 */
async function replace(from: string, to: string): Promise<void> {
	const old = `${from}-old`;
	const existed = await rename(to, old).then(
		() => true,
		(error: NodeJS.ErrnoException) => {
			if (error.code === 'ENOENT') return false;
			throw error;
		},
	);
	try {
		await rename(from, to);
	} catch (error) {
		if (existed) await rename(old, to);
		throw error;
	}
	if (existed) await rm(old, { recursive: true, force: true });
}

async function flush(file: string): Promise<void> {
	const handle = await open(file, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}
