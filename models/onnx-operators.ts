// The ONNX operators of exported face networks (onnx.ai/onnx/operators), each planned from its node: the shape of what it
// makes, and how. A node whose attributes are not all understood is refused, so that none is computed half.
import * as tf from '@tensorflow/tfjs-core';
import { elements, type HostTensor, type HostTensors } from '../engine/index.ts';
import { RtilError, show } from '../errors/index.ts';
import type { OnnxNode } from './onnx.ts';
import { averagePool, convolution, largestPool } from './onnx-windows.ts';

export interface OnnxStep {
	shape: readonly number[];
	/** Makes the value from the tensors that the call asked for, in that order; absent: nothing runs. */
	run?: (inputs: tf.Tensor[]) => tf.Tensor;
}

export type OnnxOperator = (call: OnnxCall) => OnnxStep;

/** What is wrong with a node, in one line. */
export function refuse({ operator, name }: OnnxNode, why: string): RtilError {
	return new RtilError('MISMATCH', `The ONNX node ${name} (${operator}) is refused: it ${why}`);
}

/** What `run` takes: a value of the graph, or a parameter. */
export type OnnxSource = { value: string } | { parameter: string };

/** One node while it is planned: its inputs' shapes and constants, its attributes, and what it asked for. */
export class OnnxCall {
	readonly node: OnnxNode;
	/** What `run` takes, in the order in which it was asked for. */
	readonly needed: OnnxSource[] = [];
	/** The parameters among that. */
	readonly params: HostTensors = {};
	/** What the node makes, where that is known without running it. */
	constant: HostTensor | undefined;
	readonly #label: string;
	readonly #shapes: ReadonlyMap<string, readonly number[]>;
	readonly #constants: ReadonlyMap<string, HostTensor>;
	readonly #read = new Set<string>();

	/** @param label begins the names of the node's parameters */
	constructor(
		node: OnnxNode,
		label: string,
		shapes: ReadonlyMap<string, readonly number[]>,
		constants: ReadonlyMap<string, HostTensor>,
	) {
		this.node = node;
		this.#label = label;
		this.#shapes = shapes;
		this.#constants = constants;
	}

	refuse(why: string): RtilError {
		return refuse(this.node, why);
	}

	has(i: number): boolean {
		return (this.node.inputs[i] ?? '') !== '';
	}

	/** The shape of input `i`, which `run` takes as a tensor. */
	tensor(i: number): readonly number[] {
		const value = this.#name(i);
		const constant = this.#constants.get(value);
		if (constant) this.parameter(i, constant);
		else this.needed.push({ value });
		const shape = this.#shapes.get(value)!;
		if (elements(shape) === 0) throw this.refuse(`takes ${value}, which is empty`);
		return shape;
	}

	/** Input `i`, which must be known in advance; `run` does not take it. */
	known(i: number): HostTensor {
		const name = this.#name(i);
		const constant = this.#constants.get(name);
		if (!constant) throw this.refuse(`needs ${name} as an initialiser`);
		return constant;
	}

	/** Has `run` take a tensor that is made of known inputs, in place of input `i`. */
	parameter(i: number, tensor: HostTensor): void {
		const parameter = `${this.#label}.${i}`;
		this.needed.push({ parameter });
		this.params[parameter] = tensor;
	}

	#name(i: number): string {
		if (!this.has(i)) throw this.refuse(`lacks its input ${i + 1}`);
		return this.node.inputs[i]!;
	}

	/** A number; `fallback` where the node does not state it. */
	number(name: string, fallback: number): number {
		const value = this.#attribute(name) ?? fallback;
		if (typeof value !== 'number') throw this.refuse(`has no number for ${name}`);
		return value;
	}

	numbers(name: string): readonly number[] | undefined {
		const value = this.#attribute(name);
		if (value !== undefined && !Array.isArray(value)) throw this.refuse(`has no numbers for ${name}`);
		return value as readonly number[] | undefined;
	}

	/** An attribute that may have one value alone, which is also its default unless `required`. */
	only(name: string, value: number | string): void {
		const stated = this.#attribute(name) ?? value;
		if (stated !== value)
			throw this.refuse(`has ${name} ${show(stated)}, and only ${show(value)} is supported`);
	}

	/** Attributes without an effect here. */
	ignore(...names: string[]): void {
		for (const name of names) this.#read.add(name);
	}

	value(name: string): unknown {
		return this.#attribute(name);
	}

	#attribute(name: string): unknown {
		this.#read.add(name);
		return this.node.attributes.get(name);
	}

	/** Throws MISMATCH for an attribute that nobody asked for. */
	finish(): void {
		const unknown = [...this.node.attributes.keys()].find((name) => !this.#read.has(name));
		if (unknown !== undefined) throw this.refuse(`has the attribute ${unknown}, which is not supported`);
	}
}

