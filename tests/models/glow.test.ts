// Glow: both ways at the depth of the paper, its determinant against a numerical one, priors, forms of its convolutions.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import {
	elements,
	type HostTensors,
	openEngine,
	type ProgramFunction,
	parameterLayout,
	stream,
	type TensorMap,
	valueAndGradients,
	vectorJacobian,
} from '../../engine/index.ts';
import { actnorm, squeeze } from '../../models/glow-steps.ts';
import {
	bitsPerDimension,
	dequantised,
	type Glow,
	type GlowConfig,
	glow,
	glowAdditive64,
	luParameters,
} from '../../models/index.ts';
import { logAbsDeterminant, matrix } from '../../models/matrices.ts';
import { host, load } from './networks.ts';

const engine = await openEngine();

const uniform = (name: string, shape: number[]): tf.Tensor =>
	tf.tensor(stream(1, name).uniforms(0, elements(shape)), shape);
const distance = (a: tf.Tensor, b: tf.Tensor): number => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;

/** A network whose couplings and priors, zero at first, do something, normalised on `x`. */
function lively(network: Glow, x: tf.Tensor, size = 0.05): { hosted: HostTensors; params: TensorMap } {
	const hosted = network.init(5);
	for (const [name, { data }] of Object.entries(hosted)) {
		if (!/net\.4|prior/.test(name)) continue;
		data.set(
			stream(6, name)
				.normals(0, data.length)
				.map((value) => size * value),
		);
	}
	const derived = network.derived(hosted);
	const start = network.normalise(load({ ...hosted, ...derived }), x);
	for (const [name, value] of Object.entries(start)) hosted[name] = host(value);
	return { hosted, params: load({ ...hosted, ...derived }) };
}

test('At the depth of the paper’s preset, what is encoded is decoded to 1e-4, also through the priors', (t) => {
	const network = glow({ ...glowAdditive64, filters: 8 });
	const sizes = network.latentShapes.map((shape) => elements(shape));
	t.is(
		sizes.reduce((sum, size) => sum + size, 0),
		64 * 64 * 3,
	);
	tf.tidy(() => {
		const x = tf.sub(uniform('x', [1, 64, 64, 3]), 0.5);
		const { params } = lively(network, x);
		const { z, eps } = network.encode(params, x);
		t.deepEqual(
			z.map(({ shape }) => shape.slice(1)),
			network.latentShapes.map((shape) => [...shape]),
		);
		t.true(distance(network.decode(params, z), x) < 1e-4);
		t.true(distance(network.generate(params, eps), x) < 1e-4);
	});
});

const tiny: GlowConfig = { resolution: 4, blocks: 2, steps: 2, coupling: 'affine', filters: 6 };

for (const plainBlocks of [0, 1]) {
	test(`Its determinant is that of its Jacobian, with ${plainBlocks} plain blocks`, (t) => {
		const network = glow({ ...tiny, plainBlocks });
		const x = uniform('x', [3, 4, 4, 3]);
		const { params } = lively(network, x, 0.3);
		// One image 48 times, each with the cotangent of another latent: the rows of the Jacobian.
		const same = tf.tile(tf.slice(x, [0, 0, 0, 0], [1, -1, -1, -1]), [48, 1, 1, 1]);
		const code = (): tf.Tensor =>
			tf.concat(
				network.encode(params, same).z.map((part) => tf.reshape(part, [48, -1])),
				1,
			);
		const jacobian = vectorJacobian(code, [same], tf.eye(48))[0]!.dataSync();
		const numerical = logAbsDeterminant(matrix(48, 48, (i, j) => jacobian[48 * i + j]!));
		const own = network.encode(params, same).logDeterminant.dataSync()[0]!;
		t.true(Math.abs(own - numerical) < 1e-3, `${own}, by the Jacobian ${numerical}`);
	});
}

test('A plain convolution turned into its LU form is the same network', (t) => {
	const plain = glow({ ...tiny, plainBlocks: 2 });
	const x = uniform('x', [3, 4, 4, 3]);
	const { hosted, params } = lively(plain, x);
	const turned = Object.assign({}, hosted);
	for (const name of Object.keys(hosted).filter((key) => key.endsWith('invconv.weight'))) {
		const { shape, data } = hosted[name]!;
		const c = shape[2]!;
		Object.assign(
			turned,
			luParameters(
				name.slice(0, -7),
				matrix(c, c, (o, i) => data[i * c + o]!),
			),
		);
		delete turned[name];
	}
	const lu = glow(tiny);
	t.deepEqual(Object.keys(turned).sort(), Object.keys({ ...lu.shapes, ...lu.constants }).sort());
	const [a, b] = [plain.encode(params, x), lu.encode(load(turned), x)];
	t.true(a.z.every((z, k) => distance(z, b.z[k]!) < 1e-4));
	t.true(distance(a.logDeterminant, b.logDeterminant) < 1e-3);
});

