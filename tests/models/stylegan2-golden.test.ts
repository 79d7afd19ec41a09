// StyleGAN2 against rosinality/stylegan2-pytorch: activations, images, logits, losses, regularisers, all gradients.
import * as tf from '@tensorflow/tfjs-core';
import { fromRosinality, toRosinality } from '../../checkpoints/pytorch/rosinality.ts';
import {
	type HostTensors,
	openEngine,
	type TensorMap,
	valueAndGradients,
	vectorJacobian,
} from '../../engine/index.ts';
import {
	discriminatorLoss,
	fakes,
	generatorLoss,
	mixedStyles,
	pathLengths,
	r1Penalty,
} from '../../trainer/losses.ts';
import { type Fixture, testGolden } from '../golden.ts';
import { channelsFirst, host, images, load, mixingFrom, networksOf, noiseMaps } from './networks.ts';

await openEngine();

/** One style vector for every layer: [N, W] → [N, L, W]. */
function everywhere(w: tf.Tensor, rows: number): tf.Tensor {
	return tf.tile(tf.expandDims(w, 1), [1, rows, 1]);
}

const even = (n: number): tf.Tensor => tf.fill([n], 1 / n);

/**
 * Every gradient, in PyTorch's layout, and the norms that the fixture states. Where it is one number,
 * it is one sum of terms that nearly cancel: its rounding is that of the terms, so it gets three times the tolerance.
 */
function expectGradients(f: Fixture, kind: string, gradients: TensorMap): void {
	const found: HostTensors = toRosinality(
		Object.fromEntries(Object.entries(gradients).map(([name, tensor]) => [name, host(tensor)])),
		kind.endsWith('r1') || kind.startsWith('d') ? 'discriminator' : 'generator',
	);
	let total = 0;
	for (const name of Object.keys(gradients)) {
		const { data } = found[name]!;
		const slack = data.length === 1 ? 3 : 1;
		if (f.has(`grad_${kind}.${name}`)) f.expect(`grad_${kind}.${name}`, found[name]!, slack);
		const squares = data.reduce((sum, value) => sum + value * value, 0);
		total += squares;
		if (f.scalars().includes(`l2_${kind}.${name}`)) f.expect(`l2_${kind}.${name}`, Math.sqrt(squares), slack);
	}
	if (f.scalars().includes(`l2_${kind}_total`)) f.expect(`l2_${kind}_total`, Math.sqrt(total));
	const missed = f.names({ prefix: `grad_${kind}.` }).filter((name) => !found[name.slice(kind.length + 6)]);
	if (missed.length > 0) throw new Error(`${f.name} has gradients that were not computed: ${missed}`);
}

