// Where images come from: folders, archives, the face generator. A source lists what it has under stable names, each
// with a stamp that changes when its content does, and gives encoded bytes (or a path) for sharp to decode.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { RtilError } from '../errors/index.ts';
import { openFile } from './archive/access.ts';
import { listTar } from './archive/tar.ts';
import { openZip } from './archive/zip.ts';
import { drawFace } from './faces/index.ts';
import type { DataSpec, FacesSpec } from './spec.ts';

/** Endings of the image files that are read. */
const imageName = /\.(jpe?g|png|webp|tiff?|gif|avif)$/iu;

/** Raise it when the generator draws other faces: prepared ones are then drawn anew. */
const FACES_VERSION = 1;

export interface SourceImage {
	/** Path inside the source, with forward slashes. */
	readonly name: string;
	/** Changes when the content does. */
	readonly stamp: string;
	/** Encoded bytes, or the path of a file that holds them. */
	load(): Promise<Buffer | string>;
}

export interface Source extends AsyncDisposable {
	/** Naturally ordered by name (2 before 10), after the split. */
	readonly images: readonly SourceImage[];
}

/**
 * The images that a specification names.
 *
 * @param scratch folder for what must be unpacked first (tar.gz); emptied again by disposal.
 * @throws NOT_FOUND when the path does not exist, INVALID_INPUT when there is no image below it.
 */
export async function openSource(spec: DataSpec, scratch: string, signal?: AbortSignal): Promise<Source> {
	if (spec.kind === 'faces') return { images: faces(spec), async [Symbol.asyncDispose]() {} };
	const { path: root } = spec;
	const info = await stat(root).catch((cause: NodeJS.ErrnoException) => {
		throw new RtilError('NOT_FOUND', `The data path ${root} cannot be read (${cause.code})`, '', { cause });
	});
	const source = info.isDirectory() ? await folder(root) : await archive(root, scratch, signal);
	const found = source.images.filter(({ name }) => imageName.test(name) && !isHidden(name));
	if (found.length === 0) {
		await source[Symbol.asyncDispose]();
		throw new RtilError(
			'INVALID_INPUT',
			`There are no images in ${root}`,
			'Give a folder or archive with .jpg, .png, .webp, .tif, .gif or .avif files, at any depth.',
		);
	}
	const images = found
		.sort((a, b) => compareNaturally(a.name, b.name))
		.filter(({ name }) => inSplit(spec.split, name));
	if (images.length === 0) {
		await source[Symbol.asyncDispose]();
		throw new RtilError('INVALID_INPUT', `The split leaves none of the ${found.length} images of ${root}`);
	}
	return { ...source, images };
}

function faces({ count, resolution, seed, split }: FacesSpec): SourceImage[] {
	const images = Array.from({ length: count }, (_, index) => ({
		name: `face-${index}`,
		stamp: `${FACES_VERSION}`,
		load: async () => Buffer.from(drawFace(seed, index, resolution)),
	})).filter(({ name }) => inSplit(split, name));
	if (images.length === 0)
		throw new RtilError('INVALID_INPUT', `The split leaves none of the ${count} faces`);
	return images;
}

async function folder(root: string): Promise<Source> {
	const images: SourceImage[] = [];
	const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter(
		(file) => !file.isDirectory(),
	);
	for (const file of files) {
		const full = path.join(file.parentPath, file.name);
		const name = path.relative(root, full).split(path.sep).join('/');
		if (!imageName.test(name)) continue;
		// A link to a file counts; a dangling one is named later as a file that cannot be read.
		const info = await stat(full, { bigint: true }).catch(() => undefined);
		if (info && !info.isFile()) continue;
		images.push({ name, stamp: `${info?.size}-${info?.mtimeNs}`, load: async () => full });
	}
	return { images, async [Symbol.asyncDispose]() {} };
}

async function archive(file: string, scratch: string, signal?: AbortSignal): Promise<Source> {
	if (/\.zip$/iu.test(file)) {
		const access = await openFile(file);
		try {
			const images = [...(await openZip(access)).values()].map(({ name, size, crc, read }) => ({
				name,
				stamp: `${size}-${crc}`,
				load: read,
			}));
			return { images, [Symbol.asyncDispose]: () => access[Symbol.asyncDispose]() };
		} catch (error) {
			await access[Symbol.asyncDispose]();
			throw error;
		}
	}
	if (/\.(tgz|tar\.gz)$/iu.test(file)) {
		// A compressed stream has no places to read from: it is unpacked beside the cache while it is being read.
		const plain = path.join(scratch, 'source.tar');
		try {
			await pipeline(
				createReadStream(file),
				createGunzip(),
				createWriteStream(plain),
				signal ? { signal } : {},
			);
		} catch (cause) {
			await rm(plain, { force: true });
			if ((cause as NodeJS.ErrnoException).code?.startsWith('Z_')) {
				throw new RtilError('CORRUPT', `${file} is damaged: ${(cause as Error).message}`, '', { cause });
			}
			throw cause;
		}
		const source = await tar(plain, file);
		return {
			...source,
			async [Symbol.asyncDispose]() {
				await source[Symbol.asyncDispose]();
				await rm(plain, { force: true });
			},
		};
	}
	if (/\.tar$/iu.test(file)) return tar(file, file);
	throw new RtilError(
		'INVALID_INPUT',
		`Expected a folder, .zip, .tar or .tar.gz for the data path but received ${file}`,
	);
}

async function tar(file: string, name: string): Promise<Source> {
	const access = await openFile(file, name);
	try {
		const { mtimeNs } = await stat(name, { bigint: true });
		const images = (await listTar(access)).map((entry) => ({
			name: entry.name.replace(/^\.\//u, ''),
			stamp: `${entry.offset}-${entry.size}-${mtimeNs}`,
			load: () => access.read(entry.offset, entry.size),
		}));
		return { images, [Symbol.asyncDispose]: () => access[Symbol.asyncDispose]() };
	} catch (error) {
		await access[Symbol.asyncDispose]();
		throw error;
	}
}

/** Files that systems leave beside images: dot files, and what macOS adds to archives. */
function isHidden(name: string): boolean {
	return name.split('/').some((part) => part.startsWith('.') || part === '__MACOSX');
}

function inSplit(split: DataSpec['split'], name: string): boolean {
	if (!split) return true;
	const hash = createHash('sha256').update(name).digest().readUInt32BE(0) / 2 ** 32;
	return hash < split.holdout === (split.part === 'holdout');
}

/** Order of names as people count: runs of digits by their value. */
export function compareNaturally(a: string, b: string): number {
	const parts = (name: string): string[] => name.match(/\d+|\D+/gu) ?? [];
	const [left, right] = [parts(a), parts(b)];
	for (let i = 0; i < Math.min(left.length, right.length); i++) {
		const [x, y] = [left[i]!, right[i]!];
		if (x === y) continue;
		const numeric = Number(x) - Number(y);
		if (numeric) return numeric;
		return x < y ? -1 : 1;
	}
	return left.length - right.length;
}
