// Identity similarity, from files of a network to numbers.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { addWeights, encodeSafetensors, encodeTorch, loadFace } from '../../checkpoints/index.ts';
import { type HostTensors, openEngine, stream } from '../../engine/index.ts';
import { type IdentityMetric, type Images, openIdentity } from '../../metrics/index.ts';
import type { FaceInput } from '../../models/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import {
	embedPlainly,
	faceGraph,
	faceOnnx,
	faceState,
	TINY_FEATURES,
	TINY_SIDE,
} from '../checkpoints/face-files.ts';
import { encodeOnnx } from '../checkpoints/onnx-files.ts';

const engine = await openEngine();
const state = faceState();

function drawn(seed: number, n = 2, size = TINY_SIDE, channels = 3): Images & { data: Float32Array } {
	const data = stream(seed, 'images')
		.uniforms(0, n * size * size * channels)
		.map((u) => 2 * u - 1);
	return { shape: [n, size, size, channels], data };
}

async function opened(
	t: ExecutionContext,
	name: string,
	bytes: Buffer,
	face: Partial<FaceInput> = {},
): Promise<IdentityMetric> {
	const home = await temporaryFolder(t);
	const file = path.join(home, name);
	await writeFile(file, bytes);
	await addWeights(file, { dir: path.join(home, 'weights'), face });
	const metric = await openIdentity(engine, await loadFace({ dir: path.join(home, 'weights') }));
	t.teardown(() => metric.dispose());
	return metric;
}

const ofState = (
	t: ExecutionContext,
	tensors = state,
	face: Partial<FaceInput> = {},
): Promise<IdentityMetric> => opened(t, 'tiny.pth', encodeTorch(tensors), face);

/** Largest difference of numbers that are at most 1. */
function apart(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
	return Math.max(...a.flatMap((row, n) => Array.from(row, (value, i) => Math.abs(value - b[n]![i]!))));
}

const unit = (values: readonly number[]): number[] => {
	const length = Math.hypot(...values);
	return values.map((value) => value / length);
};

test.serial('embeddings are those of the formulas, in float64', async (t) => {
	const images = drawn(1, 3);
	const size = TINY_SIDE ** 2 * 3;
	const plain = [0, 1, 2].map((n) =>
		unit(embedPlainly(state, images.data.subarray(n * size, (n + 1) * size))),
	);
	const metric = await ofState(t);
	const found = metric.embed(images);
	t.is(found[0]!.length, TINY_FEATURES);
	t.true(apart(found, plain) < 1e-4, `${apart(found, plain)}`);
	t.true(apart([plain[0]!], [plain[1]!]) > 0.01, 'the images are told apart');
});

test.serial('safetensors, PyTorch and ONNX files of one network give the same embeddings', async (t) => {
	const images = drawn(1);
	const torch = (await ofState(t)).embed(images);
	const tensors = (await opened(t, 'tiny.safetensors', encodeSafetensors(state))).embed(images);
	t.is(apart(torch, tensors), 0);
	const onnx = (await opened(t, 'tiny.onnx', faceOnnx(state))).embed(images);
	t.true(apart(torch, onnx) < 1e-5, `${apart(torch, onnx)}`);
	// A training checkpoint, from a parallel run.
	const nested = new Map([['backbone', new Map(Object.entries(state).map(([k, v]) => [`module.${k}`, v]))]]);
	t.is(apart(torch, (await opened(t, 'step.pt', encodeTorch(nested))).embed(images)), 0);
});

test.serial('the similarity of an image with itself is 1, of others less, symmetrically', async (t) => {
	const metric = await ofState(t);
	const [a, b] = [drawn(1), drawn(2)];
	t.deepEqual([...metric.measure(a, a)], [1, 1]);
	const there = metric.measure(a, b);
	t.true(there.every((value) => value < 0.9999 && value >= -1));
	t.deepEqual(metric.measure(b, a), there);
});

test.serial('the length of embeddings does not count', async (t) => {
	const scaled: HostTensors = { ...state };
	for (const part of ['weight', 'bias'] as const) {
		const { shape, data } = state[`features.${part}`]!;
		scaled[`features.${part}`] = { shape, data: data.map((value) => 8 * value) };
	}
	const [a, b] = [drawn(1), drawn(2)];
	const [plain, long] = [(await ofState(t)).measure(a, b), (await ofState(t, scaled)).measure(a, b)];
	t.true(apart([plain], [long]) < 1e-6);
});

