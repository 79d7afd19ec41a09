// ONNX files (onnx/onnx.proto, version 3 of its IR), read as far as a network for inference needs: one graph of nodes with
// float or whole-number tensors in the file itself. Nothing is run, no other file is opened, and what a file claims is
// checked against the bytes that it has. Graphs inside nodes, functions, quantised and sparse tensors are not read.
import protobuf from 'protobufjs';
import type { HostTensor } from '../engine/contract.ts';
import { RtilError, show } from '../errors/index.ts';
import type { OnnxAttribute, OnnxGraph, OnnxNode } from '../models/index.ts';
import { halfToNumber } from './safetensors.ts';

const { root } = protobuf.parse(`
	syntax = "proto3";
	message Model { int64 ir_version = 1; Graph graph = 7; repeated Opset opset_import = 8; }
	message Opset { string domain = 1; int64 version = 2; }
	message Graph {
		repeated Node node = 1; repeated Tensor initializer = 5; repeated Value input = 11; repeated Value output = 12;
	}
	message Node {
		repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
		repeated Attribute attribute = 5; string domain = 7;
	}
	message Attribute {
		string name = 1; float f = 2; int64 i = 3; bytes s = 4; Tensor t = 5; repeated float floats = 7;
		repeated int64 ints = 8; int32 type = 20;
	}
	message Value { string name = 1; Type type = 2; }
	message Type { TensorType tensor_type = 1; }
	message TensorType { int32 elem_type = 1; Shape shape = 2; }
	message Shape { repeated Dimension dim = 1; }
	message Dimension { int64 dim_value = 1; }
	message Tensor {
		repeated int64 dims = 1; int32 data_type = 2; repeated float float_data = 4; repeated int32 int32_data = 5;
		repeated int64 int64_data = 7; string name = 8; bytes raw_data = 9; repeated double double_data = 10;
		repeated Empty external_data = 13; int32 data_location = 14;
	}
	message Empty {}
`);
const Model = root.lookupType('Model');

interface RawTensor {
	name: string;
	dims: number[];
	dataType: number;
	floatData: number[];
	int32Data: number[];
	int64Data: number[];
	doubleData: number[];
	rawData: Uint8Array;
	externalData: unknown[];
	dataLocation: number;
}

interface RawAttribute {
	name: string;
	type: number;
	f: number;
	i: number;
	s: Uint8Array;
	t: RawTensor | null;
	floats: number[];
	ints: number[];
}

interface RawNode {
	name: string;
	opType: string;
	domain: string;
	input: string[];
	output: string[];
	attribute: RawAttribute[];
}

interface RawValue {
	name: string;
	type: { tensorType: { shape: { dim: { dimValue: number }[] } | null } | null } | null;
}

interface RawModel {
	irVersion: number;
	opsetImport: { domain: string; version: number }[];
	graph: { node: RawNode[]; initializer: RawTensor[]; input: RawValue[]; output: RawValue[] } | null;
}

const MAX_BYTES = 2 ** 30;
const MAX_NODES = 20_000;
const MAX_RANK = 8;
/** Versions of the set of operators: in between, those in use changed by attributes alone, which are looked at. */
const OPSETS = { least: 7, most: 25 };

/**
 * The graph of an ONNX file.
 *
 * @param name what to call the file in a message
 * @throws CORRUPT for a file that is damaged or contradicts itself; MISMATCH for one that needs more than is read here.
 */
