// PGGAN: sizes of the paper's table, cuts, growing, mixtures, capture.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import {
	elements,
	openEngine,
	type ProgramFunction,
	parameterLayout,
	stream,
	valueAndGradients,
} from '../../engine/index.ts';
import {
	family,
	type MixtureConfig,
	mixCodes,
	mixtureCut,
	mixtureState,
	type PgganConfig,
	type PgganDialect,
	pgganDiscriminator,
	pgganGenerator,
	pgganRtil,
	rtilSchema,
} from '../../models/index.ts';
import { criticLoss, gradientPenalties, interpolate } from '../../trainer/wgan.ts';
import { load } from './networks.ts';

const engine = await openEngine();

const dialects: PgganDialect[] = ['karras', 'zoo', 'rtil'];
const tiny = (dialect: PgganDialect, stage?: number): PgganConfig => ({
	dialect,
	resolution: 32,
	channels: [8, 8, 6, 4],
	zDim: 8,
	stage,
});
const drawn = (name: string, shape: number[]): tf.Tensor =>
	tf.tensor(stream(1, name).normals(0, elements(shape)), shape);
const distance = (a: tf.Tensor, b: tf.Tensor): number => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;

test('The preset has the numbers of parameters of the paper’s table 2', (t) => {
	const generator = pgganGenerator(pgganRtil());
	const count = (shapes: Readonly<Record<string, readonly number[]>>): number =>
		Object.values(shapes).reduce((sum, shape) => sum + elements(shape), 0);
	t.is(count(generator.shapes), 7_449_109);
	const growing = Object.entries(generator.shapes).filter(([name]) => /^to_rgb_(?!256)/.test(name));
	t.is(count(generator.shapes) - count(Object.fromEntries(growing)), 7_445_443);
	t.is(count(pgganDiscriminator(pgganRtil()).shapes), 6_367_617);
	t.deepEqual(pgganRtil(64, 64), {
		dialect: 'rtil',
		resolution: 64,
		channels: [64, 64, 64, 64, 32],
		zDim: 128,
	});
});

for (const dialect of dialects) {
	test(`Cut anywhere, a ${dialect} generator goes on to the same image`, (t) => {
		const whole = pgganGenerator(tiny(dialect));
		const g = load(whole.init(3));
		const input = { styles: drawn('z', [2, 1, 8]), noises: [], fade: 0.3 };
		const image = whole.synthesize(g, input);
		t.deepEqual(image.shape, [2, 32, 32, 3]);
		t.deepEqual(
			whole.cuts.map(({ name, channels }) => [name, channels]),
			[
				['b4', 8],
				['b8', 8],
				['b16', 6],
			],
		);
		for (const cut of ['b4.0', 'b4', 'b8.0', 'b8', 'b16', 'b32.0', 'b32']) {
			const from = whole.synthesizeTo(g, input, cut);
			t.is(distance(whole.synthesize(g, { ...input, from }), image), 0, cut);
		}
		const early = whole.synthesizeTo(g, input, 'b4');
		const later = whole.synthesizeTo(g, { ...input, from: early }, 'b16');
		t.is(distance(later.features, whole.synthesizeTo(g, input, 'b16').features), 0);
		const z1 = drawn('z1', [2, 8, 8, 8]);
		const { features } = whole.synthesizeTo(g, input, 'b8');
		t.is(
			distance(whole.synthesizeTo(g, { ...input, inject: { b8: z1 } }, 'b8').features, tf.add(features, z1)),
			0,
		);
	});

	test(`A ${dialect} network grows without a jump`, (t) => {
		const [small, large] = [8, 16].map((stage) => pgganGenerator(tiny(dialect, stage)));
		const [smallD, largeD] = [8, 16].map((stage) => pgganDiscriminator(tiny(dialect, stage)));
		const g = load(small!.init(3));
		const d = load(smallD!.init(4));
		const input = { styles: drawn('z', [4, 1, 8]), noises: [] };
		const before = small!.synthesize(g, input);
		const begins = large!.synthesize(g, { ...input, fade: 0 });
		const halved = tf.avgPool(begins as tf.Tensor4D, 2, 2, 'valid');
		// Bilinear doubling blurs; nearest does not.
		if (dialect !== 'rtil') t.true(distance(halved, before) < 1e-5);
		t.true(distance(largeD!.score(d, begins, 0), smallD!.score(d, halved)) < 1e-5);
		t.true(distance(large!.synthesize(g, { ...input, fade: 1 }), large!.synthesize(g, input)) < 1e-6);
		t.deepEqual(Object.keys(small!.shapes), Object.keys(large!.shapes));
	});
}