testGolden(
	'mapping, mixing, truncation, activations, images and logits equal the reference',
	'sg2_forward',
	(t, f) => {
		const { generator, discriminator, ...host_ } = networksOf(f, 'w.');
		const [g, d] = [load(host_.g), load(host_.d)];
		const rows = generator.numStyles;
		const [w1, w2] = ['z1', 'z2'].map((name) =>
			generator.map(g, tf.tensor(f.tensor(name).data, [2, generator.zDim])),
		);
		f.expect('w1', host(w1!));
		f.expect('w2', host(w2!));

		const noises = noiseMaps(f, 'noise.').map(({ shape, data }) => tf.tensor(data, [...shape]));
		const mask = tf.tensor(mixingFrom(f.config.inject_index, 2, rows), [2, rows, 1]);
		const mix = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
			tf.add(tf.mul(everywhere(a, rows), tf.sub(1, mask)), tf.mul(everywhere(b, rows), mask));
		const styles = mix(w1!, w2!);
		f.expect('latent_mix', host(styles));
		f.expect('image_mix', channelsFirst(generator.synthesize(g, { styles, noises })));

		const blocks = generator.noiseShapes.length / 2 + 0.5;
		for (let k = 0; k < blocks; k++) {
			const { features, rgb } = generator.synthesizeTo(g, { styles, noises }, `b${4 * 2 ** k}`);
			f.expect(k === 0 ? 'feat.conv1' : `feat.convs.${2 * k - 1}`, channelsFirst(features));
			t.is(rgb === null, k === 0);
			if (rgb) f.expect(k === 1 ? 'skip.to_rgb1' : `skip.to_rgbs.${k - 2}`, channelsFirst(rgb));
		}

		const image = (w: tf.Tensor, parameters = g, maps = noises): ReturnType<typeof channelsFirst> =>
			channelsFirst(generator.synthesize(parameters, { styles: w, noises: maps }));
		f.expect('image_single', image(everywhere(w1!, rows)));
		f.expect('image_w', image(everywhere(w1!, rows)));
		const { shape, data } = f.tensor('wplus');
		f.expect('image_wplus', image(tf.tensor(data, [...shape])));

		const source = f.tensor('z_mean_src');
		const mean = tf.mean(generator.map(g, tf.tensor(source.data, [...source.shape])), 0, true);
		f.expect('w_mean', host(mean));
		const truncated = (w: tf.Tensor): tf.Tensor => tf.add(mean, tf.mul(f.config.truncation, tf.sub(w, mean)));
		f.expect('image_trunc', image(everywhere(truncated(w1!), rows)));
		f.expect('image_trunc_mix', image(mix(truncated(w1!), truncated(w2!))));

		const stored = noiseMaps(f, 'w.g.noises.noise_').map(({ shape, data }) => tf.tensor(data, [...shape]));
		f.expect('image_buffer_noise', image(everywhere(w1!, rows), g, stored));
		const average = load(fromRosinality(f.group('w.g_ema.'), generator.shapes));
		const z1 = tf.tensor(f.tensor('z1').data, [2, generator.zDim]);
		f.expect('image_ema', image(everywhere(generator.map(average, z1), rows), average));

		const real = images(f.tensor('real'));
		for (const n of [8, 4, 2, 1]) {
			const logits = discriminator.score(d, tf.slice(real, [0, 0, 0, 0], [n, -1, -1, -1]));
			f.expect(`d.logits_real${n}`, logits.dataSync());
		}
		f.expect('d.logits_fake', discriminator.score(d, generator.synthesize(g, { styles, noises })).dataSync());
	},
);

testGolden('the logistic loss of D and R1 equal the reference with all gradients', 'sg2_grads_d', (t, f) => {
	const networks = networksOf(f, 'w.');
	const { discriminator } = networks;
	const d = load(networks.d);
	const [real, fake] = [images(f.tensor('real')), images(f.tensor('fake'))];
	f.expect('real_pred', discriminator.score(d, real).dataSync());
	f.expect('fake_pred', discriminator.score(d, fake).dataSync());

	const loss = valueAndGradients(
		() => discriminatorLoss(discriminator.score(d, real), discriminator.score(d, fake), even(fake.shape[0]!)),
		d,
	);
	f.expect('d_loss', loss.value.dataSync());
	expectGradients(f, 'dloss', loss.gradients);

	const [slope] = vectorJacobian(() => tf.sum(discriminator.score(d, real)), [real]);
	f.expect('r1_input_grad', channelsFirst(slope!));
	const r1 = valueAndGradients(() => r1Penalty(discriminator, d, real), d);
	f.expect('r1_penalty', r1.value.dataSync());
	expectGradients(f, 'r1', r1.gradients);
	t.true(r1.gradients['final_linear.1.bias']!.dataSync().every((value) => value === 0));
});

/** Inputs of a pass (named as in trainer/sampling.ts) from a fixture's tensors under `prefix`. */
function passInputs(f: Fixture, prefix: string, inject: number, rows: number): TensorMap {
	const z = f.tensor(`${prefix}z1`);
	const n = z.shape[0]!;
	return {
		z: tf.tensor(z.data, [...z.shape]),
		zMixed: tf.tensor(f.tensor(`${prefix}z2`).data, [...z.shape]),
		mix: tf.tensor(mixingFrom(inject, n, rows), [n, rows, 1]),
		...Object.fromEntries(
			noiseMaps(f, `${prefix}noise.`).map(({ shape, data }, i) => [`noise${i}`, tf.tensor(data, [...shape])]),
		),
	};
}

