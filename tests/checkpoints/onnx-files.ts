// ONNX files, written field by field (onnx/onnx.proto; protobuf's encoding).
import type { HostTensor, HostTensors } from '../../engine/index.ts';

export interface OnnxFile {
	nodes: {
		operator: string;
		inputs: string[];
		outputs: string[];
		attributes?: Record<string, Buffer>;
		domain?: string;
	}[];
	initialisers: HostTensors;
	/** Null for a size that is left open. */
	input: { name: string; shape: (number | null)[] };
	output: string;
	opset?: number;
	/** Tensors that were encoded already. */
	raw?: Buffer[];
}

function varint(value: number | bigint): Buffer {
	let rest = BigInt.asUintN(64, BigInt(value));
	const bytes: number[] = [];
	do {
		const low = Number(rest & 0x7fn);
		rest >>= 7n;
		bytes.push(rest > 0n ? low | 0x80 : low);
	} while (rest > 0n);
	return Buffer.from(bytes);
}

const int = (field: number, value: number): Buffer => Buffer.concat([varint(field << 3), varint(value)]);

function block(field: number, content: Buffer | string): Buffer {
	const bytes = Buffer.from(content as string);
	return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

function float(field: number, value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeFloatLE(value);
	return Buffer.concat([varint((field << 3) | 5), bytes]);
}

const FLOAT = 1;
const INT64 = 7;

/** A tensor of floats in `raw_data`; `dims` may lie. */
export function floatTensor(name: string, { shape, data }: HostTensor, dims = shape): Buffer {
	const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
	return Buffer.concat([...dims.map((side) => int(1, side)), int(2, FLOAT), block(8, name), block(9, raw)]);
}

/** A tensor of whole numbers in `int64_data`, packed. */
export function intTensor(name: string, values: readonly number[]): Buffer {
	const data = block(7, Buffer.concat(values.map(varint)));
	return Buffer.concat([int(1, values.length), int(2, INT64), data, block(8, name)]);
}

/** A tensor whose numbers are said to lie in another file. */
export function externalTensor(name: string, dims: readonly number[]): Buffer {
	const place = block(13, Buffer.concat([block(1, 'location'), block(2, '/etc/passwd')]));
	return Buffer.concat([
		...dims.map((side) => int(1, side)),
		int(2, FLOAT),
		block(8, name),
		place,
		int(14, 1),
	]);
}

/** Values of attributes, without their names. */
export const attribute = {
	int: (value: number): Buffer => Buffer.concat([int(3, value), int(20, 2)]),
	float: (value: number): Buffer => Buffer.concat([float(2, value), int(20, 1)]),
	ints: (values: readonly number[]): Buffer => Buffer.concat([...values.map((v) => int(8, v)), int(20, 7)]),
	text: (value: string): Buffer => Buffer.concat([block(4, value), int(20, 3)]),
	tensor: (tensor: Buffer): Buffer => Buffer.concat([block(5, tensor), int(20, 4)]),
};

function value(name: string, shape: readonly (number | null)[]): Buffer {
	const dims = shape.map((side) => block(1, side === null ? block(2, 'batch') : int(1, side)));
	const type = block(1, Buffer.concat([int(1, FLOAT), block(2, Buffer.concat(dims))]));
	return Buffer.concat([block(1, name), block(2, type)]);
}

export function encodeOnnx({ nodes, initialisers, input, output, opset = 13, raw = [] }: OnnxFile): Buffer {
	const graph = [
		...nodes.map(({ operator, inputs, outputs, attributes = {}, domain = '' }) =>
			block(
				1,
				Buffer.concat([
					...inputs.map((name) => block(1, name)),
					...outputs.map((name) => block(2, name)),
					block(4, operator),
					...Object.entries(attributes).map(([name, content]) =>
						block(5, Buffer.concat([block(1, name), content])),
					),
					...(domain === '' ? [] : [block(7, domain)]),
				]),
			),
		),
		block(2, 'graph'),
		...Object.entries(initialisers).map(([name, tensor]) => block(5, floatTensor(name, tensor))),
		...raw.map((tensor) => block(5, tensor)),
		block(11, value(input.name, input.shape)),
		block(12, value(output, [null, 5])),
	];
	return Buffer.concat([
		int(1, 8),
		block(2, 'test'),
		block(7, Buffer.concat(graph)),
		block(8, Buffer.concat([block(1, ''), int(2, opset)])),
	]);
}
