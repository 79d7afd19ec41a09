// Images of any size and kind into one prepared file: decoded once, in parallel, so that training never waits.
//
// The cache folder holds `<fingerprint>.dataset` files, named by what is in them, and `sources/<key>.json`, which say
// what a specification over a list of (name, size, time) gave last time: nothing is decoded again until one changes.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { expected, RtilError } from '../errors/index.ts';
import { type DatasetSize, encodeHeader, Fingerprint, HEADER_BYTES, openDataset } from './dataset.ts';
import { decodeForDataset } from './image.ts';
import { openSource, type Source, type SourceImage } from './source.ts';
import type { DataSpec } from './spec.ts';

/** Images decoded ahead of the one being written: enough to keep sharp's threads busy, few enough for memory. */
const AHEAD = 16;

export interface Skipped {
	name: string;
	reason: string;
}

export interface PreparedDataset extends DatasetSize {
	file: string;
	fingerprint: string;
	names: readonly string[];
	/** Files that could not be read. */
	skipped: readonly Skipped[];
	/** Found in the cache: nothing was decoded. */
	reused: boolean;
}

export interface PrepareOptions {
	/** Folder for prepared data sets; made when missing. */
	cache: string;
	onProgress?: (progress: { done: number; total: number; skipped: number }) => void;
	/** Refuse the data set when a file cannot be read; default: name it and go on. */
	strict?: boolean;
	signal?: AbortSignal;
}

const record = z.strictObject({
	fingerprint: z.hex().length(64),
	skipped: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
});

/**
 * Prepares a data set, or finds it prepared. Two specifications that give the same pixels under the same names share
 * one file. Cancelled or failed, it leaves nothing behind.
 *
 * @throws NOT_FOUND for a missing path; INVALID_INPUT when there are no images; CORRUPT for a broken file under `strict`,
 * or when all are broken; EXHAUSTED when the disk is full; CANCELLED.
 */
export async function prepareDataset(spec: DataSpec, options: PrepareOptions): Promise<PreparedDataset> {
	const { cache, signal } = options;
	await mkdir(path.join(cache, 'sources'), { recursive: true });
	const scratch = await mkdtemp(path.join(cache, '.preparing-'));
	try {
		await using source = await openSource(spec, scratch, signal);
		const sourceFile = path.join(cache, 'sources', `${sourceKey(spec, source)}.json`);
		const known = await readKnown(cache, sourceFile);
		if (known) return known.skipped.length && options.strict ? refuse(known.skipped[0]!) : known;

		const building = path.join(scratch, 'dataset');
		const { fingerprint, skipped } = await build(spec, source, building, options);
		signal?.throwIfAborted();
		await rename(building, datasetFile(cache, fingerprint));
		const recordFile = path.join(scratch, 'record');
		await writeFile(recordFile, JSON.stringify({ fingerprint, skipped }));
		await rename(recordFile, sourceFile);
		return { ...describe(cache, fingerprint), skipped, reused: false };
	} catch (error) {
		if (signal?.aborted)
			throw new RtilError('CANCELLED', 'Preparing the data set was cancelled', '', { cause: error });
		if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
			throw new RtilError(
				'EXHAUSTED',
				`The disk of ${cache} is full`,
				'Free space, or choose another cache folder.',
			);
		}
		throw error;
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

function datasetFile(cache: string, fingerprint: string): string {
	return path.join(cache, `${fingerprint}.dataset`);
}

function describe(cache: string, fingerprint: string): Omit<PreparedDataset, 'skipped' | 'reused'> {
	const file = datasetFile(cache, fingerprint);
	using dataset = openDataset(file);
	const { count, resolution, channels, names } = dataset;
	return { file, fingerprint, count, resolution, channels, names };
}

/** Names what would be decoded: the specification but for the place, the decoder, and every file's name and stamp. */
function sourceKey(spec: DataSpec, { images }: Source): string {
	const { path: _, ...rest } = { path: '', ...spec };
	const { vips, rsvg } = sharp.versions as Record<string, string>;
	const hash = createHash('sha256').update(JSON.stringify([rest, vips, rsvg]));
	for (const { name, stamp } of images) hash.update(`\n${name}\0${stamp}`);
	return hash.digest('hex');
}

async function readKnown(cache: string, sourceFile: string): Promise<PreparedDataset | undefined> {
	try {
		const { fingerprint, skipped } = record.parse(JSON.parse(await readFile(sourceFile, 'utf8')));
		return { ...describe(cache, fingerprint), skipped, reused: true };
	} catch {
		return undefined; // never prepared, deleted or damaged: prepared anew
	}
}

function refuse({ name, reason }: Skipped): never {
	throw new RtilError(
		'CORRUPT',
		`${name} cannot be read (${reason})`,
		'Remove it, or go on without it: not strict.',
	);
}

type Decoded = { name: string; pixels: Buffer } | Skipped;

async function build(
	spec: DataSpec,
	{ images }: Source,
	file: string,
	{ strict, signal, onProgress }: PrepareOptions,
): Promise<{ fingerprint: string; skipped: Skipped[] }> {
	const shape =
		spec.kind === 'folder'
			? spec
			: { ...spec, channels: 3 as const, crop: 'none' as const, filter: 'lanczos3' as const };
	const fingerprint = new Fingerprint(shape);
	const names: string[] = [];
	const skipped: Skipped[] = [];
	await using handle = await open(file, 'wx');
	let end = HEADER_BYTES;
	const append = async (decoded: Decoded) => {
		if ('reason' in decoded) {
			if (strict) refuse(decoded);
			skipped.push(decoded);
		} else {
			fingerprint.pixels(decoded.pixels);
			names.push(decoded.name);
			await handle.write(decoded.pixels, 0, decoded.pixels.length, end);
			end += decoded.pixels.length;
		}
		onProgress?.({ done: names.length + skipped.length, total: images.length, skipped: skipped.length });
	};

	const ahead: Promise<Decoded>[] = [];
	try {
		for (const image of images) {
			signal?.throwIfAborted();
			ahead.push(decodeOne(image, shape));
			if (ahead.length === AHEAD) await append(await ahead.shift()!);
		}
		while (ahead.length) await append(await ahead.shift()!);
	} finally {
		await Promise.all(ahead); // they read from the source: it may close only after them
	}
	if (names.length === 0) {
		const { name, reason } = skipped[0]!;
		throw new RtilError(
			'CORRUPT',
			`None of the ${images.length} images can be read; the first, ${name}: ${reason}`,
		);
	}
	const id = fingerprint.close(names);
	const text = Buffer.from(JSON.stringify({ fingerprint: id, names }));
	await handle.write(text, 0, text.length, end);
	const header = encodeHeader({ ...shape, count: names.length }, text.length);
	await handle.write(header, 0, header.length, 0);
	await handle.sync();
	return { fingerprint: id, skipped };
}

/** Never rejects: what is wrong with a file is a result. */
async function decodeOne(
	image: SourceImage,
	shape: Parameters<typeof decodeForDataset>[1],
): Promise<Decoded> {
	const { name } = image;
	try {
		const pixels = await decodeForDataset(await image.load(), shape);
		const bytes = shape.resolution ** 2 * shape.channels;
		if (pixels.length !== bytes) throw expected(`${bytes} bytes of pixels`, name, pixels.length);
		return { name, pixels };
	} catch (error) {
		const cause = error instanceof RtilError && error.cause instanceof Error ? error.cause : (error as Error);
		return { name, reason: cause.message.split('\n')[0]! };
	}
}
