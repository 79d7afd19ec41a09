// Reads TensorBoard event files byte by byte, apart from the code that writes them.
import { readFile } from 'node:fs/promises';

/** CRC-32C bit by bit (RFC 3720, appendix B.4). */
export function crc32c(data: Uint8Array): number {
	let crc = ~0;
	for (const byte of data) {
		for (let bit = 0; bit < 8; bit++) {
			const odd = (crc ^ (byte >>> bit)) & 1;
			crc = (crc >>> 1) ^ (odd ? 0x82f63b78 : 0);
		}
	}
	return ~crc >>> 0;
}

const masked = (data: Uint8Array): number => {
	const crc = BigInt(crc32c(data));
	return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
};

/** The records of a file; throws where a length or checksum is not right. */
function records(bytes: Buffer): Buffer[] {
	const found: Buffer[] = [];
	let at = 0;
	while (at < bytes.length) {
		const length = Number(bytes.readBigUInt64LE(at));
		if (bytes.readUInt32LE(at + 8) !== masked(bytes.subarray(at, at + 8))) throw new Error(`length at ${at}`);
		const data = bytes.subarray(at + 12, at + 12 + length);
		if (bytes.readUInt32LE(at + 12 + length) !== masked(data)) throw new Error(`data at ${at}`);
		found.push(data);
		at += length + 16;
	}
	return found;
}

type Field = number | Buffer;

/** The fields of a protobuf message by number; fixed 64 bits are doubles, fixed 32 bits floats. */
function fields(message: Buffer): Map<number, Field[]> {
	const result = new Map<number, Field[]>();
	let at = 0;
	const varint = (): number => {
		let [value, factor] = [0, 1];
		for (;;) {
			const byte = message[at++]!;
			value += (byte & 127) * factor;
			factor *= 128;
			if (byte < 128) return value;
		}
	};
	while (at < message.length) {
		const tag = varint();
		let value: Field;
		if ((tag & 7) === 0) value = varint();
		else if ((tag & 7) === 1) {
			value = message.readDoubleLE(at);
			at += 8;
		} else if ((tag & 7) === 5) {
			value = message.readFloatLE(at);
			at += 4;
		} else {
			const length = varint();
			value = message.subarray(at, at + length);
			at += length;
		}
		result.set(tag >>> 3, [...(result.get(tag >>> 3) ?? []), value]);
	}
	return result;
}

export interface ReadEvent {
	/** Seconds. */
	time: number;
	step: number;
	version?: string;
	/** SessionLog.status. */
	session?: number;
	scalars: Record<string, number>;
	images: Record<string, { height: number; width: number; png: Buffer }>;
}

/** The events of a file. */
export async function readEvents(file: string): Promise<ReadEvent[]> {
	return records(await readFile(file)).map((record) => {
		const event = fields(record);
		const one = (from: Map<number, Field[]>, number: number): Field | undefined => from.get(number)?.[0];
		const read: ReadEvent = {
			time: one(event, 1) as number,
			step: (one(event, 2) as number | undefined) ?? 0,
			scalars: {},
			images: {},
		};
		const version = one(event, 3);
		if (version) read.version = version.toString();
		const session = one(event, 7);
		if (session) read.session = one(fields(session as Buffer), 1) as number;
		for (const bytes of event.has(5) ? (fields(one(event, 5) as Buffer).get(1) ?? []) : []) {
			const value = fields(bytes as Buffer);
			const tag = one(value, 1)!.toString();
			if (value.has(2)) read.scalars[tag] = one(value, 2) as number;
			if (value.has(4)) {
				const image = fields(one(value, 4) as Buffer);
				const [height, width, png] = [1, 2, 4].map((number) => one(image, number));
				read.images[tag] = { height: height as number, width: width as number, png: png as Buffer };
			}
		}
		return read;
	});
}
