import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import {
	encodeTorch,
	fromRosinality,
	generatorOptions,
	noisesFromRosinality,
	readTorch,
	stateDict,
	toRosinality,
} from '../../../checkpoints/index.ts';
import { type HostTensor, type HostTensors, openEngine, type TensorMap } from '../../../engine/index.ts';
import { stylegan2Discriminator, stylegan2Generator } from '../../../models/index.ts';
import { fixturesDir, testGolden } from '../../golden.ts';

await openEngine();

const load = ({ shape, data }: HostTensor): tf.Tensor => tf.tensor(data, [...shape]);
const loadAll = (params: HostTensors): TensorMap =>
	Object.fromEntries(Object.entries(params).map(([name, value]) => [name, load(value)]));
const nhwc = (x: HostTensor): tf.Tensor => tf.transpose(load(x), [0, 2, 3, 1]);
const nchw = (x: tf.Tensor): HostTensor => {
	const y = tf.transpose(x, [0, 3, 1, 2]);
	return { shape: y.shape, data: y.dataSync() as Float32Array };
};

testGolden(
	'a training checkpoint goes to our layout and back, through a .pt file, without a bit changed',
	'sg2_checkpoint',
	async (t, fixture) => {
		const file = (fixture.json.files as string[]).find((name) => name.endsWith('.pt'))!;
		const value = await readTorch(path.join(fixturesDir, file));
		const options = generatorOptions(stateDict(value, ['g_ema']));
		t.is(options.resolution, fixture.config.size);
		t.deepEqual(options.channels, Object.values(fixture.config.channels));
		t.is(options.zDim, fixture.config.style_dim);
		t.is(options.mappingLayers, fixture.config.n_mlp);
		const written: Record<string, HostTensors> = {};
		for (const part of ['g', 'g_ema', 'd']) {
			const state = stateDict(value, [part]);
			const { shapes } = part === 'd' ? stylegan2Discriminator(options) : stylegan2Generator(options);
			const noises = noisesFromRosinality(state);
			written[part] = toRosinality(
				fromRosinality(state, shapes),
				part === 'd' ? 'discriminator' : 'generator',
				{ noises },
			);
			t.deepEqual(sorted(written[part]), sorted(state), part);
			const parallel = Object.fromEntries(
				Object.entries(state).map(([name, tensor]) => [`module.${name}`, tensor]),
			);
			t.deepEqual(fromRosinality(parallel, shapes), fromRosinality(state, shapes));
		}
		const again = await readTorch(encodeTorch(written));
		t.deepEqual(sorted(stateDict(again, ['g_ema'])), sorted(stateDict(value, ['g_ema'])));
	},
);

function sorted(state: HostTensors): [string, number[], Float32Array][] {
	return Object.entries(state)
		.map(([name, { shape, data }]): [string, number[], Float32Array] => [name, [...shape], data])
		.sort(([a], [b]) => (a < b ? -1 : 1));
}

testGolden(
	'an imported generator and discriminator give the images and logits of the reference',
	'sg2_forward',
	(t, f) => {
		tf.engine().startScope();
		const state = f.group('w.g.');
		const options = generatorOptions(state);
		const generator = stylegan2Generator(options);
		const g = loadAll(fromRosinality(state, generator.shapes));
		const noises = generator.noiseShapes.map((_, i) => nhwc(f.tensor(`noise.${i}`)));
		const repeat = (w: tf.Tensor) =>
			tf.tile(tf.reshape(w, [-1, 1, options.wDim]), [1, generator.numStyles, 1]);
		const w = generator.map(g, load(f.tensor('z1')));
		f.expect('w1', { shape: w.shape, data: w.dataSync() as Float32Array });
		f.expect('image_single', nchw(generator.synthesize(g, { styles: repeat(w), noises })));
		f.expect('image_wplus', nchw(generator.synthesize(g, { styles: load(f.tensor('wplus')), noises })));
		const fixed = noisesFromRosinality(state).map(load);
		f.expect('image_buffer_noise', nchw(generator.synthesize(g, { styles: repeat(w), noises: fixed })));
		const ema = loadAll(fromRosinality(f.group('w.g_ema.'), generator.shapes));
		f.expect(
			'image_ema',
			nchw(generator.synthesize(ema, { styles: repeat(generator.map(ema, load(f.tensor('z1')))), noises })),
		);

		const discriminator = stylegan2Discriminator(options);
		const d = loadAll(fromRosinality(f.group('w.d.'), discriminator.shapes));
		const logits = discriminator.score(d, nhwc(f.tensor('real')));
		f.expect('d.logits_real8', { shape: [logits.size, 1], data: logits.dataSync() as Float32Array });
		tf.engine().endScope();
		t.pass();
	},
);

test('a state dictionary of another network is refused by the entry that does not fit', (t) => {
	const options = { resolution: 8, channels: [4, 3], zDim: 5, wDim: 5, mappingLayers: 1 };
	const { shapes, init } = stylegan2Generator(options);
	const state = toRosinality(init(1), 'generator');
	t.deepEqual(generatorOptions(state), options);
	t.deepEqual(fromRosinality(state, shapes), init(1));
	const other = stylegan2Generator({ ...options, channels: [4, 6] }).shapes;
	t.throws(() => fromRosinality(state, other), {
		code: 'MISMATCH',
		message: /^convs\.0\.conv\.weight has shape/,
	});
	const { 'conv1.noise.weight': _, ...less } = state;
	t.throws(() => fromRosinality(less, shapes), { code: 'MISMATCH', message: /lacks conv1\.noise\.weight/ });
	t.throws(() => fromRosinality({ ...state, extra: state['input.input']! }, shapes), {
		message: /no parameter extra/,
	});
	t.throws(() => generatorOptions({ a: state['input.input']! }), {
		code: 'MISMATCH',
		message: /lacks input\.input/,
	});
});
