// RTIL's PGGAN and its mixture family against the published code: every stage, fade-in, D and G losses, inversion.
import * as tf from '@tensorflow/tfjs-core';
import { circularConvolve, openEngine, valueAndGradients, vectorJacobian } from '../../engine/index.ts';
import { type CutState, mixtureState, type PgganConfig } from '../../models/index.ts';
import { criticLoss, drift, gradientPenalties, interpolate, wassersteinLoss } from '../../trainer/wgan.ts';
import { type Fixture, testGolden } from '../golden.ts';
import { channelsFirst, host, images } from './networks.ts';
import { boxed, column, expectGradients, latents, pggan } from './pggan-networks.ts';

await openEngine();

function configOf(f: Fixture, stage?: number): PgganConfig {
	const { channel: c, z_dim: zDim } = f.config;
	const channels = [c, c, c, c, c / 2, c / 4, c / 4];
	return { dialect: 'rtil', resolution: 256, channels, zDim, stage };
}

interface Case {
	id: string;
	step: number;
	alpha: number;
	batch: number;
	loss: boolean;
}

function setting(f: Fixture, { id, step, alpha, batch }: Case) {
	const stage = 4 * 2 ** step;
	const networks = pggan(f, configOf(f, stage));
	const { generator, discriminator, g, d } = networks;
	const fade = step > 0 && alpha >= 0 && alpha < 1 ? alpha : undefined;
	const cut = `b${Math.min(stage, 32)}`;
	// The published pairing of codes and samples is the order in which they are drawn.
	const member = (k: number): tf.Tensor => {
		if (k === 0) {
			const styles = latents(f.tensor(`${id}.z`));
			return generator.synthesize(g, { styles, noises: [], fade });
		}
		const styles = latents(f.tensor(`${id}.z${k}`));
		const { shape, data } = f.tensor(`${id}.dirichlet${k}`);
		const input = { styles, noises: [], fade };
		const weights = tf.tensor(data, [...shape]);
		const mixed = mixtureState(generator, g, input, cut, weights);
		const from: CutState = mixed.rgb ? { ...mixed, rgb: lastCode(styles) } : mixed;
		return generator.synthesize(g, { styles, noises: [], fade, from });
	};
	// While a block fades in, the published code takes the RGB image of the last code alone, not of the mixture.
	const lastCode = (all: tf.Tensor): tf.Tensor => {
		const styles = tf.slice(all, [all.shape[0]! - batch, 0, 0], [batch, -1, -1]);
		return generator.synthesizeTo(g, { styles, noises: [], fade }, cut).rgb!;
	};
	return {
		...networks,
		member,
		real: boxed(f.tensor('real'), batch, stage),
		score: (x: tf.Tensor) => discriminator.score(d, x, fade),
	};
}

testGolden('images and logits of every member equal the published code', 'rtil_mgan_train', (t, f) => {
	for (const c of f.config.cases as Case[]) {
		const { member, real, score } = setting(f, c);
		f.expect(`${c.id}.d_real`, column(score(real)));
		for (let k = 0; k < 3; k++) {
			const image = member(k);
			f.expect(`${c.id}.image${k}`, channelsFirst(image));
			f.expect(`${c.id}.d_fake${k}`, column(score(image)));
		}
	}
	t.pass();
});

