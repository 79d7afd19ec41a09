// ONNX operators against their definitions, by plain loops in float64: an image [1, 3, 4, 5] through a few nodes to [1, D].
import test from 'ava';
import { type HostTensor, openEngine, stream } from '../../engine/index.ts';
import { type OnnxAttribute, type OnnxGraph, type OnnxNode, onnxNetwork } from '../../models/index.ts';

const engine = await openEngine();
const [C, H, W] = [3, 4, 5] as const;

type Value = (channel: number, row: number, column: number) => number;

const drawn = (name: string, n: number): Float32Array => stream(5, name).normals(0, n);
const pixels = drawn('image', C * H * W);
const image: Value = (c, y, x) => pixels[(c * H + y) * W + x]!;
const tensor = (shape: number[], data: ArrayLike<number>): HostTensor => ({
	shape,
	data: Float32Array.from(data),
});
const values = (value: Value, [c, h, w]: readonly [number, number, number] = [C, H, W]): number[] =>
	Array.from({ length: c * h * w }, (_, i) => value(Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w));

function node(
	operator: string,
	inputs: string[],
	output: string,
	attributes: Record<string, OnnxAttribute> = {},
): OnnxNode {
	return {
		name: output,
		operator,
		inputs,
		outputs: [output],
		attributes: new Map(Object.entries(attributes)),
	};
}

function graph(nodes: OnnxNode[], constants: Record<string, HostTensor> = {}): OnnxGraph {
	return {
		nodes,
		constants: new Map(Object.entries(constants)),
		input: { name: 'x', shape: [1, C, H, W] },
		output: 'out',
	};
}

/** What a graph makes of the image. */
function run(given: OnnxGraph): number[] {
	const network = onnxNetwork(given);
	const program = engine.compile({
		name: 'onnx',
		state: network.params,
		functions: {
			embed: {
				inputs: { image: [1, H, W, C] },
				run: (params, inputs) => ({ outputs: { out: network.embed(params, inputs.image!) } }),
			},
		},
	});
	const nhwc = Float32Array.from({ length: pixels.length }, (_, i) =>
		image(i % C, Math.floor(i / (C * W)), Math.floor(i / C) % W),
	);
	const { data, shape } = program.call('embed', { image: nhwc }).out!;
	program.dispose();
	if (`${shape}` !== `1,${network.features}`) throw new Error(`[${shape}] is not what was planned`);
	return [...data];
}

interface Window {
	kernel: [number, number];
	stride: [number, number];
	/** Top, left, bottom, right. */
	pads: [number, number, number, number];
}