/** Axis `axis` of `rank`, counted from the end where it is negative. */
function axisOf(call: OnnxCall, axis: number, rank: number): number {
	const counted = axis < 0 ? axis + rank : axis;
	if (!Number.isInteger(counted) || counted < 0 || counted >= rank)
		throw call.refuse(`has the axis ${axis} of a value of rank ${rank}`);
	return counted;
}

/** The shape that two broadcast to (NumPy's rule). */
function broadcast(call: OnnxCall, a: readonly number[], b: readonly number[]): number[] {
	const rank = Math.max(a.length, b.length);
	const side = (shape: readonly number[], i: number): number => shape[i - rank + shape.length] ?? 1;
	return Array.from({ length: rank }, (_, i) => {
		const [left, right] = [side(a, i), side(b, i)];
		if (left !== right && left !== 1 && right !== 1) throw call.refuse(`joins [${a}] and [${b}]`);
		return Math.max(left, right);
	});
}

const unary =
	(run: (x: tf.Tensor) => tf.Tensor, ...ignored: string[]): OnnxOperator =>
	(call) => {
		call.ignore(...ignored);
		return { shape: call.tensor(0), run: ([x]) => run(x!) };
	};

const binary =
	(run: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): OnnxOperator =>
	(call) => ({
		shape: broadcast(call, call.tensor(0), call.tensor(1)),
		run: ([a, b]) => run(a!, b!),
	});

/** x where it is above 0, else slope · x. */
function rectified(x: tf.Tensor, slope: tf.Tensor | number): tf.Tensor {
	return tf.sub(tf.relu(x), tf.mul(slope, tf.relu(tf.neg(x))));
}

const prelu: OnnxOperator = (call) => {
	const x = call.tensor(0);
	let slope = call.tensor(1);
	// Older exporters give a slope a channel without the axes behind it.
	if (slope.length === 1 && slope[0] === x[1] && slope[0] !== x.at(-1))
		slope = [slope[0]!, ...x.slice(2).fill(1)];
	if (`${broadcast(call, x, slope)}` !== `${x}`) throw call.refuse(`has slopes [${slope}] for [${x}]`);
	return { shape: x, run: ([value, slopes]) => rectified(value!, tf.reshape(slopes!, [...slope])) };
};

const batchNormalisation: OnnxOperator = (call) => {
	const x = call.tensor(0);
	call.ignore('momentum');
	call.only('spatial', 1);
	call.only('is_test', 1);
	call.only('training_mode', 0);
	const epsilon = call.number('epsilon', 1e-5);
	for (const i of [1, 2, 3, 4]) {
		const { shape } = call.known(i);
		if (`${shape}` !== `${x[1]}`) throw call.refuse(`has [${shape}] numbers for ${x[1]} channels`);
	}
	const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => call.known(i).data) as [
		Float32Array,
		Float32Array,
		Float32Array,
		Float32Array,
	];
	const scale = Float64Array.from(gamma, (value, c) => value / Math.sqrt(variance[c]! + epsilon));
	const shape = [x[1]!, ...x.slice(2).fill(1)];
	call.parameter(1, { shape, data: Float32Array.from(scale) });
	call.parameter(2, { shape, data: beta.map((value, c) => value - mean[c]! * scale[c]!) });
	return { shape: x, run: ([value, factor, offset]) => tf.add(tf.mul(value!, factor!), offset!) };
};

const flatten: OnnxOperator = (call) => {
	const x = call.tensor(0);
	const stated = call.number('axis', 1);
	const axis = stated === x.length ? stated : axisOf(call, stated, x.length);
	const shape = [elements(x.slice(0, axis)), elements(x.slice(axis))];
	return { shape, run: ([value]) => tf.reshape(value!, shape) };
};

const reshape: OnnxOperator = (call) => {
	const x = call.tensor(0);
	call.only('allowzero', 0);
	const wanted = [...call.known(1).data];
	const shape = wanted.map((side, i) => (side === 0 ? (x[i] ?? 0) : side));
	const open = shape.indexOf(-1);
	if (open >= 0) shape[open] = elements(x) / elements(shape.filter((_, i) => i !== open));
	if (shape.some((side) => !Number.isInteger(side) || side < 1) || elements(shape) !== elements(x))
		throw call.refuse(`makes [${x}] into [${wanted}]`);
	return { shape, run: ([value]) => tf.reshape(value!, shape) };
};

const transpose: OnnxOperator = (call) => {
	const x = call.tensor(0);
	const axes = [...(call.numbers('perm') ?? x.map((_, i) => x.length - 1 - i))];
	if (`${[...axes].sort((a, b) => a - b)}` !== `${x.map((_, i) => i)}`)
		throw call.refuse(`orders the axes of [${x}] as [${axes}]`);
	return { shape: axes.map((axis) => x[axis]!), run: ([value]) => tf.transpose(value!, axes) };
};

