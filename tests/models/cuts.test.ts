// Laws of a generator that can be cut, and the sizes of the paper's networks.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { elements, openEngine, stream } from '../../engine/index.ts';
import { type StyleGAN2Config, stylegan2Discriminator, stylegan2Generator } from '../../models/index.ts';
import { host, load } from './networks.ts';

await openEngine();

const generator = stylegan2Generator({
	resolution: 32,
	channels: [12, 10, 8, 6],
	zDim: 16,
	wDim: 16,
	mappingLayers: 2,
});
const params = load(generator.init(3));
for (const name of Object.keys(params)) {
	if (name.endsWith('noise.weight')) params[name] = tf.fill([1], 0.3);
}

const n = 3;
const draw = (name: string, shape: number[]): tf.Tensor =>
	tf.tensor(stream(4, name).normals(0, elements(shape)), shape);
const styles = draw('styles', [n, generator.numStyles, generator.wDim]);
const noises = generator.noiseShapes.map(([h, w], i) => draw(`noise ${i}`, [n, h, w, 1]));
const inject = Object.fromEntries(
	generator.cuts.map(({ name, resolution, channels }) => [
		name,
		draw(`z1 ${name}`, [n, resolution, resolution, channels]),
	]),
);
const cuts = generator.cuts.map(({ name }) => name);

/** The largest difference relative to the largest value. */
function difference(a: tf.Tensor, b: tf.Tensor): number {
	const worst = tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
	return worst / tf.max(tf.abs(b)).dataSync()[0]!;
}

for (const [what, input] of [
	['', { styles, noises }],
	[', with z1 at every cut', { styles, noises, inject }],
] as const) {
	const whole = generator.synthesize(params, input);

	test(`to a cut and on from it is the whole${what}`, (t) => {
		for (const cut of cuts) {
			const from = generator.synthesizeTo(params, input, cut);
			t.true(difference(generator.synthesize(params, { ...input, from }), whole) < 1e-6, cut);
		}
	});

	test(`by way of any two cuts is the whole${what}`, (t) => {
		for (const [i, first] of cuts.entries()) {
			for (const second of cuts.slice(i + 1)) {
				const half = generator.synthesizeTo(params, input, first);
				const from = generator.synthesizeTo(params, { ...input, from: half }, second);
				const direct = generator.synthesizeTo(params, input, second);
				t.true(difference(from.features, direct.features) < 1e-6, `${first} ${second}`);
				t.true(difference(from.rgb!, direct.rgb!) < 1e-6, `${first} ${second}`);
				t.true(
					difference(generator.synthesize(params, { ...input, from }), whole) < 1e-6,
					`${first} ${second}`,
				);
			}
		}
	});
}

test('what lies before a cut does not matter after it', (t) => {
	const cut = cuts[1]!;
	const from = generator.synthesizeTo(params, { styles, noises }, cut);
	const whole = generator.synthesize(params, { styles, noises, from });
	const others = noises.map((noise, i) => (i <= 2 ? tf.zerosLike(noise) : noise));
	t.true(
		difference(
			generator.synthesize(params, { styles, noises: others, from, inject: { [cut]: inject[cut]! } }),
			whole,
		) === 0,
	);
});

test('the features at a cut have the shape it states', (t) => {
	for (const { name, resolution, channels } of generator.cuts) {
		const { features, rgb } = generator.synthesizeTo(params, { styles, noises }, name);
		t.deepEqual(features.shape, [n, resolution, resolution, channels]);
		t.deepEqual(rgb?.shape ?? null, name === 'b4' ? null : [n, resolution / 2, resolution / 2, 3]);
	}
});

test('z1 of zeros changes nothing, and z1 adds to the features of its cut', (t) => {
	const whole = generator.synthesize(params, { styles, noises });
	for (const { name } of generator.cuts) {
		const zeros = { [name]: tf.zerosLike(inject[name]!) };
		t.is(difference(generator.synthesize(params, { styles, noises, inject: zeros }), whole), 0);
		const plain = generator.synthesizeTo(params, { styles, noises }, name).features;
		const with1 = generator.synthesizeTo(
			params,
			{ styles, noises, inject: { [name]: inject[name]! } },
			name,
		).features;
		t.true(difference(tf.sub(with1, plain), inject[name]!) < 1e-5);
	}
});

test('added after the RGB layer, z1 reaches the image through later blocks alone, from a cut or from the start', (t) => {
	const input = { styles, noises };
	const whole = generator.synthesize(params, { ...input, injectAfterRgb: inject });
	t.true(difference(whole, generator.synthesize(params, { ...input, inject })) > 1e-3);
	for (const cut of cuts) {
		const from = generator.synthesizeTo(params, { ...input, injectAfterRgb: inject }, cut);
		t.true(
			difference(generator.synthesize(params, { ...input, injectAfterRgb: inject, from }), whole) < 1e-6,
		);
	}
	// The running image of the block at which it is added does not have it: the next cut tells.
	const [first, second] = cuts as [string, string];
	const only = { [first]: inject[first]! };
	const plain = generator.synthesizeTo(params, input, second);
	const after = generator.synthesizeTo(params, { ...input, injectAfterRgb: only }, second);
	const before = generator.synthesizeTo(params, { ...input, inject: only }, second);
	t.is(difference(after.rgb!, plain.rgb!), 0);
	t.true(difference(before.rgb!, plain.rgb!) > 1e-4);
	t.true(difference(after.features, before.features) < 1e-6);
});