test.serial(
	'a value does not depend on the other images, sizes may change, and loud values are limited',
	async (t) => {
		const metric = await ofState(t);
		const [a, b] = [drawn(1), drawn(2)];
		const both = metric.measure(a, b);
		const second = ({ data }: Images): Images => ({
			shape: [1, TINY_SIDE, TINY_SIDE, 3],
			data: data.subarray(TINY_SIDE ** 2 * 3),
		});
		t.is(metric.measure(second(a), second(b))[0], both[1]);
		t.is(metric.measure(drawn(1, 1, 20), drawn(2, 1, 20)).length, 1);
		t.deepEqual(metric.measure(a, b), both);
		const loud: Images = { shape: a.shape, data: a.data.map((value) => (value > 0 ? value + 1 : value - 1)) };
		const edge: Images = { shape: a.shape, data: a.data.map((value) => (value > 0 ? 1 : -1)) };
		t.deepEqual(metric.embed(loud), metric.embed(edge));
	},
);

test.serial('range, order of channels and crop are what the network sees', async (t) => {
	const images = drawn(1);
	const usual = await ofState(t);
	const turned: Images = {
		shape: images.shape,
		data: images.data.map((_, i) => images.data[i - (i % 3) + 2 - (i % 3)]!),
	};
	const bgr = await ofState(t, state, { channels: 'bgr' });
	t.true(apart(bgr.embed(images), usual.embed(turned)) < 1e-5);
	const half: Images = { shape: images.shape, data: images.data.map((x) => (x + 1) / 2) };
	const inUnit = await ofState(t, state, { range: 'unit' });
	t.true(apart(inUnit.embed(images), usual.embed(half)) < 1e-5);
	// The central half of twice the size, with other things around it.
	const large = drawn(9, 2, 2 * TINY_SIDE);
	for (let n = 0; n < 2; n++)
		for (let y = 0; y < TINY_SIDE; y++)
			for (let x = 0; x < 3 * TINY_SIDE; x++) {
				const row = (n * 2 * TINY_SIDE + TINY_SIDE / 2 + y) * 2 * TINY_SIDE + TINY_SIDE / 2;
				large.data[3 * row + x] = images.data[(n * TINY_SIDE + y) * TINY_SIDE * 3 + x]!;
			}
	const central = await ofState(t, state, { crop: 0.5 });
	t.true(apart(central.embed(large), usual.embed(images)) < 1e-5);
	t.regex(usual.label, /^identity \(iresnet 1-2-1-1 of tiny\.pth, [0-9a-f]{12}\)$/);
	t.regex(central.label, /tiny\.pth, [0-9a-f]{12}, central 0\.5\)$/);
});

test.serial('an ONNX file that normalises bytes inside is given bytes', async (t) => {
	const images = drawn(1);
	const graph = faceGraph(state);
	const scalar = (value: number) => ({ shape: [1], data: Float32Array.of(value) });
	Object.assign(graph.initialisers, { mean: scalar(127.5), factor: scalar(1 / 127.5) });
	graph.nodes[0]!.inputs[0] = 'normalised';
	graph.nodes.unshift(
		{ operator: 'Sub', inputs: ['data', 'mean'], outputs: ['less'] },
		{ operator: 'Mul', inputs: ['less', 'factor'], outputs: ['normalised'] },
	);
	const inside = await opened(t, 'inside.onnx', encodeOnnx(graph));
	t.true(apart(inside.embed(images), (await ofState(t)).embed(images)) < 1e-4);
	t.regex(inside.label, /range bytes/);
});

test.serial('grey and unequal images are refused', async (t) => {
	const metric = await ofState(t);
	const grey = drawn(1, 1, 32, 1);
	t.throws(() => metric.measure(grey, grey), { code: 'INVALID_INPUT', message: /colour images/ });
	t.throws(() => metric.measure(drawn(1, 1), drawn(1, 2)), { code: 'MISMATCH', message: /one shape/ });
});
