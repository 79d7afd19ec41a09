// The kernels that the wasm engine adds or replaces, against plain loops, and their gradients against differences.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { stream } from '../../engine/random.ts';
import { openWasm } from '../../engine/wasm.ts';

const listenersBefore = process.listeners('uncaughtException').length;

test.before(async () => {
	await openWasm({ threads: 2 });
});

const draws = stream(7, 'wasm kernels');
let drawn = 0;
const random = (...shape: number[]): tf.Tensor =>
	tf.tensor(draws.normals(drawn++, tf.util.sizeFromShape(shape)), shape);

const run = (kernel: string, inputs: tf.NamedTensorMap, attrs: object): tf.Tensor =>
	tf.engine().runKernel(kernel, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;

function difference(actual: tf.Tensor, expected: ArrayLike<number>): number {
	const values = actual.dataSync();
	return Array.from(expected).reduce((worst, value, i) => Math.max(worst, Math.abs(value - values[i]!)), 0);
}

interface Case {
	name: string;
	input: [number, number, number, number];
	kernel: [number, number];
	out: number;
	stride: number;
	pad: 'valid' | 'same' | [[number, number], [number, number], [number, number], [number, number]];
}

const cases: Case[] = [
	{ name: '3×3 same', input: [2, 7, 5, 3], kernel: [3, 3], out: 4, stride: 1, pad: 'same' },
	{ name: '3×3 valid', input: [2, 6, 8, 3], kernel: [3, 3], out: 2, stride: 1, pad: 'valid' },
	{ name: '1×1', input: [2, 5, 5, 6], kernel: [1, 1], out: 3, stride: 1, pad: 'valid' },
	{
		name: '3×3 stride 2 valid, a rest at the edge',
		input: [1, 8, 9, 2],
		kernel: [3, 3],
		out: 3,
		stride: 2,
		pad: 'valid',
	},
	{ name: '3×3 stride 2 same', input: [2, 8, 7, 2], kernel: [3, 3], out: 3, stride: 2, pad: 'same' },
	{ name: '1×1 stride 2', input: [1, 7, 8, 2], kernel: [1, 1], out: 3, stride: 2, pad: 'valid' },
	{ name: '4×2 stride 3', input: [1, 11, 10, 2], kernel: [4, 2], out: 2, stride: 3, pad: 'valid' },
	{
		name: 'explicit padding, wider than the kernel',
		input: [1, 5, 6, 2],
		kernel: [3, 3],
		out: 2,
		stride: 1,
		pad: [
			[0, 0],
			[4, 1],
			[0, 3],
			[0, 0],
		],
	},
];

/** ⟨conv(x, w), dy⟩ differentiated by hand: calls `visit(x index, w index, dy index)` for each product in the sum. */
function eachProduct(
	c: Case,
	out: tf.backend_util.Conv2DInfo,
	visit: (x: number, w: number, y: number) => void,
): void {
	const [n, h, w, channels] = c.input;
	const [kh, kw] = c.kernel;
	const { outHeight, outWidth, padInfo } = out;
	for (let b = 0; b < n; b++)
		for (let oy = 0; oy < outHeight; oy++)
			for (let ox = 0; ox < outWidth; ox++)
				for (let i = 0; i < kh; i++)
					for (let j = 0; j < kw; j++) {
						const y = oy * c.stride + i - padInfo.top;
						const x = ox * c.stride + j - padInfo.left;
						if (y < 0 || y >= h || x < 0 || x >= w) continue;
						for (let ci = 0; ci < channels; ci++)
							for (let co = 0; co < c.out; co++)
								visit(
									((b * h + y) * w + x) * channels + ci,
									((i * kw + j) * channels + ci) * c.out + co,
									((b * outHeight + oy) * outWidth + ox) * c.out + co,
								);
					}
}

for (const c of cases) {
	test(`Conv2D's two adjoints equal plain loops: ${c.name}`, (t) => {
		const filterShape: [number, number, number, number] = [...c.kernel, c.input[3], c.out];
		const info = tf.backend_util.computeConv2DInfo(c.input, filterShape, c.stride, 1, c.pad as 'same');
		const x = random(...c.input);
		const filter = random(...filterShape);
		const dy = random(...info.outShape);
		const [xs, ws, ys] = [x, filter, dy].map((tensor) => tensor.dataSync());
		const dx = new Float64Array(x.size);
		const dw = new Float64Array(filter.size);
		eachProduct(c, info, (ix, iw, iy) => {
			dx[ix]! += ws![iw]! * ys![iy]!;
			dw[iw]! += xs![ix]! * ys![iy]!;
		});
		const attrs = { strides: [c.stride, c.stride], pad: c.pad, dataFormat: 'NHWC' };
		const before = tf.memory().numTensors;
		const actualDx = run('Conv2DBackpropInput', { dy, filter }, { ...attrs, inputShape: c.input });
		const actualDw = run('Conv2DBackpropFilter', { x, dy }, { ...attrs, filterShape });
		t.is(tf.memory().numTensors, before + 2, 'nothing but the results stays');
		t.deepEqual(actualDx.shape, c.input);
		t.deepEqual(actualDw.shape, filterShape);
		t.true(difference(actualDx, dx) < 2e-5);
		t.true(difference(actualDw, dw) < 5e-5);
	});
}

const products: { name: string; a: number[]; b: number[]; transposeA?: boolean; transposeB?: boolean }[] = [
	{ name: 'small, both transposed', a: [3, 2], b: [4, 3], transposeA: true, transposeB: true },
	{ name: 'large, first transposed', a: [70, 50], b: [70, 40], transposeA: true },
	{ name: 'large, second transposed', a: [50, 70], b: [40, 70], transposeB: true },
	{ name: 'a batch', a: [3, 50, 70], b: [3, 70, 40] },
	{ name: 'a batch, both transposed', a: [3, 70, 50], b: [3, 40, 70], transposeA: true, transposeB: true },
	{ name: 'a batch times one', a: [2, 3, 50, 70], b: [1, 1, 70, 40] },
	{ name: 'one times a batch', a: [1, 50, 70], b: [3, 70, 40] },
];

for (const { name, a: shapeA, b: shapeB, transposeA = false, transposeB = false } of products) {
	test(`BatchMatMul equals plain loops: ${name}`, (t) => {
		const a = random(...shapeA);
		const b = random(...shapeB);
		const before = tf.memory().numTensors;
		const product = tf.matMul(a, b, transposeA, transposeB);
		t.is(tf.memory().numTensors, before + 1);
		const [m, n] = product.shape.slice(-2) as [number, number];
		const k = shapeA.at(transposeA ? -2 : -1)!;
		const [av, bv] = [a.dataSync(), b.dataSync()];
		const batch = product.size / (m * n);
		const expected = new Float64Array(product.size);
		for (let i = 0; i < expected.length; i++) {
			const [at, row, column] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
			const offsetA = a.size === batch * m * k ? at * m * k : 0;
			const offsetB = b.size === batch * k * n ? at * k * n : 0;
			for (let l = 0; l < k; l++) {
				const left = av[offsetA + (transposeA ? l * m + row : row * k + l)]!;
				const right = bv[offsetB + (transposeB ? column * k + l : l * n + column)]!;
				expected[i]! += left * right;
			}
		}
		t.true(difference(product, expected) < 1e-4);
	});
}

test('UnsortedSegmentSum adds rows of equal id and drops negative ids', (t) => {
	const x = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
	const sums = tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 2, -1], 'int32'), 3);
	t.deepEqual(Array.from(sums.dataSync()), [3, 4, 0, 0, 6, 8]);
});

