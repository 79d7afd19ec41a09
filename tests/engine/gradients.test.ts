// Every operation's gradient against central differences, first and second order. Sums are taken in double precision on
// the host, so what is left of the float32 rounding is that of single elements.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import {
	biasLeakyRelu,
	blurForStride2,
	circularConvolve,
	conv2d,
	conv2dTranspose,
	downsample2,
	firKernel,
	leakyRelu,
	minibatchStddev,
	modulatedConv2d,
	openEngine,
	pixelNorm,
	stream,
	upfirdn2d,
	upsample2,
	vectorJacobian,
} from '../../engine/index.ts';

await openEngine();

type F = (...inputs: tf.Tensor[]) => tf.Tensor;

const source = stream(11, 'gradients');
let draws = 0;

/** Normals moved away from 0, where several operations have a kink; `positive` are in (0.2, …). */
function draw(shape: number[], positive = false): tf.Tensor {
	const values = source.normals(draws++, tf.util.sizeFromShape(shape));
	return tf.tensor(
		values.map((value) => (positive ? 0.3 + Math.abs(value) : Math.sign(value) * (0.1 + Math.abs(value)))),
		shape,
	);
}

/** Σ c·y in double precision. */
function weighted(y: tf.Tensor, cotangent: Float32Array): number {
	return (y.dataSync() as Float32Array).reduce((sum, value, i) => sum + value * cotangent[i]!, 0);
}

/** The largest relative error of the gradient along random directions, one input after the other. */
function slopeError(f: F, inputs: tf.Tensor[], step: number): number {
	return tf.tidy(() => {
		const y = f(...inputs);
		const cotangent = source.normals(draws++, y.size);
		const gradients = vectorJacobian(() => f(...inputs), inputs, tf.tensor(cotangent, y.shape));
		let worst = 0;
		inputs.forEach((input, which) => {
			const direction = tf.tensor(source.normals(draws++, input.size), input.shape);
			const at = (t: number): number => {
				const moved = [...inputs];
				moved[which] = tf.add(input, tf.mul(direction, t));
				return weighted(f(...moved), cotangent);
			};
			const difference = (at(step) - at(-step)) / (2 * step);
			const gradient = gradients[which]!;
			const slope = weighted(gradient, direction.dataSync() as Float32Array);
			// Against what the terms of the sum amount to: the sum itself may nearly vanish.
			const scale = Math.sqrt(tf.sum(tf.square(tf.mul(gradient, direction))).dataSync()[0]!);
			worst = Math.max(worst, Math.abs(slope - difference) / Math.max(scale, 2e-2));
		});
		return worst;
	});
}

/** All gradients of Σ c·f as one vector: a function whose own gradient is the second order. */
function gradientOf(f: F, size: number): F {
	const cotangent = tf.tensor1d(source.normals(draws++, size));
	return (...inputs) => {
		const y = (): tf.Tensor => tf.reshape(f(...inputs), [-1]);
		return tf.concat(vectorJacobian(y, inputs, cotangent).map((gradient) => tf.reshape(gradient, [-1])));
	};
}

interface Case {
	name: string;
	f: F;
	shapes: number[][];
	positive?: boolean;
	/** 1 where the function is linear in each piece, or its kernel has no second gradient. Default 2. */
	order?: 1 | 2;
	step?: number;
}

const same = [2, 3, 4];
const pointwise: [string, (x: tf.Tensor) => tf.Tensor, boolean?][] = [
	['exp', tf.exp],
	['sigmoid', tf.sigmoid],
	['tanh', tf.tanh],
	['softplus', tf.softplus],
	['elu', tf.elu],
	['relu', tf.relu],
	['abs', tf.abs],
	['square', tf.square],
	['sqrt', tf.sqrt, true],
	['rsqrt', tf.rsqrt, true],
	['log', tf.log, true],
	['reciprocal', tf.reciprocal, true],
	['x·sigmoid(x)', (x) => tf.mul(x, tf.sigmoid(x))],
	['√exp(x)', (x) => tf.sqrt(tf.exp(x))],
	['tanh of tanh', (x) => tf.tanh(tf.mul(2, tf.tanh(x)))],
	['softmax', (x) => tf.softmax(x)],
	['softmax times x', (x) => tf.mul(x, tf.softmax(x))],
	['x³', (x) => tf.pow(x, 3)],
	['where(x > 0, x², x³)', (x) => tf.where(tf.greater(x, 0), tf.square(x), tf.pow(x, 3))],
	[
		'where(x ≤ 0 and not x < −1, …)',
		(x) => {
			const condition = tf.logicalAnd(tf.lessEqual(x, 0), tf.logicalNot(tf.less(x, -1)));
			return tf.where(condition, tf.square(x), tf.exp(x));
		},
	],
	['leaky ReLU times x', (x) => tf.mul(x, leakyRelu(x))],
	['leaky ReLU of slope 0.5', (x) => leakyRelu(x, 0.5)],
	['pixel norm', (x) => pixelNorm(x)],
	['sum over some axes', (x) => tf.square(tf.sum(x, [0, 2]))],
	['sum, axes kept', (x) => tf.square(tf.sum(x, [1], true))],
	['sum of all', (x) => tf.square(tf.sum(x))],
	['mean over some axes', (x) => tf.square(tf.mean(x, [1, -1]))],
	['mean, axes kept', (x) => tf.mul(x, tf.mean(x, 1, true))],
	['cumulative sum over the first axis', (x) => tf.square(tf.cumsum(x, 0))],
	['cumulative sum, exclusive and backwards', (x) => tf.square(tf.cumsum(x, 1, true, true))],
];