test('At temperature 0 every draw is the priors’ mean', (t) => {
	const network = glow(tiny);
	const { params } = lively(network, uniform('x', [3, 4, 4, 3]));
	const drawn = (name: string): tf.Tensor[] =>
		network.latentShapes.map((shape, b) => uniform(`${name}${b}`, [1, ...shape]));
	t.is(distance(network.generate(params, drawn('a'), 0), network.generate(params, drawn('b'), 0)), 0);
	t.true(distance(network.generate(params, drawn('a')), network.generate(params, drawn('b'))) > 0.01);
});

test('Actnorm starts so that every channel of the batch has mean 0 and variance 1', (t) => {
	const network = glow({ ...tiny, blocks: 1, steps: 1 });
	const x = uniform('x', [8, 4, 4, 3]);
	const start = network.normalise(load(network.init(5)), x);
	const name = 'blocks.0.flows.0.actnorm';
	t.deepEqual(Object.keys(start), [`${name}.loc`, `${name}.scale`]);
	const y = tf.reshape(actnorm(start, name, squeeze(x)).y, [-1, 12]);
	t.true(distance(tf.mean(y, 0), tf.zeros([12])) < 1e-5);
	const variance = tf.div(tf.sum(tf.square(y), 0), y.shape[0]! - 1);
	t.true(distance(variance, tf.ones([12])) < 1e-4);
});

test('Fewer bits keep the highest ones; noise fills a step', (t) => {
	const images = tf.tensor([0, 7, 8, 255].map((byte) => byte / 127.5 - 1));
	const at = (noise: number, bits: number): number[] =>
		Array.from(
			dequantised(images, tf.fill([4], noise), bits).dataSync(),
			(value) => (value + 0.5) * 2 ** bits,
		);
	t.deepEqual(at(0, 5), [0, 0, 1, 31]);
	t.deepEqual(at(0.5, 8), [0.5, 7.5, 8.5, 255.5]);
});

test('A training step is captured and lowers the bits per dimension', (t) => {
	const network = glow({ ...tiny, resolution: 8 });
	const x = tf.sub(uniform('x', [8, 8, 8, 3]), 0.5);
	const { hosted } = lively(network, x, 0.01);
	const layout = parameterLayout(network.shapes);
	const constants = Object.fromEntries(Object.keys(network.constants).map((name) => [name, hosted[name]!]));
	const step: ProgramFunction = {
		inputs: { x: [8, 8, 8, 3] },
		run({ flat, ...rest }, inputs) {
			const params = layout.unpack(flat!);
			const { value, gradients } = valueAndGradients(
				() =>
					tf.mean(bitsPerDimension(network.encode({ ...params, ...rest }, inputs.x!), 192, 8)) as tf.Scalar,
				params,
			);
			return { outputs: { value }, state: { flat: tf.sub(flat!, tf.mul(layout.pack(gradients), 0.01)) } };
		},
	};
	const state = { flat: layout.fromHost(hosted), ...constants };
	const program = engine.compile({ name: 'glow', state, functions: { step } });
	const images = x.dataSync() as Float32Array;
	const bits = Array.from({ length: 10 }, () => program.call('step', { x: images }).value!.data[0]!);
	t.true(bits[9]! < bits[0]! - 0.01, `${bits}`);
	program.dispose();
});

test('What no Glow is, is said', (t) => {
	t.throws(() => glow({ ...tiny, resolution: 6 }), { message: /multiple of 2\^blocks = 4/ });
	t.throws(() => glow({ ...tiny, steps: 0 }), { message: /whole number from 1/ });
	const network = glow(tiny);
	const params = load(network.init(1));
	t.throws(() => network.encode(params, tf.zeros([1, 8, 8, 3])), { message: /images \[N, 4, 4, 3\]/ });
	t.throws(() => network.decode(params, []), { message: /latents of 2 blocks/ });
	const { z } = network.encode(params, tf.zeros([1, 4, 4, 3]));
	t.throws(() => network.decode(params, z), { message: /derived constants/ });
});
