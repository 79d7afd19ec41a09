// PyTorch both ways: a file of another code base becomes a checkpoint folder, a checkpoint folder such a file.
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RtilError } from '../errors/index.ts';
import { writeCheckpoint } from './folder.ts';
import type { ForeignCheckpoint, ForeignExport, ImportOptions } from './foreign/index.ts';
import type { CheckpointManifest } from './manifest.ts';
import { isTorchFile, type Plain, readPickle, readTorch, readWhole } from './pytorch/index.ts';

export interface TransferOptions extends ImportOptions {
	/** Folder of the checkpoint; must not exist or be empty. */
	dir: string;
	/** Name of the arm; default: that of the file without its ending. */
	name?: string;
	/** Milliseconds since 1970. */
	now?: () => number;
	/** What is being done, for progress. */
	onProgress?: (line: string) => void;
}

/** What an import did: the checkpoint's manifest, every entry's way, what was left and why. */
export interface ImportReport extends Omit<ForeignCheckpoint, 'groups' | 'wMean'> {
	manifest: CheckpointManifest;
	dir: string;
}

/**
 * Reads networks out of a PyTorch file or a pickle of NVIDIA's, without running anything of it, into a new checkpoint.
 *
 * @throws NOT_FOUND; ALREADY_EXISTS when the folder holds something; CORRUPT for a file that is damaged or asks for more
 * than tensors and plain data; MISMATCH for networks that are not known or cannot be represented.
 */
export async function importTorch(
	file: string,
	{ dir, name = nameOf(file), now = Date.now, onProgress = () => {}, ...options }: TransferOptions,
): Promise<ImportReport> {
	const there = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
		if (error.code === 'ENOENT') return [];
		throw new RtilError('ALREADY_EXISTS', `${dir} is no folder`, 'Name another with --out.', {
			cause: error,
		});
	});
	if (there.length > 0)
		throw new RtilError('ALREADY_EXISTS', `${dir} is not empty`, 'Name another folder with --out.');
	onProgress(`reading ${file}`);
	const bytes = await readWhole(file);
	const value = isTorchFile(bytes) ? await readTorch(bytes, file) : readPickle(bytes, file);
	const { readForeign } = await import('./foreign/index.ts');
	const { groups, wMean, ...found } = readForeign(value, file, options);
	onProgress(`found ${found.layout}; writing ${dir}`);
	const { generator, discriminator } = found.architecture;
	const manifest = await writeCheckpoint(
		dir,
		{
			createdAt: new Date(now()).toISOString(),
			arm: name,
			run: 'imported',
			step: stepOf(value, file),
			images: imagesOf(file),
			seed: 0,
			architecture: { generator: { ...generator }, discriminator: discriminator && { ...discriminator } },
			rtil: null,
			dataset: null,
			engine: 'imported',
			parent: null,
			...(wMean ? { latent: { wMean: [...wMean] } } : {}),
			metrics: {},
		},
		groups,
	);
	return { manifest, dir, ...found };
}

/**
 * Writes a checkpoint as a `.pt` file for the code base that has such networks.
 *
 * @throws as `readGroup`; MISMATCH for networks that no code base here has.
 */
export async function exportTorch(
	dir: string,
	file: string,
): Promise<Omit<ForeignExport, 'bytes'> & { size: number }> {
	const { writeForeign } = await import('./foreign/index.ts');
	const { bytes, ...written } = await writeForeign(dir, nameOf(file));
	await mkdir(path.dirname(path.resolve(file)), { recursive: true });
	const building = `${file}.${process.pid}.writing`;
	try {
		await writeFile(building, bytes, { flush: true });
		await rename(building, file);
	} finally {
		await rm(building, { force: true });
	}
	return { ...written, size: bytes.length };
}

function nameOf(file: string): string {
	return path.basename(file).replace(/\.[^.]+$/u, '') || 'imported';
}

/** Steps of training: `iteration` in files of the RTIL code; rosinality's have it in their name, `550000.pt`. */
function stepOf(value: Plain, file: string): number {
	const stored = value instanceof Map ? value.get('iteration') : undefined;
	if (Number.isSafeInteger(stored) && (stored as number) >= 0) return stored as number;
	const named = /^\d{1,9}$/u.exec(nameOf(file));
	return named ? Number(named[0]) : 0;
}

/** Images shown: NVIDIA's files have thousands of them in their name, `network-snapshot-025000.pkl`. */
function imagesOf(file: string): number {
	const named = /^network-snapshot-(\d{1,9})$/u.exec(nameOf(file));
	return named ? 1000 * Number(named[1]) : 0;
}
