// A folder of checkpoints, one a step: which is the newest whole one, and which are kept.
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readManifest, UNFINISHED, verifyCheckpoint } from './folder.ts';
import type { CheckpointManifest } from './manifest.ts';

/** The folder name of a step: names sort as steps do. */
export function checkpointName(step: number): string {
	return String(step).padStart(9, '0');
}

export interface StoredCheckpoint {
	dir: string;
	manifest: CheckpointManifest;
}

async function folders(parent: string): Promise<string[]> {
	const entries = await readdir(parent, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
		if (error.code === 'ENOENT') return [];
		throw error;
	});
	return entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(parent, entry.name));
}

/** Checkpoints below a folder whose manifests can be read, by step; their tensors are not looked at. */
export async function listCheckpoints(
	parent: string,
	onDamaged: (dir: string, error: Error) => void = () => {},
): Promise<StoredCheckpoint[]> {
	const found: StoredCheckpoint[] = [];
	for (const dir of await folders(parent)) {
		if (path.basename(dir).startsWith('.')) continue;
		try {
			found.push({ dir, manifest: await readManifest(dir) });
		} catch (error) {
			onDamaged(dir, error as Error);
		}
	}
	return found.sort((a, b) => a.manifest.step - b.manifest.step || (a.dir < b.dir ? -1 : 1));
}

/**
 * The newest checkpoint that is whole, every file read and compared; undefined when there is none.
 *
 * @param onDamaged is told of each newer one that was passed over, and why.
 */
export async function latestCheckpoint(
	parent: string,
	onDamaged?: (dir: string, error: Error) => void,
): Promise<StoredCheckpoint | undefined> {
	for (const { dir } of (await listCheckpoints(parent, onDamaged)).reverse()) {
		try {
			return { dir, manifest: await verifyCheckpoint(dir) };
		} catch (error) {
			onDamaged?.(dir, error as Error);
		}
	}
	return undefined;
}

export const retentionSchema = z
	.strictObject({
		keepLast: z.int().min(1).default(2).describe('How many of the latest stay'),
		every: z.int().min(1).optional().describe('Those whose step is a multiple of this stay'),
		best: z
			.strictObject({
				metric: z.string().describe('As named in metrics.jsonl: d, nll, …'),
				order: z.enum(['min', 'max']).default('min'),
			})
			.optional()
			.describe('The best by a metric stays; those without the metric do not compete'),
	})
	.describe('Which checkpoints of an arm stay');

export type Retention = z.infer<typeof retentionSchema>;

/** Removes what the policy does not keep, and what writers that were killed left; the folders removed. */
export async function applyRetention(
	parent: string,
	{ keepLast, every, best }: Retention,
): Promise<string[]> {
	const all = await listCheckpoints(parent);
	const kept = new Set(all.slice(-Math.max(1, keepLast)));
	for (const one of all) if (every && one.manifest.step % every === 0) kept.add(one);
	const winner = best && findBest(all, best);
	if (winner) kept.add(winner);
	const removed = all.filter((one) => !kept.has(one)).map(({ dir }) => dir);
	for (const dir of removed) {
		// Out of sight first: a removal cut short must not leave a folder that looks like a checkpoint.
		const gone = path.join(parent, `${UNFINISHED}removed-${path.basename(dir)}`);
		await rename(dir, gone);
		await rm(gone, { recursive: true, force: true });
	}
	for (const dir of await folders(parent)) {
		if (path.basename(dir).startsWith(UNFINISHED)) await rm(dir, { recursive: true, force: true });
	}
	return removed;
}

function findBest(
	all: readonly StoredCheckpoint[],
	{ metric, order }: NonNullable<Retention['best']>,
): StoredCheckpoint | undefined {
	const sign = order === 'min' ? 1 : -1;
	const value = ({ manifest }: StoredCheckpoint) => sign * (manifest.metrics[metric] ?? Number.NaN);
	return all.filter((one) => !Number.isNaN(value(one))).sort((a, b) => value(a) - value(b))[0];
}
