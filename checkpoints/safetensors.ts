// The safetensors format (github.com/huggingface/safetensors, README, "Format"): 8 bytes little-endian header length,
// a JSON header of names, dtypes, shapes and offsets, then the tensors' bytes without holes. Written here: float32
// only, entries in the order of their names, so that equal tensors give equal bytes. The reader trusts nothing: a
// header that lies is refused before anything of the size it claims is allocated.
import type { HostTensor, HostTensors } from '../engine/contract.ts';
import { RtilError, show } from '../errors/index.ts';

/** Longest header read; the limit of the reference reader. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_RANK = 32;

type Decode = (view: DataView, at: number) => number;

/** Element size in bytes and the way to a number, per dtype of the format that holds real numbers. */
const dtypes: Record<string, { bytes: number; decode: Decode }> = {
	F64: { bytes: 8, decode: (view, at) => view.getFloat64(at, true) },
	F32: { bytes: 4, decode: (view, at) => view.getFloat32(at, true) },
	F16: { bytes: 2, decode: (view, at) => halfToNumber(view.getUint16(at, true)) },
	BF16: { bytes: 2, decode: (view, at) => bfloatToNumber(view.getUint16(at, true)) },
	I64: { bytes: 8, decode: (view, at) => Number(view.getBigInt64(at, true)) },
	U64: { bytes: 8, decode: (view, at) => Number(view.getBigUint64(at, true)) },
	I32: { bytes: 4, decode: (view, at) => view.getInt32(at, true) },
	U32: { bytes: 4, decode: (view, at) => view.getUint32(at, true) },
	I16: { bytes: 2, decode: (view, at) => view.getInt16(at, true) },
	U16: { bytes: 2, decode: (view, at) => view.getUint16(at, true) },
	I8: { bytes: 1, decode: (view, at) => view.getInt8(at) },
	U8: { bytes: 1, decode: (view, at) => view.getUint8(at) },
	BOOL: { bytes: 1, decode: (view, at) => view.getUint8(at) },
};

/** One entry of a header, checked: the range lies inside the file and has the size that dtype and shape say. */
export interface SafetensorsEntry {
	dtype: string;
	shape: number[];
	/** First byte and the byte after the last, from the start of the file. */
	begin: number;
	end: number;
}

export interface SafetensorsHeader {
	entries: Map<string, SafetensorsEntry>;
	metadata: Record<string, string>;
}

/**
 * Float32 tensors as the bytes of a safetensors file, in the order of their names.
 *
 * @throws INVALID_INPUT when a tensor's shape and length disagree.
 */
export function encodeSafetensors(tensors: HostTensors, metadata?: Record<string, string>): Buffer {
	return Buffer.concat(safetensorsParts(tensors, metadata));
}

/** As `encodeSafetensors`, in parts to be written one after the other: those of the tensors are no copies. */
export function safetensorsParts(tensors: HostTensors, metadata?: Record<string, string>): Buffer[] {
	const names = Object.keys(tensors).sort();
	const header: Record<string, unknown> = {};
	if (metadata) header.__metadata__ = metadata;
	let end = 0;
	for (const name of names) {
		const { shape, data } = tensors[name]!;
		if (name === '__metadata__' || product(shape) !== data.length) {
			throw new RtilError(
				'INVALID_INPUT',
				`Expected ${product(shape)} values for tensor ${name} of shape [${shape}] but received ${data.length}`,
			);
		}
		header[name] = { dtype: 'F32', shape, data_offsets: [end, (end += 4 * data.length)] };
	}
	// Padded with spaces so that the tensors start aligned and can be mapped.
	const json = Buffer.from(JSON.stringify(header));
	const headerBytes = Math.ceil(json.length / 8) * 8;
	const head = Buffer.alloc(8 + headerBytes, ' ');
	head.writeBigUInt64LE(BigInt(headerBytes), 0);
	json.copy(head, 8);
	const bodies = names.map((name) => {
		const { buffer, byteOffset, byteLength } = tensors[name]!.data;
		return Buffer.from(buffer, byteOffset, byteLength);
	});
	return [head, ...bodies];
}

/**
 * The tensors of a safetensors file as float32: half types and small integers exactly, F64 and integers beyond 2^24
 * rounded.
 *
 * @param name what to call the file in a message.
 * @throws CORRUPT when the header is not what the format allows.
 */
export function decodeSafetensors(file: Buffer, name = 'safetensors file'): HostTensors {
	const { entries } = readSafetensorsHeader(file, name);
	// fromEntries defines own properties whatever the name: a tensor called __proto__ stays a tensor.
	return Object.fromEntries([...entries].map(([key, entry]) => [key, decodeEntry(file, entry)]));
}