test('a sample does not depend on the rest of its batch', (t) => {
	const z = draw('z', [n, generator.zDim]);
	const w = generator.map(params, z);
	const image = generator.synthesize(params, { styles, noises, inject });
	for (let i = 0; i < n; i++) {
		const only = (x: tf.Tensor): tf.Tensor => tf.slice(x, i, 1);
		t.true(difference(generator.map(params, only(z)), only(w)) < 1e-5);
		const alone = generator.synthesize(params, {
			styles: only(styles),
			noises: noises.map(only),
			inject: Object.fromEntries(cuts.map((cut) => [cut, only(inject[cut]!)])),
		});
		t.true(difference(alone, only(image)) < 1e-5);
	}
});

test('one noise map serves the whole batch', (t) => {
	const shared = noises.map((noise) => tf.slice(noise, 0, 1));
	const repeated = shared.map((noise) => tf.concat([noise, noise, noise]));
	const [a, b] = [shared, repeated].map((maps) => generator.synthesize(params, { styles, noises: maps }));
	t.true(difference(a!, b!) < 1e-6);
});

test('a cut that is not there is named with those that are', (t) => {
	t.throws(() => generator.synthesizeTo(params, { styles, noises }, 'b7'), {
		message: 'Expected one of b4, b8, b16, b32 for cut but received "b7"',
	});
	const from = generator.synthesizeTo(params, { styles, noises }, 'b16');
	t.throws(() => generator.synthesizeTo(params, { styles, noises, from }, 'b8'), {
		message: 'Expected a cut before b8 for from but received "b16"',
	});
});

test('a resolution or a channel list that does not fit is refused', (t) => {
	const base: StyleGAN2Config = { resolution: 16, channels: [8, 8, 8], zDim: 8, wDim: 8, mappingLayers: 2 };
	for (const resolution of [4, 12, 2048]) {
		t.throws(() => stylegan2Generator({ ...base, resolution }), {
			message: `Expected a power of two from 8 to 1024 for resolution but received ${resolution}`,
		});
	}
	t.throws(() => stylegan2Discriminator({ ...base, channels: [8, 8] }), {
		message: 'Expected 3 numbers, one a resolution from 4 to 16 for channels but received [8,8]',
	});
});

const count = (shapes: Readonly<Record<string, readonly number[]>>, pattern = /./): number =>
	Object.entries(shapes).reduce((sum, [name, shape]) => sum + (pattern.test(name) ? elements(shape) : 0), 0);

test("the paper's network at 256² has the published number of parameters", (t) => {
	const config: StyleGAN2Config = {
		resolution: 256,
		channels: [256, 256, 256, 256, 256, 128, 64],
		zDim: 512,
		wDim: 512,
		mappingLayers: 8,
	};
	const g = stylegan2Generator(config);
	t.is(count(g.shapes), 10_206_434);
	t.is(count(stylegan2Discriminator(config).shapes), 7_219_009);
	// The paper prints a layer summary: the mapping network twice, and no constant, activation or RGB biases.
	const summary =
		count(g.shapes) +
		count(g.shapes, /^style\./) -
		count(g.shapes, /^input\./) -
		count(g.shapes, /activate\.bias$/) -
		count(g.shapes, /^to_rgb(1|s\.\d+)\.bias$/);
	t.is(summary, 12_300_877);
	t.is(g.numStyles, 14);
	t.is(g.noiseShapes.length, 13);
	t.deepEqual(
		g.cuts.slice(0, 4).map(({ resolution, channels }) => resolution * resolution * channels),
		[4096, 16384, 65536, 262144],
	);
});

test('the network of the benchmark has its number of parameters', (t) => {
	const config: StyleGAN2Config = {
		resolution: 32,
		channels: [64, 64, 64, 64],
		zDim: 64,
		wDim: 64,
		mappingLayers: 4,
	};
	t.is(count(stylegan2Generator(config).shapes) + count(stylegan2Discriminator(config).shapes), 659_988);
});

test('every resolution up to 1024² can be built, and the smallest runs', (t) => {
	for (let resolution = 8; resolution <= 1024; resolution *= 2) {
		const channels = Array<number>(Math.log2(resolution) - 1).fill(4);
		const config = { resolution, channels, zDim: 4, wDim: 4, mappingLayers: 1 };
		t.is(stylegan2Generator(config).numStyles, 2 * Math.log2(resolution) - 2);
		t.true('final_linear.1.bias' in stylegan2Discriminator(config).shapes);
	}
	const config = { resolution: 8, channels: [4, 4], zDim: 4, wDim: 4, mappingLayers: 1 };
	const small = stylegan2Generator(config);
	const image = small.synthesize(load(small.init(1)), {
		styles: tf.ones([2, small.numStyles, 4]),
		noises: small.noiseShapes.map(([h, w]) => tf.zeros([1, h, w, 1])),
	});
	t.deepEqual(image.shape, [2, 8, 8, 3]);
	const discriminator = stylegan2Discriminator(config);
	t.deepEqual(host(discriminator.score(load(discriminator.init(1)), image)).shape, [2]);
});
