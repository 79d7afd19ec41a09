// A checkpoint on this machine, from any folder above it.
import path from 'node:path';
import { latestCheckpoint, readManifest, type StoredCheckpoint } from '../checkpoints/index.ts';
import { RtilError } from '../errors/index.ts';

/** The checkpoint in a folder, or the newest whole one of an arm or a list of checkpoints; throws NOT_FOUND. */
export async function findCheckpoint(folder: string): Promise<StoredCheckpoint> {
	try {
		return { dir: folder, manifest: await readManifest(folder) };
	} catch (error) {
		if (!(error instanceof RtilError) || error.code !== 'NOT_FOUND') throw error;
	}
	for (const parent of [path.join(folder, 'checkpoints'), folder]) {
		const latest = await latestCheckpoint(parent);
		if (latest) return latest;
	}
	throw new RtilError(
		'NOT_FOUND',
		`Expected the folder of a checkpoint, or of an arm with some, but received "${folder}"`,
		'List what there is with: rtil checkpoints',
	);
}