testGolden('the family’s losses and gradients equal the published code', 'rtil_mgan_train', (t, f) => {
	for (const c of (f.config.cases as Case[]).filter(({ loss }) => loss)) {
		const { member, real, score, g, d } = setting(f, c);
		// Three members of equal weight.
		const weights = tf.fill([3 * c.batch], 1 / (3 * c.batch));
		const fakes = [0, 1, 2].map(member);
		const mixed = fakes.map((fake, k) =>
			interpolate(real, fake, tf.tensor(f.tensor(`${c.id}.gp_u${k}`).data)),
		);
		const penalty = (k: number): tf.Tensor => tf.mul(tf.mean(gradientPenalties(score, mixed[k]!)), 10);
		const penalties = (): tf.Tensor => tf.div(tf.addN([0, 1, 2].map(penalty)), 3);
		// The standard deviation goes over each member's batch.
		const logits = (): tf.Tensor => tf.concat(fakes.map(score));
		for (let k = 0; k < 3; k++) f.expect(`${c.id}.gp${k}`, penalty(k).dataSync()[0]!);
		f.expect(`${c.id}.gp`, penalties().dataSync()[0]!);
		const realTerm = tf.sub(tf.mean(score(real)), tf.mul(drift(score(real)), 0.001)).dataSync()[0]!;
		const fakeTerm = tf.mean(logits()).dataSync()[0]!;
		f.expect(`${c.id}.real_term`, realTerm);
		f.expect(`${c.id}.fake_term`, fakeTerm);
		f.expect(`${c.id}.disc_logged`, realTerm - fakeTerm);

		const critic = valueAndGradients(() => {
			const own = score(real);
			const regularised = tf.add(penalties(), tf.mul(drift(own), 0.001));
			return tf.add(criticLoss(own, logits(), weights), regularised) as tf.Scalar;
		}, d);
		expectGradients(f, `${c.id}.`, 'd', critic.gradients, { dialect: 'rtil', network: 'discriminator' });
		const generator = valueAndGradients(
			() => wassersteinLoss(tf.concat([0, 1, 2].map((k) => score(member(k)))), weights),
			g,
		);
		f.expect(`${c.id}.g_loss`, generator.value.dataSync()[0]!);
		expectGradients(f, `${c.id}.`, 'g', generator.gradients, { dialect: 'rtil', network: 'generator' });
	}
	t.pass();
});

testGolden(
	'inversion with a weight a code and channel equals the published code',
	'rtil_mgan_inverse*',
	(t, f) => {
		const { generator, g } = pggan(f, configOf(f));
		const indices = tf.tensor1d(Int32Array.from(f.tensor('indices').data), 'int32');
		const filter = tf.tensor(f.tensor('filters').data);
		const signs = tf.tensor(f.tensor('signs_u').data.map((value) => (value > 0 ? 1 : -1)));
		/** Image [N, H, W, 3] in [0, 1] → [N, n], of which `indices` are measured. */
		const convolve = (image: tf.Tensor): tf.Tensor => {
			const flat = tf.reshape(tf.transpose(image, [0, 3, 1, 2]), [image.shape[0]!, -1]);
			return circularConvolve(tf.mul(flat, signs), filter);
		};
		// As a mask: the gradient of a gather is beyond the wasm engine at this size.
		const measured = new Float32Array(filter.size);
		for (const i of indices.dataSync()) measured[i] = 1;
		const mask = tf.tensor1d(measured);
		const truth = convolve(images(f.tensor('target')));
		for (const { id, layer_in: layer, full } of f.config.cases) {
			const z = f.tensor(`${id}.z`);
			const alpha = f.tensor(`${id}.alpha`);
			const styles = latents({ shape: [z.shape[0]! * z.shape[1]!, z.shape[2]!], data: z.data });
			const weights = tf.tensor(alpha.data, [...alpha.shape]);
			const run = (): tf.Tensor => {
				const from = mixtureState(generator, g, { styles, noises: [] }, `b${4 * 2 ** (layer - 1)}`, weights);
				return tf.mul(tf.add(generator.synthesize(g, { styles, noises: [], from }), 1), 0.5);
			};
			const loss = (): tf.Tensor => {
				const squares = tf.mul(tf.square(tf.sub(convolve(run()), truth)), mask);
				return tf.div(tf.sum(squares), indices.size * z.shape[1]!);
			};
			const image = run();
			const pixels = channelsFirst(image);
			if (full) f.expect(`${id}.image`, pixels);
			f.expect(`${id}.image_box8`, channelsFirst(tf.avgPool(image as tf.Tensor4D, 8, 8, 'valid')));
			f.expect(`${id}.image_corner`, channelsFirst(tf.slice(image, [0, 0, 0, 0], [-1, 16, 16, -1])));
			const mean = pixels.data.reduce((sum, value) => sum + value, 0) / pixels.data.length;
			f.expect(`${id}.image_mean`, mean);
			f.expect(`${id}.y_gen_first64`, host(tf.gather(convolve(image), tf.slice(indices, 0, 64), 1)));
			f.expect(`${id}.mse`, loss().dataSync()[0]!);
			const [dz, dalpha] = vectorJacobian(loss, [styles, weights]);
			f.expect(`${id}.dz`, { shape: z.shape, data: host(dz!).data });
			f.expect(`${id}.dalpha`, host(dalpha!));
		}
		t.pass();
	},
);
