// Single images at the border: files in, PNG out. Inside, an image is float32 on [-1, 1], row-major, channels last.
import sharp, { type OutputInfo, type ResizeOptions, type Sharp } from 'sharp';
import { expected, RtilError } from '../errors/index.ts';
import type { FolderSpec } from './spec.ts';

export interface Image {
	/** [height, width, channels] on [-1, 1]. */
	data: Float32Array;
	width: number;
	height: number;
	/** 1: grey, 3: RGB. */
	channels: number;
}

/** uint8 to [-1, 1]: 0 is −1, 255 is 1. */
export const fromByte: Float32Array = Float32Array.from({ length: 256 }, (_, value) => value / 127.5 - 1);

/** [-1, 1] to uint8, rounded to the nearest; what lies outside is cut, NaN is 0. */
export function toBytes(data: Float32Array): Uint8ClampedArray<ArrayBuffer> {
	const bytes = new Uint8ClampedArray(data.length);
	for (let i = 0; i < data.length; i++) bytes[i] = (data[i]! + 1) * 127.5;
	return bytes;
}

/** The PNG of an image. */
export async function encodePng(data: Float32Array, size: Omit<Image, 'data'>): Promise<Buffer> {
	return encodeBytes(toBytes(data), size);
}

function encodeBytes(bytes: Uint8ClampedArray<ArrayBuffer>, size: Omit<Image, 'data'>): Promise<Buffer> {
	const { width, height, channels } = size;
	if (bytes.length !== width * height * channels) {
		throw expected(`${height} × ${width} × ${channels} values`, 'an image', bytes.length);
	}
	return sharp(bytes, { raw: { width, height, channels: channels as 1 | 3 } })
		.png()
		.toBuffer();
}

export interface DecodeOptions {
	/** Give both or neither: the image is then cropped to the centre and resized (Lanczos 3). */
	width?: number;
	height?: number;
	/** Default 3: RGB. */
	channels?: 1 | 3;
}

/**
 * An image file, or its bytes, upright by its EXIF orientation; transparent parts become white.
 *
 * @throws NOT_FOUND when there is no such file, CORRUPT when it is no readable image.
 */
export async function decodeImage(source: string | Buffer, options: DecodeOptions = {}): Promise<Image> {
	const { width, height, channels = 3 } = options;
	const resize = width && height ? { width, height, fit: 'cover', kernel: 'lanczos3' } : undefined;
	const { data, info } = await decode(source, channels, (image) =>
		resize ? image.resize(resize as ResizeOptions) : image,
	);
	return {
		data: Float32Array.from(data, (byte) => fromByte[byte]!),
		width: info.width,
		height: info.height,
		channels: info.channels,
	};
}

/** The uint8 pixels of an image as a data set prepares it: [resolution, resolution, channels]. */
export async function decodeForDataset(
	source: string | Buffer,
	{ resolution, channels, crop, filter }: Omit<FolderSpec, 'kind' | 'path' | 'split'>,
): Promise<Buffer> {
	const { data } = await decode(source, channels, (image) => {
		const cut = typeof crop === 'object' ? image.extract(crop) : image;
		return cut.resize(resolution, resolution, { fit: crop === 'centre' ? 'cover' : 'fill', kernel: filter });
	});
	return data;
}

async function decode(
	source: string | Buffer,
	channels: 1 | 3,
	shape: (image: Sharp) => Sharp,
): Promise<{ data: Buffer; info: OutputInfo }> {
	const name = typeof source === 'string' ? source : 'the image';
	try {
		// failOn 'warning' would refuse photographs with harmless extra bytes; 'error' still refuses truncated ones.
		return await shape(sharp(source, { failOn: 'error' }).autoOrient())
			.flatten({ background: '#fff' })
			.toColourspace(channels === 1 ? 'b-w' : 'srgb')
			.raw({ depth: 'uchar' })
			.toBuffer({ resolveWithObject: true });
	} catch (cause) {
		const reason = (cause as Error).message.split('\n')[0]!;
		if (/missing/u.test(reason)) throw new RtilError('NOT_FOUND', `There is no image ${name}`, '', { cause });
		throw new RtilError('CORRUPT', `${name} is no readable image (${reason})`, '', { cause });
	}
}

/** The images of a batch [count, height, width, channels], as views. */
export function splitBatch(data: Float32Array, size: Omit<Image, 'data'>): Image[] {
	const length = size.width * size.height * size.channels;
	return Array.from({ length: data.length / length }, (_, i) => ({
		...size,
		data: data.subarray(i * length, (i + 1) * length),
	}));
}

export interface GridOptions {
	/** Default: as square as possible. */
	columns?: number;
	/** Pixels between images; default 2. */
	gap?: number;
	/** Each pixel becomes `zoom` × `zoom`; default 1. */
	zoom?: number;
}

/** The PNG of images of one size side by side, row by row, on white; grey and RGB may be mixed. */
export async function imageGrid(images: readonly Image[], options: GridOptions = {}): Promise<Buffer> {
	const { columns = Math.ceil(Math.sqrt(images.length)), gap = 2, zoom = 1 } = options;
	const first = images[0];
	if (!first) throw expected('at least one image', 'a grid', 0);
	const cell = { width: first.width * zoom + gap, height: first.height * zoom + gap };
	const width = Math.min(columns, images.length) * cell.width - gap;
	const height = Math.ceil(images.length / columns) * cell.height - gap;
	const canvas = new Uint8ClampedArray(width * height * 3).fill(255);
	for (const [i, image] of images.entries()) {
		if (image.width !== first.width || image.height !== first.height) {
			throw expected(
				`images of ${first.width} × ${first.height}`,
				'a grid',
				`${image.width} × ${image.height}`,
			);
		}
		const bytes = toBytes(image.data);
		const left = (i % columns) * cell.width;
		const top = Math.floor(i / columns) * cell.height;
		for (let y = 0; y < image.height * zoom; y++) {
			for (let x = 0; x < image.width * zoom; x++) {
				const from = (Math.floor(y / zoom) * image.width + Math.floor(x / zoom)) * image.channels;
				const to = ((top + y) * width + left + x) * 3;
				for (let c = 0; c < 3; c++) canvas[to + c] = bytes[from + (image.channels === 1 ? 0 : c)]!;
			}
		}
	}
	return encodeBytes(canvas, { width, height, channels: 3 });
}
