// The prepared data set: one file that can be mapped or read at any place, and travels between nodes as it is.
//
//   0   'RTILDATA', u32 format, u32 resolution, u32 channels, u64 count, u64 offset and u64 length of the description
//   64  pixels, uint8 [count, resolution, resolution, channels]
//   …   description, JSON: fingerprint, names
//
// All numbers little-endian. The fingerprint is the sha256 of sizes, pixels and names.
import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { expected, RtilError } from '../errors/index.ts';
import { fromByte } from './image.ts';

const MAGIC = 'RTILDATA';
const FORMAT = 1;
export const HEADER_BYTES = 64;
const MAX_DESCRIPTION_BYTES = 512 * 2 ** 20;

const description = z.strictObject({ fingerprint: z.hex().length(64), names: z.array(z.string()) });

export interface DatasetSize {
	count: number;
	resolution: number;
	channels: number;
}

/** The fixed header of a data set file. */
export function encodeHeader(size: DatasetSize, descriptionBytes: number): Buffer {
	const header = Buffer.alloc(HEADER_BYTES);
	header.write(MAGIC, 0, 'latin1');
	header.writeUInt32LE(FORMAT, 8);
	header.writeUInt32LE(size.resolution, 12);
	header.writeUInt32LE(size.channels, 16);
	header.writeBigUInt64LE(BigInt(size.count), 24);
	header.writeBigUInt64LE(BigInt(HEADER_BYTES + pixelBytes(size)), 32);
	header.writeBigUInt64LE(BigInt(descriptionBytes), 40);
	return header;
}

function pixelBytes({ count, resolution, channels }: DatasetSize): number {
	return count * resolution * resolution * channels;
}

/** The running fingerprint of a data set: feed it the pixels in order, then close it with the names. */
export class Fingerprint {
	private readonly hash: Hash = createHash('sha256');

	constructor({ resolution, channels }: Omit<DatasetSize, 'count'>) {
		this.hash.update(`${MAGIC} ${FORMAT} ${resolution} ${channels}\n`);
	}

	pixels(bytes: Uint8Array): void {
		this.hash.update(bytes);
	}

	close(names: readonly string[]): string {
		return this.hash.update(JSON.stringify(names)).digest('hex');
	}
}

export interface Dataset extends Disposable {
	readonly count: number;
	readonly resolution: number;
	/** 1: grey, 3: RGB. */
	readonly channels: number;
	/** sha256 of sizes, pixels and names, in hex. */
	readonly fingerprint: string;
	readonly names: readonly string[];
	/**
	 * Images by index as float32 [n, resolution, resolution, channels] on [-1, 1].
	 *
	 * @param out where to put them; its length must be that of the result.
	 * @param flips one value an image, 1 mirrors it left to right.
	 */
	read(indices: ArrayLike<number>, out?: Float32Array, flips?: Uint8Array): Float32Array;
	close(): void;
}

/**
 * Opens a prepared data set.
 *
 * @throws NOT_FOUND, or CORRUPT when it is cut short or no data set file.
 */
export function openDataset(file: string): Dataset {
	let fd: number;
	try {
		fd = openSync(file, 'r');
	} catch (cause) {
		throw new RtilError('NOT_FOUND', `There is no prepared data set ${file}`, '', { cause });
	}
	try {
		return readDataset(fd, file);
	} catch (error) {
		closeSync(fd);
		throw error;
	}
}

function readDataset(fd: number, file: string): Dataset {
	const refuse = (why: string) =>
		new RtilError('CORRUPT', `${file} is no readable data set: ${why}`, 'Delete it: it is prepared anew.');
	const { size: fileBytes } = fstatSync(fd);
	const header = Buffer.alloc(HEADER_BYTES);
	readSync(fd, header, 0, HEADER_BYTES, 0);
	if (header.toString('latin1', 0, 8) !== MAGIC) throw refuse('it does not start like one');
	if (header.readUInt32LE(8) !== FORMAT)
		throw refuse(`it has format ${header.readUInt32LE(8)}, not ${FORMAT}`);
	const size: DatasetSize = {
		resolution: header.readUInt32LE(12),
		channels: header.readUInt32LE(16),
		count: Number(header.readBigUInt64LE(24)),
	};
	const [at, length] = [Number(header.readBigUInt64LE(32)), Number(header.readBigUInt64LE(40))];
	if (at !== HEADER_BYTES + pixelBytes(size) || at + length !== fileBytes || length > MAX_DESCRIPTION_BYTES) {
		throw refuse('its length does not fit its header (cut short?)');
	}
	const text = Buffer.alloc(length);
	readSync(fd, text, 0, length, at);
	const { fingerprint, names } = parseDescription(text, refuse);
	if (names.length !== size.count) throw refuse(`it names ${names.length} of ${size.count} images`);

	const { count, resolution, channels } = size;
	const row = resolution * channels;
	const imageBytes = resolution * row;
	const bytes = Buffer.alloc(imageBytes);
	let open = true;
	const close = () => {
		if (open) closeSync(fd);
		open = false;
	};
	return {
		...size,
		fingerprint,
		names,
		read(indices, out = new Float32Array(indices.length * imageBytes), flips) {
			if (out.length !== indices.length * imageBytes) {
				throw expected(`${indices.length * imageBytes} values`, 'the buffer of a batch', out.length);
			}
			for (let i = 0; i < indices.length; i++) {
				const index = indices[i]!;
				if (!(index >= 0 && index < count)) throw expected(`an index below ${count}`, 'an image', index);
				readSync(fd, bytes, 0, imageBytes, HEADER_BYTES + index * imageBytes);
				const to = i * imageBytes;
				if (!flips?.[i]) {
					for (let j = 0; j < imageBytes; j++) out[to + j] = fromByte[bytes[j]!]!;
					continue;
				}
				for (let j = 0; j < imageBytes; j += row) {
					for (let x = 0; x < row; x += channels) {
						const from = j + row - channels - x;
						for (let c = 0; c < channels; c++) out[to + j + x + c] = fromByte[bytes[from + c]!]!;
					}
				}
			}
			return out;
		},
		close,
		[Symbol.dispose]: close,
	};
}

function parseDescription(text: Buffer, refuse: (why: string) => RtilError): z.infer<typeof description> {
	try {
		return description.parse(JSON.parse(text.toString('utf8')));
	} catch {
		throw refuse('its description is damaged');
	}
}
