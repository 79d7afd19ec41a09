// TensorBoard event files: records of length and masked checksums (TFRecord) around Event messages, enough of
// tensorflow/core/util/event.proto and framework/summary.proto for scalars and PNG images.
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import protobuf from 'protobufjs';

const { root } = protobuf.parse(
	`
	syntax = "proto3";
	message Event {
		double wall_time = 1;
		int64 step = 2;
		oneof what {
			string file_version = 3;
			Summary summary = 5;
			SessionLog session_log = 7;
		}
	}
	message SessionLog {
		int32 status = 1;
	}
	message Summary {
		repeated Value value = 1;
		message Value {
			string tag = 1;
			oneof value {
				float simple_value = 2;
				Image image = 4;
			}
		}
		message Image {
			int32 height = 1;
			int32 width = 2;
			int32 colorspace = 3;
			bytes encoded_image_string = 4;
		}
	}
`,
	{ keepCase: true },
);
const eventType = root.lookupType('Event');

/** SessionLog.START: a reader forgets what it has read from this step on. */
const START = 1;

export interface EventMoment {
	step: number;
	/** Milliseconds since the epoch. */
	time: number;
}

/** One event file, open for writing. */
export interface EventFile extends AsyncDisposable {
	/** One point of each curve; what is not a finite number is left out. */
	scalars(at: EventMoment, values: Record<string, number | null>): Promise<void>;
	/** A PNG. */
	image(at: EventMoment, tag: string, png: Uint8Array): Promise<void>;
}

/** The name by which TensorBoard finds event files; later ones must sort behind earlier ones. */
export const eventFileName = /^events\.out\.tfevents\.\d+\./;

/**
 * Begins a new event file in a folder. Its first events tell a reader to forget whatever earlier files said, so a file
 * stands for the whole history.
 *
 * @param time milliseconds since the epoch, part of the name
 * @example
 * await using events = await createEventFile('runs/demo/arms/rtil/tensorboard', Date.now());
 * await events.scalars({ step: 100, time: Date.now() }, { 'losses/d': 0.7 });
 */
export async function createEventFile(dir: string, time: number): Promise<EventFile> {
	await mkdir(dir, { recursive: true });
	const file = await createFirst(dir, Math.floor(time / 1000));
	const write = (event: object, { step, time }: EventMoment): Promise<void> =>
		file.appendFile(
			frame(eventType.encode(eventType.create({ wall_time: time / 1000, step, ...event })).finish()),
		);
	await write({ file_version: 'brain.Event:2' }, { step: 0, time });
	await write({ session_log: { status: START } }, { step: 0, time });
	return {
		async scalars(at, values) {
			const value = Object.entries(values)
				.filter(([, number]) => number !== null && Number.isFinite(number))
				.map(([tag, number]) => ({ tag, simple_value: number }));
			if (value.length) await write({ summary: { value } }, at);
		},
		async image(at, tag, png) {
			const header = new DataView(png.buffer, png.byteOffset, png.byteLength);
			const [width, height] = [header.getUint32(16), header.getUint32(20)]; // of the IHDR chunk, always the first
			const image = { width, height, colorspace: 3, encoded_image_string: png };
			await write({ summary: { value: [{ tag, image }] } }, at);
		},
		[Symbol.asyncDispose]: () => file.close(),
	};
}

/** A file of a name that was free, at the first second from `seconds` on for which it is. */
async function createFirst(dir: string, seconds: number): Promise<FileHandle> {
	for (;;) {
		const name = `events.out.tfevents.${String(seconds).padStart(10, '0')}.rtil`;
		try {
			return await open(path.join(dir, name), 'ax');
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
			seconds++;
		}
	}
}

/** u64 length, its checksum, the bytes, their checksum; little-endian. */
function frame(data: Uint8Array): Buffer {
	const record = Buffer.alloc(data.length + 16);
	record.writeBigUInt64LE(BigInt(data.length), 0);
	record.writeUInt32LE(maskedChecksum(record.subarray(0, 8)), 8);
	record.set(data, 12);
	record.writeUInt32LE(maskedChecksum(data), 12 + data.length);
	return record;
}

/** CRC-32C, turned and shifted, so that a checksum of data that hold checksums is none of theirs. */
function maskedChecksum(data: Uint8Array): number {
	const crc = crc32c(data);
	return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Castagnoli's polynomial, reflected. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
	let crc = byte;
	for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
	return crc;
});

function crc32c(data: Uint8Array): number {
	let crc = 0xffffffff;
	for (const byte of data) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
	return (crc ^ 0xffffffff) >>> 0;
}
