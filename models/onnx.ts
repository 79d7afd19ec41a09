// A face network from an ONNX graph (onnx.ai, the IR specification): its nodes are planned one by one, with every shape
// known, before anything runs. Values keep ONNX's own layout [N, C, H, W], so that reshaping, flattening and broadcasting
// mean what they mean there; convolutions and pools alone go over to this project's layout and back. What nodes can be is
// in onnx-operators.ts; files are read in checkpoints/.
import * as tf from '@tensorflow/tfjs-core';
import { elements, type HostTensor, type HostTensors, type TensorMap } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import type { FaceNetwork } from './face.ts';
import { OnnxCall, type OnnxSource, operators, refuse } from './onnx-operators.ts';

export type OnnxAttribute = number | readonly number[] | string | HostTensor;

export interface OnnxNode {
	/** For messages: `Conv_12`. */
	name: string;
	operator: string;
	/** Names of values; empty for one that is left out. */
	inputs: readonly string[];
	outputs: readonly string[];
	attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** A graph with one input and one output, in an order in which it can be worked off. */
export interface OnnxGraph {
	nodes: readonly OnnxNode[];
	/** Initialisers; whole numbers, too, as float32. */
	constants: ReadonlyMap<string, HostTensor>;
	/** Null for a size that the file leaves open. */
	input: { name: string; shape: readonly (number | null)[] };
	output: string;
}

export interface OnnxNetwork extends FaceNetwork {
	/** The parameters that the graph holds, in the layouts that `embed` takes them in. */
	readonly params: HostTensors;
	/** Does the graph begin by normalising bytes, as networks converted from MXNet do? */
	readonly takesBytes: boolean;
}

/** Numbers of one value and of all parameters, and the longest side of the input: beyond those of any face network. */
const MAX_VALUE = 2 ** 26;
const MAX_PARAMETERS = 2 ** 28;
const MAX_SIDE = 1024;

/**
 * The network of a graph from an image [1, 3, H, W] to an embedding [1, D].
 *
 * @throws MISMATCH for a graph that is none, or with an operator, an attribute or a size that is not supported; CORRUPT
 * for one that contradicts itself. The message names the node.
 */
export function onnxNetwork(graph: OnnxGraph): OnnxNetwork {
	const [, channels = 0, height = 0, width = 0] = graph.input.shape;
	if (graph.input.shape.length !== 4 || channels !== 3 || !isSide(height) || !isSide(width)) {
		const stated = graph.input.shape.map((side) => side ?? '?').join(', ');
		throw new RtilError(
			'MISMATCH',
			`Expected a network of images [N, 3, H, W] with sides of 1 to ${MAX_SIDE} but its input is [${stated}]`,
		);
	}
	const shapes = new Map<string, readonly number[]>([[graph.input.name, [1, 3, height, width]]]);
	const constants = new Map(graph.constants);
	for (const [name, { shape }] of constants) shapes.set(name, shape);
	const params: HostTensors = {};
	let parameters = 0;
	const steps: { inputs: OnnxSource[]; output: string; run: (inputs: tf.Tensor[]) => tf.Tensor }[] = [];

	for (const [i, node] of graph.nodes.entries()) {
		const operator = operators[node.operator];
		if (!operator) {
			throw new RtilError(
				'MISMATCH',
				`The ONNX operator ${node.operator} (node ${node.name}) is not supported`,
				`Supported are ${Object.keys(operators).join(', ')}.`,
			);
		}
		const output = node.outputs[0];
		if (!output || shapes.has(output)) throw refuse(node, 'does not name a new value as its output');
		for (const name of node.inputs) {
			if (name !== '' && !shapes.has(name))
				throw refuse(node, `needs ${name}, which is neither an initialiser nor made before`);
		}
		const call = new OnnxCall(node, `${i}`, shapes, constants);
		const { shape, run } = operator(call);
		call.finish();
		if (!shape.every((side) => Number.isSafeInteger(side) && side > 0) || elements(shape) > MAX_VALUE)
			throw refuse(node, `makes a value of the impossible size [${shape}]`);
		shapes.set(output, shape);
		if (call.constant) constants.set(output, call.constant);
		if (run === undefined) continue;
		Object.assign(params, call.params);
		for (const { data } of Object.values(call.params)) parameters += data.length;
		if (parameters > MAX_PARAMETERS) throw refuse(node, 'is one parameter too many for a face network');
		steps.push({ inputs: call.needed, output, run });
	}

	const result = shapes.get(graph.output);
	if (result?.length !== 2 || result[0] !== 1 || constants.has(graph.output)) {
		const found = result ? `[${result}]` : 'nothing';
		throw new RtilError('MISMATCH', `Expected a network that gives embeddings [1, D] but it gives ${found}`);
	}
	return {
		height,
		width,
		features: result[1]!,
		shapes: Object.fromEntries(Object.entries(params).map(([name, { shape }]) => [name, shape])),
		params,
		takesBytes: beginsWithNormalisation(graph),
		embed(state: TensorMap, image: tf.Tensor): tf.Tensor {
			const values = new Map([[graph.input.name, tf.transpose(image, [0, 3, 1, 2])]]); // [1, 3, H, W]
			const tensor = (from: OnnxSource): tf.Tensor =>
				'value' in from ? values.get(from.value)! : state[from.parameter]!;
			for (const { inputs, output, run } of steps) values.set(output, run(inputs.map(tensor)));
			return values.get(graph.output)!; // [1, D]
		},
	};
}

function isSide(side: number | null): side is number {
	return side !== null && side >= 1 && side <= MAX_SIDE;
}

/** Is a constant subtracted from the input before anything else? */
function beginsWithNormalisation({ nodes, input }: OnnxGraph): boolean {
	const followed = new Set([input.name]);
	for (const { operator, inputs, outputs } of nodes) {
		if (!inputs.some((name) => followed.has(name))) continue;
		if (operator !== 'Identity') return operator === 'Sub';
		followed.add(outputs[0]!);
	}
	return false;
}