test('the gradient of a gather reaches every row that was gathered', (t) => {
	const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
	const gradient = tf.grad((v) => tf.sum(tf.square(tf.gather(v, tf.tensor1d([2, 0, 2], 'int32')))))(x);
	t.deepEqual(Array.from(gradient.dataSync()), [2, 4, 0, 0, 20, 24]);
});

test('gradients of convolutions equal finite differences in input and filter', (t) => {
	for (const [stride, pad] of [
		[1, 'same'],
		[2, 'valid'],
	] as const) {
		const x = random(1, 6, 6, 2) as tf.Tensor4D;
		const filter = random(3, 3, 2, 3) as tf.Tensor4D;
		const f = (input: tf.Tensor, weight: tf.Tensor): tf.Scalar =>
			tf.mean(tf.square(tf.softplus(tf.conv2d(input as tf.Tensor4D, weight as tf.Tensor4D, stride, pad))));
		const gradients = tf.grads(f)([x, filter]);
		[x, filter].forEach((tensor, which) => {
			const values = Float32Array.from(tensor.dataSync());
			const at = (index: number, change: number): number => {
				const moved = Float32Array.from(values);
				moved[index]! += change;
				const inputs = [x, filter] as [tf.Tensor, tf.Tensor];
				inputs[which] = tf.tensor(moved, tensor.shape);
				return f(...inputs).dataSync()[0]!;
			};
			for (const index of [0, 7, 19, 31, 50]) {
				const slope = (at(index, 1e-2) - at(index, -1e-2)) / 2e-2;
				t.true(Math.abs(slope - gradients[which]!.dataSync()[index]!) < 2e-3);
			}
		});
	}
});

test('it runs on the threads asked for and leaves the process as it was', (t) => {
	t.true(tf.env().getBool('WASM_HAS_MULTITHREAD_SUPPORT'));
	t.is(process.listeners('uncaughtException').length, listenersBefore);
	t.is((globalThis as { Worker?: unknown }).Worker, undefined);
});

test('opening again changes nothing', async (t) => {
	t.deepEqual(await openWasm({ threads: 2 }), { threads: 2 });
});

test('threads below one are refused', async (t) => {
	const error = await t.throwsAsync(openWasm({ threads: 0 }));
	t.is(error?.message, 'Expected a whole number of at least 1 for threads but received 0');
});

test('a tensor that does not fit is refused with its size', (t) => {
	const error = t.throws(() => tf.fill([1 << 15, 1 << 15], 1));
	t.regex(error!.message, /no room for a tensor of 4096 MiB/);
});