function decodeEntry(file: Buffer, { dtype, shape, begin, end }: SafetensorsEntry): HostTensor {
	const bytes = new Uint8Array(file.subarray(begin, end)); // a copy, so that it is aligned
	if (dtype === 'F32') return { shape, data: new Float32Array(bytes.buffer) };
	const { bytes: size, decode } = dtypes[dtype]!;
	const view = new DataView(bytes.buffer);
	return {
		shape,
		data: Float32Array.from({ length: bytes.length / size }, (_, i) => decode(view, i * size)),
	};
}

/**
 * The checked header of a safetensors file.
 *
 * @throws CORRUPT when it is too long, no JSON object, names something twice, or when the entries do not tile the rest
 * of the file exactly.
 */
export function readSafetensorsHeader(file: Buffer, name = 'safetensors file'): SafetensorsHeader {
	const refuse = (why: string) => new RtilError('CORRUPT', `${name} is no valid safetensors file: ${why}`);
	if (file.length < 8) throw refuse(`it has ${file.length} bytes`);
	const declared = file.readBigUInt64LE(0);
	if (declared > BigInt(Math.min(MAX_HEADER_BYTES, file.length - 8))) {
		throw refuse(`its header claims ${declared} bytes of ${file.length}`);
	}
	const start = 8 + Number(declared);
	const text = file.toString('utf8', 8, start);
	let header: unknown;
	try {
		header = JSON.parse(text);
	} catch (cause) {
		throw refuse(`its header is not JSON (${(cause as Error).message})`);
	}
	if (!isRecord(header)) throw refuse('its header is not an object');
	const twice = duplicateKey(text);
	if (twice !== undefined) throw refuse(`its header names ${show(twice)} twice`);

	const { __metadata__: metadata = {}, ...rest } = header;
	if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
		throw refuse('__metadata__ is not a map of strings');
	}
	const entries = new Map<string, SafetensorsEntry>();
	for (const [key, value] of Object.entries(rest)) {
		const problem = entryProblem(value, file.length - start);
		if (problem) throw refuse(`tensor ${show(key)} ${problem}`);
		const { dtype, shape, data_offsets } = value as RawEntry;
		entries.set(key, { dtype, shape, begin: start + data_offsets[0]!, end: start + data_offsets[1]! });
	}
	let end = start;
	for (const [key, entry] of [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
		if (entry.begin !== end) {
			throw refuse(
				`tensor ${show(key)} ${entry.begin < end ? 'overlaps another' : 'leaves a hole before it'}`,
			);
		}
		end = entry.end;
	}
	if (end !== file.length) throw refuse(`${file.length - end} bytes belong to no tensor`);
	return { entries, metadata: metadata as Record<string, string> };
}

interface RawEntry {
	dtype: string;
	shape: number[];
	data_offsets: number[];
}

/** What is wrong with an entry of a header, or undefined. */
function entryProblem(value: unknown, available: number): string | undefined {
	if (!isRecord(value)) return 'is not described by an object';
	const { dtype, shape, data_offsets: offsets, ...unknown } = value;
	if (Object.keys(unknown).length) return `has the unknown key ${show(Object.keys(unknown)[0])}`;
	if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype))
		return `has the unknown dtype ${show(dtype)}`;
	if (!isSizes(shape) || shape.length > MAX_RANK) return `has the impossible shape ${show(shape)}`;
	if (!isSizes(offsets) || offsets.length !== 2) return `has the impossible offsets ${show(offsets)}`;
	const [begin, end] = offsets as [number, number];
	if (begin > end || end > available)
		return `lies outside the file: ${begin} to ${end} of ${available} bytes`;
	const bytes = product(shape) * dtypes[dtype]!.bytes;
	if (bytes !== end - begin) return `needs ${bytes} bytes as ${dtype} [${shape}] but has ${end - begin}`;
	return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
	return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function product(shape: readonly number[]): number {
	return shape.reduce((size, side) => size * side, 1);
}

/** The first key that an object of this valid JSON text has twice; `JSON.parse` would keep the last silently. */
function duplicateKey(json: string): string | undefined {
	const open: Set<string>[] = [];
	const tokens = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/gsu;
	for (const [token, colon] of json.matchAll(tokens)) {
		if (token === '{') open.push(new Set());
		else if (token === '}') open.pop();
		else if (colon) {
			const key = JSON.parse(token.slice(0, -colon.length)) as string;
			if (open.at(-1)!.has(key)) return key;
			open.at(-1)!.add(key);
		}
	}
	return undefined;
}

/** The number that an IEEE 754 half (binary16) stands for. */
export function halfToNumber(bits: number): number {
	const sign = bits & 0x8000 ? -1 : 1;
	const exponent = (bits >> 10) & 0x1f;
	const fraction = bits & 0x3ff;
	if (exponent === 0) return sign * fraction * 2 ** -24;
	if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
	return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const word = new DataView(new ArrayBuffer(4));

/** The number that a bfloat16 stands for: the upper half of a float32. */
export function bfloatToNumber(bits: number): number {
	word.setUint32(0, bits << 16);
	return word.getFloat32(0);
}