testGolden(
	'the loss of G and the path-length penalty equal the reference with all gradients',
	'sg2_grads_g',
	(t, f) => {
		const { generator, discriminator, ...hosts } = networksOf(f, 'w.');
		const [g, d] = [load(hosts.g), load(hosts.d)];
		const inputs = passInputs(f, '', f.config.inject_index, generator.numStyles);
		f.expect('fake_pred', discriminator.score(d, fakes(generator, g, inputs)).dataSync());
		const loss = valueAndGradients(
			() => generatorLoss(discriminator.score(d, fakes(generator, g, inputs)), even(inputs.z!.shape[0]!)),
			g,
		);
		f.expect('g_loss', loss.value.dataSync());
		expectGradients(f, 'gloss', loss.gradients);

		const path: TensorMap = {
			...passInputs(f, 'pl.', f.config.pl_inject_index, generator.numStyles),
			y: images(f.tensor('pl.y')),
		};
		f.expect('pl.image', channelsFirst(fakes(generator, g, path)));
		const styles = mixedStyles(generator, g, path);
		f.expect('pl.latents', host(styles));
		const scaled = tf.mul(path.y!, 1 / generator.resolution);
		const [slope] = vectorJacobian(
			() => tf.sum(tf.mul(fakes(generator, g, path, { styles }), scaled)),
			[styles],
		);
		f.expect('pl.latent_grad', host(slope!));
		f.expect('pl.lengths', pathLengths(generator, g, path).dataSync());

		const { mean_path_length: before, pl_decay: decay } = f.config;
		let running: tf.Tensor | undefined;
		const penalty = valueAndGradients(() => {
			const lengths = pathLengths(generator, g, path);
			running = tf.keep(tf.add(before * (1 - decay), tf.mul(tf.mean(lengths), decay)));
			return tf.mean(tf.square(tf.sub(lengths, running)));
		}, g);
		for (const name of ['pl.new_mean', 'pl.mean'].filter((scalar) => f.scalars().includes(scalar)))
			f.expect(name, running!.dataSync());
		f.expect('pl.penalty', penalty.value.dataSync());
		expectGradients(f, 'pl', penalty.gradients);
		const biases = Object.keys(g).filter((name) => /^to_rgb.*\d\.?bias$/.test(name));
		t.true(biases.every((name) => penalty.gradients[name]!.dataSync().every((value) => value === 0)));
	},
);

testGolden('a network of full width equals the reference', 'sg2_wide', (_, f) => {
	const { generator, discriminator, ...hosts } = networksOf(f, '');
	tf.tidy(() => {
		const g = load(hosts.g);
		const z = f.tensor('z');
		const w = generator.map(g, tf.tensor(z.data, [...z.shape]));
		f.expect('w', host(w));
		const styles = everywhere(w, generator.numStyles);
		const noises = noiseMaps(f, 'noise.').map(({ shape, data }) => tf.tensor(data, [...shape]));
		for (const { name } of generator.cuts.slice(0, 2)) {
			const { features } = generator.synthesizeTo(g, { styles, noises }, name);
			const layer = name === 'b4' ? 'conv1' : 'convs.1';
			const values = channelsFirst(features).data;
			const mean = values.reduce((a, b) => a + b, 0) / values.length;
			const spread = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1));
			const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
			f.expect(`stat.${layer}`, [mean, spread, largest, values[0]!, values.at(-1)!]);
			if (name === 'b8')
				f.expect('feat.convs.1', channelsFirst(tf.slice(features, [0, 0, 0, 0], [1, -1, -1, -1])));
		}
		const image = generator.synthesize(g, { styles, noises });
		f.expect('image', channelsFirst(image));
		f.expect('d.logits', discriminator.score(load(hosts.d), image).dataSync());
	});
});