/** Folds the values inside each window of each channel. */
function windows({ kernel, stride, pads }: Window, fold: (inside: number[], of: number) => number): number[] {
	const rows = Math.floor((H + pads[0] + pads[2] - kernel[0]) / stride[0]) + 1;
	const columns = Math.floor((W + pads[1] + pads[3] - kernel[1]) / stride[1]) + 1;
	return values(
		(c, row, column) => {
			const inside: number[] = [];
			for (let i = 0; i < kernel[0]; i++)
				for (let j = 0; j < kernel[1]; j++) {
					const [y, x] = [row * stride[0] - pads[0] + i, column * stride[1] - pads[1] + j];
					if (y >= 0 && x >= 0 && y < H && x < W) inside.push(image(c, y, x));
				}
			return fold(inside, kernel[0] * kernel[1]);
		},
		[C, rows, columns],
	);
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const pool: Window = { kernel: [3, 2], stride: [2, 1], pads: [1, 0, 1, 1] };
const pooled = { kernel_shape: pool.kernel, strides: pool.stride, pads: pool.pads };
const flatten = node('Flatten', ['y'], 'out');
const perChannel = [0.5, -2, 3];
const apart = drawn('filter', 6 * 2 * 3);
const matrix = drawn('matrix', C * 4);

const cases: [title: string, given: OnnxGraph, wanted: number[]][] = [
	[
		'MaxPool with pads never takes what lies outside',
		graph([node('MaxPool', ['x'], 'y', pooled), flatten]),
		windows(pool, (inside) => Math.max(...inside)),
	],
	[
		'AveragePool leaves out what lies outside',
		graph([node('AveragePool', ['x'], 'y', pooled), flatten]),
		windows(pool, (inside) => sum(inside) / inside.length),
	],
	[
		'AveragePool counts it when told to',
		graph([node('AveragePool', ['x'], 'y', { ...pooled, count_include_pad: 1 }), flatten]),
		windows(pool, (inside, of) => sum(inside) / of),
	],
	[
		'Conv of one group a channel, with a bias, a stride and uneven pads',
		graph(
			[
				node('Conv', ['x', 'filter', 'bias'], 'y', { group: 3, strides: [2, 2], pads: [0, 1, 1, 2] }),
				flatten,
			],
			{ filter: tensor([6, 1, 2, 3], apart), bias: tensor([6], [1, 2, 3, 4, 5, 6]) },
		),
		values(
			(o, row, column) => {
				let total = o + 1;
				for (let i = 0; i < 2; i++)
					for (let j = 0; j < 3; j++) {
						const [y, x] = [2 * row + i, 2 * column - 1 + j];
						if (x < 0 || y >= H || x >= W) continue;
						total += apart[(o * 2 + i) * 3 + j]! * image(Math.floor(o / 2), y, x);
					}
				return total;
			},
			[6, 2, 3],
		),
	],
	[
		'BatchNormalization',
		graph([node('BatchNormalization', ['x', 'g', 'b', 'm', 'v'], 'y', { epsilon: 0.1 }), flatten], {
			g: tensor([3], perChannel),
			b: tensor([3], [1, 2, 3]),
			m: tensor([3], [0.3, 0.2, 0.1]),
			v: tensor([3], [1, 2, 0.5]),
		}),
		values(
			(c, y, x) =>
				((image(c, y, x) - [0.3, 0.2, 0.1][c]!) / Math.sqrt([1, 2, 0.5][c]! + 0.1)) * perChannel[c]! + c + 1,
		),
	],
	[
		'PRelu with a slope a channel, LeakyRelu and Relu',
		graph(
			[
				node('PRelu', ['x', 'slope'], 'a'),
				node('LeakyRelu', ['a'], 'b', { alpha: 0.1 }),
				node('Relu', ['x'], 'c'),
				node('Add', ['b', 'c'], 'y'),
				flatten,
			],
			{ slope: tensor([3], [0.5, 0.25, 2]) },
		),
		values((c, y, x) => {
			const value = image(c, y, x);
			return value > 0 ? 2 * value : 0.1 * [0.5, 0.25, 2][c]! * value;
		}),
	],
	[
		'arithmetic broadcasts from the last axis',
		graph(
			[
				node('Sub', ['x', 'column'], 'a'),
				node('Mul', ['channel', 'a'], 'b'),
				node('Div', ['b', 'two'], 'c'),
				node('Pow', ['c', 'two'], 'd'),
				node('Sqrt', ['d'], 'e'),
				node('Sigmoid', ['e'], 'y'),
				flatten,
			],
			{
				column: tensor([5], [1, 2, 3, 4, 5]),
				channel: tensor([1, 3, 1, 1], perChannel),
				two: tensor([], [2]),
			},
		),
		values((c, y, x) => 1 / (1 + Math.exp(-Math.abs((perChannel[c]! * (image(c, y, x) - x - 1)) / 2)))),
	],
	[
		'Transpose, and Reshape to a constant of the graph',
		graph([
			node('Transpose', ['x'], 'y', { perm: [0, 2, 3, 1] }),
			node('Constant', [], 'shape', { value: tensor([2], [0, -1]) }),
			node('Reshape', ['y', 'shape'], 'out'),
		]),
		Array.from({ length: C * H * W }, (_, i) => image(i % C, Math.floor(i / (C * W)), Math.floor(i / C) % W)),
	],
	[
		'GlobalAveragePool, MatMul and Gemm',
		graph(
			[
				node('GlobalAveragePool', ['x'], 'a'),
				node('Identity', ['a'], 'b'),
				node('Flatten', ['b'], 'c'),
				node('MatMul', ['c', 'matrix'], 'd'),
				node('Gemm', ['c', 'turned', 'd'], 'out', { alpha: 2, beta: 0.5, transB: 1 }),
			],
			{
				matrix: tensor([3, 4], matrix),
				turned: tensor(
					[4, 3],
					Array.from({ length: 12 }, (_, i) => matrix[(i % 3) * 4 + Math.floor(i / 3)]!),
				),
			},
		),
		[0, 1, 2, 3].map((o) =>
			sum(
				[0, 1, 2].map(
					(c) => (2.5 * matrix[c * 4 + o]! * sum(values((_, y, x) => image(c, y, x), [1, H, W]))) / 20,
				),
			),
		),
	],
	[
		'ReduceMean over stated axes, and lengths by ReduceL2',
		graph([
			node('ReduceMean', ['x'], 'a', { axes: [-1, 2], keepdims: 0 }),
			node('ReduceL2', ['a'], 'b', { axes: [1] }),
			node('Div', ['a', 'b'], 'out'),
		]),
		(() => {
			const means = [0, 1, 2].map((c) => sum(values((_, y, x) => image(c, y, x), [1, H, W])) / 20);
			return means.map((mean) => mean / Math.hypot(...means));
		})(),
	],
	[
		'ReduceSum over axes that are an input, and LpNormalization',
		graph(
			[
				node('ReduceSum', ['x', 'axes'], 'a', { keepdims: 0 }),
				node('LpNormalization', ['a'], 'out', { p: 2 }),
			],
			{ axes: tensor([2], [2, 3]) },
		),
		(() => {
			const sums = [0, 1, 2].map((c) => sum(values((_, y, x) => image(c, y, x), [1, H, W])));
			return sums.map((value) => value / Math.hypot(...sums));
		})(),
	],
];

for (const [title, given, wanted] of cases) {
	test.serial(title, (t) => {
		const found = run(given);
		t.is(found.length, wanted.length);
		const worst = Math.max(...found.map((value, i) => Math.abs(value - wanted[i]!)));
		t.true(worst < 1e-5, `${worst}`);
	});
}

const seven = tensor([7], [1, 2, 3, 4, 5, 6, 7]);
const refused: [title: string, given: OnnxGraph, message: RegExp][] = [
	[
		'an operator that is not known',
		graph([node('If', ['x'], 'out')]),
		/operator If \(node out\) is not supported/,
	],
	[
		'a name of Object',
		graph([node('constructor', ['x'], 'out')]),
		/operator constructor .* is not supported/,
	],
	['an input from nowhere', graph([node('Relu', ['w'], 'out')]), /needs w, which is neither/],
	['a value made twice', graph([node('Relu', ['x'], 'x')]), /does not name a new value/],
	[
		'an attribute that is not known',
		graph([node('Relu', ['x'], 'y', { wild: 1 }), flatten]),
		/attribute wild/,
	],
	[
		'a dilation',
		graph([node('MaxPool', ['x'], 'y', { kernel_shape: [2, 2], dilations: [2, 2] }), flatten]),
		/dilated/,
	],
	[
		'automatic pads',
		graph([node('MaxPool', ['x'], 'y', { kernel_shape: [2, 2], auto_pad: 'SAME_UPPER' })]),
		/auto_pad/,
	],
	[
		'pads as wide as the window',
		graph([node('MaxPool', ['x'], 'y', { kernel_shape: [2, 2], pads: [2, 0, 0, 0] })]),
		/pads/,
	],
	[
		'a window that does not fit',
		graph([node('MaxPool', ['x'], 'y', { kernel_shape: [9, 9] })]),
		/impossible size/,
	],
	[
		'shapes that do not join',
		graph([node('Add', ['x', 'seven'], 'out')], { seven }),
		/joins \[1,3,4,5\] and \[7\]/,
	],
	['a filter that is no initialiser', graph([node('Conv', ['x', 'x'], 'out')]), /needs x as an initialiser/],
	[
		'a value beyond any network',
		graph([node('Reshape', ['x', 'seven'], 'out')], { seven: tensor([3], [9e9, 9e9, 1]) }),
		/makes \[1,3,4,5\] into/,
	],
	[
		'an output that is no embedding',
		graph([node('Relu', ['x'], 'out')]),
		/gives embeddings \[1, D\] but it gives \[1,3,4,5\]/,
	],
	['an output that nothing makes', graph([node('Relu', ['x'], 'y')]), /it gives nothing/],
	[
		'an input of unknown size',
		{ ...graph([flatten]), input: { name: 'x', shape: [1, 3, null, 5] } },
		/its input is \[1, 3, \?, 5\]/,
	],
	[
		'an input of huge size',
		{ ...graph([flatten]), input: { name: 'x', shape: [1, 3, 1e9, 5] } },
		/its input is/,
	],
];

for (const [title, given, message] of refused) {
	test(`${title} is refused before any work`, (t) => {
		const error = t.throws(() => onnxNetwork(given), { code: 'MISMATCH', message });
		t.notRegex(error!.message, /\n/);
	});
}