const broadcasts: [number[], number[]][] = [
	[
		[3, 4],
		[3, 4],
	],
	[[3, 4], [4]],
	[[4], [3, 4]],
	[
		[3, 1],
		[1, 4],
	],
	[
		[2, 3, 4],
		[3, 1],
	],
	[
		[2, 1, 4],
		[3, 1],
	],
	[[3, 4], []],
	[[], [3, 4]],
];
const binary: [string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, boolean?][] = [
	['add', (a, b) => tf.square(tf.add(a, b))],
	['sub', (a, b) => tf.square(tf.sub(a, b))],
	['mul', (a, b) => tf.square(tf.mul(a, b))],
	['div', (a, b) => tf.square(tf.div(a, b)), true],
	['pow', (a, b) => tf.pow(a, b), true],
	['maximum', (a, b) => tf.square(tf.maximum(a, b))],
	['minimum', (a, b) => tf.square(tf.minimum(a, b))],
	['squared difference', (a, b) => tf.squaredDifference(a, b)],
];

const maps: Case[] = [
	{
		name: 'conv2d, 3×3 same',
		f: (x, w) => conv2d(x!, w!),
		shapes: [
			[2, 5, 4, 2],
			[3, 3, 2, 3],
		],
	},
	{
		name: 'conv2d, 3×3 valid',
		f: (x, w) => conv2d(x!, w!, 1, 'valid'),
		shapes: [
			[2, 5, 4, 2],
			[3, 3, 2, 3],
		],
	},
	{
		name: 'conv2d, 1×1',
		f: (x, w) => conv2d(x!, w!),
		shapes: [
			[2, 3, 3, 2],
			[1, 1, 2, 3],
		],
	},
	{
		name: 'conv2d, 3×3 stride 2',
		f: (x, w) => conv2d(x!, w!, 2),
		shapes: [
			[1, 7, 7, 2],
			[3, 3, 2, 2],
		],
	},
	{
		name: 'conv2d, 3×3 stride 2 with a rest',
		f: (x, w) => conv2d(x!, w!, 2),
		shapes: [
			[1, 8, 6, 2],
			[3, 3, 2, 2],
		],
	},
	{
		name: 'conv2d, 4×4 valid',
		f: (x, w) => conv2d(x!, w!, 1, 'valid'),
		shapes: [
			[2, 4, 4, 2],
			[4, 4, 2, 3],
		],
	},
	{
		name: 'transposed conv2d, stride 2',
		f: (y, w) => conv2dTranspose(y!, w!, [1, 7, 7, 2], 2, 'valid'),
		shapes: [
			[1, 3, 3, 3],
			[3, 3, 2, 3],
		],
	},
	{
		name: 'transposed conv2d, stride 1 valid',
		f: (y, w) => conv2dTranspose(y!, w!, [1, 5, 5, 2], 1, 'valid'),
		shapes: [
			[1, 3, 3, 3],
			[3, 3, 2, 3],
		],
	},
	{
		name: 'transposed conv2d, stride 1 same',
		f: (y, w) => conv2dTranspose(y!, w!, [1, 4, 4, 2], 1, 'same'),
		shapes: [
			[1, 4, 4, 3],
			[3, 3, 2, 3],
		],
	},
	...(['plain', 'up', 'down'] as const).flatMap((resample) =>
		[true, false].map((demodulate) => ({
			name: `modulated convolution, ${resample}, ${demodulate ? 'demodulated' : 'not demodulated'}`,
			f: ((x, w, s) => modulatedConv2d(x!, w!, s!, { resample, demodulate, gain: 0.3 })) as F,
			shapes: [
				[2, 4, 4, 2],
				[3, 3, 2, 3],
				[2, 2],
			],
		})),
	),
	{
		name: 'bias, leaky ReLU, times x',
		f: (x, b) => tf.mul(x!, biasLeakyRelu(x!, tf.mul(b!, 0.04))),
		shapes: [[2, 3, 3, 2], [2]],
	},
	{ name: 'minibatch deviation', f: (x) => minibatchStddev(x!), shapes: [[8, 2, 2, 3]] },
	{ name: 'minibatch deviation of a small batch', f: (x) => minibatchStddev(x!), shapes: [[2, 2, 2, 3]] },
];

