// Drawn faces as files, for people and for other programs.
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { RtilError } from '../../errors/index.ts';
import { drawFace } from './index.ts';

export interface GenerateFacesOptions {
	/** Folder to make; refused when it exists. */
	dir: string;
	count: number;
	/** Side in pixels. */
	resolution: number;
	seed: number;
	onProgress?: (progress: { done: number; total: number }) => void;
	signal?: AbortSignal;
}

/** Faces drawn at a time: enough for sharp's threads. */
const AHEAD = 8;

/**
 * Writes `face-0.png`, `face-1.png`, …; the folder appears when it is complete.
 *
 * @throws ALREADY_EXISTS when the folder is there, CANCELLED.
 */
export async function generateFaces(options: GenerateFacesOptions): Promise<void> {
	const { count, resolution, seed, onProgress, signal } = options;
	const dir = path.resolve(options.dir);
	await mkdir(path.dirname(dir), { recursive: true });
	const building = await mkdtemp(path.join(path.dirname(dir), '.faces-'));
	try {
		let [next, done] = [0, 0];
		const draw = async () => {
			while (next < count) {
				if (signal?.aborted) throw new RtilError('CANCELLED', 'Drawing faces was cancelled');
				const index = next++;
				const svg = Buffer.from(drawFace(seed, index, resolution));
				await writeFile(
					path.join(building, `face-${index}.png`),
					await sharp(svg).removeAlpha().png().toBuffer(),
				);
				onProgress?.({ done: ++done, total: count });
			}
		};
		const drawn = await Promise.allSettled(Array.from({ length: AHEAD }, draw));
		for (const result of drawn) if (result.status === 'rejected') throw result.reason;
		await rename(building, dir).catch((cause: NodeJS.ErrnoException) => {
			if (cause.code !== 'ENOTEMPTY' && cause.code !== 'EEXIST' && cause.code !== 'ENOTDIR') throw cause;
			throw new RtilError('ALREADY_EXISTS', `${dir} exists already`, 'Choose another folder.', { cause });
		});
	} finally {
		await rm(building, { recursive: true, force: true });
	}
}