const gemm: OnnxOperator = (call) => {
	const [a, b] = [call.tensor(0), call.tensor(1)];
	const [alpha, beta] = [call.number('alpha', 1), call.number('beta', 1)];
	const [turnA, turnB] = [call.number('transA', 0) !== 0, call.number('transB', 0) !== 0];
	const shape = product(call, turnA ? [...a].reverse() : a, turnB ? [...b].reverse() : b);
	if (call.has(2) && `${broadcast(call, shape, call.tensor(2))}` !== `${shape}`)
		throw call.refuse(`adds a value to [${shape}] that is larger`);
	return {
		shape,
		run: ([x, y, added]) => {
			const result = tf.matMul(x!, y!, turnA, turnB);
			const scaled = alpha === 1 ? result : tf.mul(result, alpha);
			return added ? tf.add(scaled, beta === 1 ? added : tf.mul(added, beta)) : scaled;
		},
	};
};

function product(call: OnnxCall, a: readonly number[], b: readonly number[]): number[] {
	if (a.length !== 2 || b.length !== 2 || a[1] !== b[0]) throw call.refuse(`multiplies [${a}] by [${b}]`);
	return [a[0]!, b[1]!];
}

/** A reduction over axes, stated as an attribute or, later, as an input; all of them where neither is there. */
const reduction =
	(run: (x: tf.Tensor, axes: number[]) => tf.Tensor): OnnxOperator =>
	(call) => {
		const x = call.tensor(0);
		call.only('noop_with_empty_axes', 0);
		const keep = call.number('keepdims', 1) !== 0;
		const stated = call.numbers('axes') ?? (call.has(1) ? [...call.known(1).data] : []);
		const axes = stated.length > 0 ? stated.map((axis) => axisOf(call, axis, x.length)) : x.map((_, i) => i);
		const kept = x.map((side, i) => (axes.includes(i) ? 1 : side));
		const shape = keep ? kept : x.filter((_, i) => !axes.includes(i));
		return { shape, run: ([value]) => tf.reshape(run(value!, axes), shape) };
	};

const euclidean = (x: tf.Tensor, axes: number[]): tf.Tensor => tf.sqrt(tf.sum(tf.square(x), axes, true));

const unitLength: OnnxOperator = (call) => {
	const x = call.tensor(0);
	call.only('p', 2);
	const axis = axisOf(call, call.number('axis', -1), x.length);
	return { shape: x, run: ([value]) => tf.div(value!, euclidean(value!, [axis])) };
};

const constant: OnnxOperator = (call) => {
	const tensor = call.value('value');
	const single = call.value('value_float') ?? call.value('value_int');
	const several = call.value('value_floats') ?? call.value('value_ints');
	if (typeof tensor === 'object') call.constant = tensor as HostTensor;
	else if (typeof single === 'number') call.constant = { shape: [], data: Float32Array.of(single) };
	else if (Array.isArray(several))
		call.constant = { shape: [several.length], data: Float32Array.from(several as number[]) };
	else throw call.refuse('holds no numbers');
	return { shape: call.constant.shape };
};

const identity: OnnxOperator = (call) => {
	// The second input of Dropout is its share, the third says that it is training.
	if (call.has(2) && call.known(2).data.some((value) => value !== 0)) throw call.refuse('is training');
	call.ignore('ratio', 'seed', 'is_test');
	return { shape: call.tensor(0), run: ([x]) => x! };
};

/** By their names there. */
export const operators: Readonly<Record<string, OnnxOperator>> = Object.assign(Object.create(null), {
	Conv: convolution,
	BatchNormalization: batchNormalisation,
	PRelu: prelu,
	Relu: unary(tf.relu),
	LeakyRelu: (call) => {
		const alpha = call.number('alpha', 0.01);
		return { shape: call.tensor(0), run: ([x]) => rectified(x!, alpha) };
	},
	Sigmoid: unary(tf.sigmoid),
	Sqrt: unary(tf.sqrt),
	Add: binary(tf.add),
	Sub: binary(tf.sub),
	Mul: binary(tf.mul),
	Div: binary(tf.div),
	Pow: binary(tf.pow),
	MaxPool: largestPool,
	AveragePool: averagePool,
	GlobalAveragePool: (call) => {
		const x = call.tensor(0);
		const axes = x.map((_, i) => i).slice(2);
		return { shape: x.map((side, i) => (i < 2 ? side : 1)), run: ([value]) => tf.mean(value!, axes, true) };
	},
	Flatten: flatten,
	Reshape: reshape,
	Transpose: transpose,
	Gemm: gemm,
	MatMul: (call) => ({
		shape: product(call, call.tensor(0), call.tensor(1)),
		run: ([a, b]) => tf.matMul(a!, b!),
	}),
	ReduceMean: reduction((x, axes) => tf.mean(x, axes)),
	ReduceSum: reduction((x, axes) => tf.sum(x, axes)),
	ReduceL2: reduction(euclidean),
	LpNormalization: unitLength,
	Constant: constant,
	Identity: identity,
	Dropout: identity,
} satisfies Record<string, OnnxOperator>);