const twoByThree = { height: 2, width: 3, taps: Float32Array.of(1, -2, 0.5, 3, 0.25, -1) };
const linear: [string, (x: tf.Tensor) => tf.Tensor, number[]][] = [
	['upsample2', (x) => upsample2(x), [2, 3, 4, 2]],
	['downsample2', (x) => downsample2(x), [2, 6, 4, 2]],
	['blur before stride 2', (x) => blurForStride2(x, 3), [1, 4, 5, 2]],
	[
		'upfirdn2d, up 2',
		(x) => upfirdn2d(x, firKernel([1, 3, 3, 1]), { up: 2, pad: [2, 1, 2, 1] }),
		[1, 3, 4, 2],
	],
	[
		'upfirdn2d, up 3 × 2, down 2 × 1',
		(x) => upfirdn2d(x, twoByThree, { up: [3, 2], down: [2, 1] }),
		[1, 3, 4, 2],
	],
	['upfirdn2d, down 3', (x) => upfirdn2d(x, twoByThree, { down: 3, pad: [0, 1, 2, 0] }), [1, 8, 7, 2]],
	['upfirdn2d, negative padding', (x) => upfirdn2d(x, twoByThree, { pad: [-1, 2, 1, -2] }), [1, 6, 7, 2]],
	['circular convolution', (x) => circularConvolve(x, tf.tensor1d([1, -2, 3, 0.5, 0, 1])), [3, 6]],
	['circular convolution of odd length', (x) => circularConvolve(x, tf.tensor1d([1, -2, 3, 0.5, 2])), [3, 5]],
];

const cases: Case[] = [
	...pointwise.map(([name, f, positive]) => ({
		name,
		f: ((x) => f(x!)) as F,
		shapes: [same],
		...(positive ? { positive } : {}),
	})),
	...binary.flatMap(([name, f, positive]) =>
		broadcasts.map(([a, b]) => ({
			name: `${name} of [${a}] and [${b}]`,
			f: ((x, y) => f(x!, y!)) as F,
			shapes: [a, b],
			...(positive ? { positive } : {}),
		})),
	),
	{
		name: 'matrix product',
		f: (a, b) => tf.matMul(a!, b!),
		shapes: [
			[3, 4],
			[4, 2],
		],
	},
	{
		name: 'matrix product of batches',
		f: (a, b) => tf.matMul(a!, b!, true, true),
		shapes: [
			[2, 4, 3],
			[2, 5, 4],
		],
	},
	...maps,
	...linear.map(([name, f, shape]) => ({ name, f: ((x) => f(x!)) as F, shapes: [shape] })),
];

test('first derivatives equal differences', (t) => {
	for (const { name, f, shapes, positive, step = 2e-3 } of cases) {
		const inputs = shapes.map((shape) => draw(shape, positive));
		const error = slopeError(f, inputs, step);
		t.true(error < 5e-3, `${name}: ${error}`);
		tf.dispose(inputs);
	}
});

test('second derivatives equal differences of the first', (t) => {
	for (const { name, f, shapes, positive, step = 2e-3 } of cases) {
		const inputs = shapes.map((shape) => draw(shape, positive));
		// With its square, so that what is linear has a second derivative too.
		const curved: F = (...xs) => tf.add(f(...xs), tf.square(f(...xs)));
		const size = tf.tidy(() => f(...inputs).size);
		const error = slopeError(gradientOf(curved, size), inputs, step);
		t.true(error < 2e-2, `${name}: ${error}`);
		tf.dispose(inputs);
	}
});

test('a linear map and its transpose are adjoint: ⟨A x, y⟩ = ⟨x, Aᵀ y⟩', (t) => {
	for (const [name, f, shape] of linear) {
		const x = draw(shape);
		const y = f(x);
		const cotangent = draw(y.shape);
		const [back] = vectorJacobian(() => f(x), [x], cotangent);
		const left = weighted(y, cotangent.dataSync() as Float32Array);
		const right = weighted(back!, x.dataSync() as Float32Array);
		const size = Math.sqrt(weighted(y, y.dataSync() as Float32Array) * cotangent.size);
		t.true(Math.abs(left - right) < 2e-6 * Math.max(1, size), name);
	}
});

test('a tensor that a function does not depend on gets zeros', (t) => {
	const [x, other] = [draw([3]), draw([2, 2])];
	const [, gradient] = vectorJacobian(() => tf.square(x), [x, other]);
	t.deepEqual(
		[gradient!.shape, [...gradient!.dataSync()]],
		[
			[2, 2],
			[0, 0, 0, 0],
		],
	);
});

test('what tfjs differentiates wrongly is refused', (t) => {
	const x = draw([1, 3, 3, 1]) as tf.Tensor4D;
	const pad = (): tf.Tensor =>
		tf.mirrorPad(
			x,
			[
				[0, 0],
				[1, 1],
				[1, 1],
				[0, 0],
			],
			'reflect',
		);
	t.throws(() => vectorJacobian(pad, [x]), { message: /MirrorPad is wrong/ });
	const resize = (): tf.Tensor => tf.image.resizeBilinear(x, [6, 6], false, true);
	t.throws(() => vectorJacobian(resize, [x]), { message: /ResizeBilinear is wrong/ });
});