test('A critic step with its gradient penalty is captured, fade-in as an input', (t) => {
	const generator = pgganGenerator(tiny('rtil', 16));
	const discriminator = pgganDiscriminator(tiny('rtil', 16));
	const layout = parameterLayout(discriminator.shapes);
	const g = generator.init(3);
	const host = { d: layout.fromHost(discriminator.init(4)), ...g };
	const step: ProgramFunction = {
		inputs: { z: [4, 1, 8], real: [4, 16, 16, 3], u: [4], fade: [1] },
		run(state, { z, real, u, fade }) {
			const { d: flat, ...params } = state;
			const d = layout.unpack(flat!);
			const fake = generator.synthesize(params, { styles: z!, noises: [], fade });
			const score = (x: tf.Tensor): tf.Tensor => discriminator.score(d, x, fade);
			const { value, gradients } = valueAndGradients(() => {
				const penalty = tf.mean(gradientPenalties(score, interpolate(real!, fake, u!)));
				const loss = criticLoss(score(real!), score(fake), tf.fill([4], 1 / 4));
				return tf.add(loss, tf.mul(penalty, 10)) as tf.Scalar;
			}, d);
			return { outputs: { value, gradient: layout.pack(gradients) } };
		},
	};
	const inputs = {
		z: stream(1, 'z').normals(0, 32),
		real: stream(1, 'real').normals(0, 4 * 16 * 16 * 3),
		u: stream(1, 'u').uniforms(0, 4),
		fade: Float32Array.of(0.25),
	};
	const spec = { name: 'critic', state: host, functions: { step } };
	const captured = engine.compile(spec);
	const eager = tf.tidy(() => {
		const tensors = Object.fromEntries(
			Object.entries(inputs).map(([name, data]) => [name, tf.tensor(data, [...step.inputs[name]!])]),
		);
		return step.run(load(host), tensors).outputs.gradient!.dataSync() as Float32Array;
	});
	const before = tf.memory().numTensors;
	const { gradient, value } = captured.call('step', inputs);
	t.is(tf.memory().numTensors, before);
	t.true(Number.isFinite(value!.data[0]));
	const worst = gradient!.data.reduce((most, x, i) => Math.max(most, Math.abs(x - eager[i]!)), 0);
	const size = eager.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
	t.true(worst < 1e-4 * size, `off by ${worst} of ${size}`);
	captured.dispose();
});

test('A mixture of one code with weight 1 is the code; weights a channel need no fade', (t) => {
	const generator = pgganGenerator(tiny('rtil'));
	const g = load(generator.init(3));
	const input = { styles: drawn('z', [6, 1, 8]), noises: [] };
	const { features } = generator.synthesizeTo(g, input, 'b8');
	const chosen = tf.tensor2d([
		[0, 1, 0],
		[0, 0, 1],
	]);
	const mixed = mixtureState(generator, g, input, 'b8', chosen);
	t.is(distance(mixed.features, tf.gather(features, tf.tensor1d([1, 5], 'int32'))), 0);
	const each = tf.tile(tf.reshape(chosen, [2, 3, 1]), [1, 1, 8]);
	t.is(distance(mixCodes(features, each), mixed.features), 0);
	t.throws(() => mixCodes(features, tf.ones([2, 2])), { message: /B·N rows/ });
	t.throws(() => mixtureState(generator, g, { ...input, fade: 0.5 }, 'b32', tf.ones([2, 3, 4])), {
		message: /while a block fades in/,
	});
});

test('The published family shares the loss in thirds, and mixes at its last block while it grows', (t) => {
	const config = rtilSchema.parse({ cut: 'b32', codes: [10, 20], lambda: 'equal' }) as MixtureConfig;
	const { cuts } = pgganGenerator(pgganRtil());
	t.deepEqual(
		family(config, cuts).map(({ name, codes }) => [name, codes]),
		[
			['G0', 1],
			['G1', 10],
			['G2', 20],
		],
	);
	t.true(family(config, cuts).every(({ weight }) => Math.abs(weight - 1 / 3) < 1e-12));
	t.deepEqual(family(null, cuts), [{ name: 'G0', cuts: [], codes: 1, weight: 1 }]);
	const at = (stage: number): string => mixtureCut(config, pgganGenerator({ ...pgganRtil(), stage }));
	t.deepEqual([4, 16, 32, 256].map(at), ['b4', 'b16', 'b32', 'b32']);
});

test('What no network is, and where none can be cut, is said', (t) => {
	const config = tiny('zoo');
	t.throws(() => pgganGenerator({ ...config, channels: [8] }), { message: /4 numbers/ });
	t.throws(() => pgganGenerator({ ...config, stage: 64 }), { message: /power of two from 4 to 32/ });
	t.throws(() => pgganGenerator({ ...config, resolution: 48 }), { message: /power of two/ });
	const small = pgganGenerator({ ...config, stage: 8 });
	const g = load(small.init(1));
	const input = { styles: drawn('z', [1, 1, 8]), noises: [] };
	t.throws(() => small.synthesizeTo(g, input, 'b16'), { message: /b4.0, b4, b8.0, b8/ });
	const from = small.synthesizeTo(g, input, 'b8');
	t.throws(() => small.synthesizeTo(g, { ...input, from }, 'b4'), { message: /at or before b4/ });
	t.throws(() => small.synthesize(g, { ...input, from, fade: 0.5 }), { message: /RGB image/ });
	const d = pgganDiscriminator({ ...config, stage: 8 });
	t.throws(() => d.score(load(d.init(1)), tf.zeros([1, 16, 16, 3])), { message: /images \[N, 8, 8, 3\]/ });
});