export function readOnnx(bytes: Buffer, name = 'the ONNX file'): OnnxGraph {
	const refuse = (code: 'CORRUPT' | 'MISMATCH', why: string) =>
		new RtilError(code, `${name} is refused as an ONNX file: ${why}`);
	if (bytes.length > MAX_BYTES)
		throw refuse('MISMATCH', `it has ${bytes.length} bytes, more than any face network`);
	const { opsetImport, graph } = decode(bytes, refuse);
	if (!graph || graph.node.length === 0) throw refuse('CORRUPT', 'it holds no graph');
	if (graph.node.length > MAX_NODES) throw refuse('MISMATCH', `it has ${graph.node.length} nodes`);
	const opset = opsetImport.find(({ domain }) => isStandard(domain))?.version ?? 0;
	if (!(opset >= OPSETS.least && opset <= OPSETS.most))
		throw refuse('MISMATCH', `its operators are of version ${opset}, not ${OPSETS.least} to ${OPSETS.most}`);

	const tensor = (raw: RawTensor): HostTensor => {
		const [code, why] = tensorProblem(raw) ?? [];
		if (code) throw refuse(code, `the tensor ${show(raw.name)} ${why}`);
		const data = numbersOf(raw);
		const wrong = data.find((value) => !Number.isFinite(value));
		if (wrong !== undefined) throw refuse('CORRUPT', `the tensor ${show(raw.name)} has the value ${wrong}`);
		return { shape: raw.dims, data };
	};
	const constants = new Map<string, HostTensor>();
	for (const raw of graph.initializer) {
		if (constants.has(raw.name)) throw refuse('CORRUPT', `it has the initialiser ${show(raw.name)} twice`);
		constants.set(raw.name, tensor(raw));
	}
	const attribute = (
		node: string,
		{ name: key, type, f, i, s, t, floats, ints }: RawAttribute,
	): OnnxAttribute => {
		const value = [undefined, f, i, Buffer.from(s).toString('utf8'), t && tensor(t), undefined, floats, ints][
			type
		];
		if (value === undefined || value === null)
			throw refuse('MISMATCH', `node ${node} has the attribute ${show(key)} of a type that is not supported`);
		return value;
	};
	const nodes = graph.node.map((raw, n): OnnxNode => {
		const called = raw.name || `${raw.opType}_${n}`;
		if (!isStandard(raw.domain))
			throw refuse('MISMATCH', `node ${called} has the operator ${raw.opType} of ${show(raw.domain)}`);
		return {
			name: called,
			operator: raw.opType,
			inputs: raw.input,
			outputs: raw.output,
			attributes: new Map(raw.attribute.map((one) => [one.name, attribute(called, one)])),
		};
	});
	const inputs = graph.input.filter((input) => !constants.has(input.name));
	if (inputs.length !== 1 || graph.output.length !== 1)
		throw refuse(
			'MISMATCH',
			`it has ${inputs.length} inputs and ${graph.output.length} outputs, not one each`,
		);
	const dim = inputs[0]!.type?.tensorType?.shape?.dim ?? [];
	return {
		nodes,
		constants,
		input: {
			name: inputs[0]!.name,
			shape: dim.map(({ dimValue }) => (dimValue > 0 ? dimValue : null)),
		},
		output: graph.output[0]!.name,
	};
}

type Refuse = (code: 'CORRUPT' | 'MISMATCH', why: string) => RtilError;

function decode(bytes: Buffer, refuse: Refuse): RawModel {
	try {
		return Model.toObject(Model.decode(bytes), { longs: Number, defaults: true }) as RawModel;
	} catch (cause) {
		throw refuse('CORRUPT', `it is cut short or damaged (${(cause as Error).message})`);
	}
}

const isStandard = (domain: string): boolean => domain === '' || domain === 'ai.onnx';

const FLOAT = 1;

/** Bytes of an element in `raw_data`, how it is read there, and the field that holds it otherwise. */
const types: Readonly<
	Record<
		number,
		{
			bytes: number;
			read: (view: DataView, at: number) => number;
			field: 'floatData' | 'int32Data' | 'int64Data' | 'doubleData';
			value?: (stored: number) => number;
		}
	>
> = {
	[FLOAT]: { bytes: 4, read: (view, at) => view.getFloat32(at, true), field: 'floatData' },
	6: { bytes: 4, read: (view, at) => view.getInt32(at, true), field: 'int32Data' },
	7: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)), field: 'int64Data' },
	9: { bytes: 1, read: (view, at) => view.getUint8(at), field: 'int32Data' },
	10: {
		bytes: 2,
		read: (view, at) => halfToNumber(view.getUint16(at, true)),
		field: 'int32Data',
		value: halfToNumber,
	},
	11: { bytes: 8, read: (view, at) => view.getFloat64(at, true), field: 'doubleData' },
};

/** What is wrong with a tensor, or undefined: it must have exactly the numbers that its shape says. */
function tensorProblem(raw: RawTensor): [code: 'CORRUPT' | 'MISMATCH', why: string] | undefined {
	const { dims, dataType, rawData, externalData, dataLocation } = raw;
	if (dataLocation !== 0 || externalData.length > 0)
		return ['MISMATCH', 'lies in another file; save the model in one'];
	const type = types[dataType];
	if (!type) return ['MISMATCH', `has the type ${dataType}, which is not supported`];
	const size = dims.reduce((n, side) => n * side, 1);
	if (dims.length > MAX_RANK || !dims.every((side) => Number.isSafeInteger(side) && side >= 0))
		return ['CORRUPT', `has the impossible shape [${dims}]`];
	const numbers = rawData.length > 0 ? rawData.length / type.bytes : raw[type.field].length;
	if (numbers !== size) return ['CORRUPT', `has ${numbers} numbers, not the ${size} of its shape [${dims}]`];
	return undefined;
}

function numbersOf(raw: RawTensor): Float32Array {
	const { bytes, read, field, value = Number } = types[raw.dataType]!;
	const { rawData } = raw;
	if (rawData.length === 0) return Float32Array.from(raw[field], value);
	if (raw.dataType === FLOAT) return new Float32Array(Uint8Array.from(rawData).buffer); // a copy: it is aligned
	const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
	return Float32Array.from({ length: rawData.length / bytes }, (_, i) => read(view, i * bytes));
}
