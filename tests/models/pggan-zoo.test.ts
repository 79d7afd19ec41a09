// PGGAN against pytorch_GAN_zoo: every stage with and without fade-in, WGAN-GP with all gradients.
import * as tf from '@tensorflow/tfjs-core';
import { openEngine, valueAndGradients } from '../../engine/index.ts';
import { criticLoss, drift, gradientPenalties, interpolate, wassersteinLoss } from '../../trainer/wgan.ts';
import { type Fixture, testGolden } from '../golden.ts';
import { channelsFirst, host } from './networks.ts';
import { boxed, column, expectGradients, latents, pggan } from './pggan-networks.ts';

await openEngine();

interface Case {
	id: string;
	stage: number;
	alpha: number;
	batch: number;
}

function setting(f: Fixture, { stage, alpha, batch }: Case) {
	const { depths, z_dim: zDim } = f.config;
	const size = 4 * 2 ** stage;
	const networks = pggan(f, {
		dialect: 'zoo',
		resolution: 4 * 2 ** (depths.length - 1),
		channels: depths,
		zDim,
		stage: size,
	});
	// There alpha is the weight of what fades out, and at the first growth only the generator fades.
	const fade = alpha > 0 ? 1 - alpha : undefined;
	return {
		...networks,
		input: { styles: latents(f.tensor('z'), batch), noises: [], fade },
		fadeD: stage > 1 ? fade : undefined,
		real: boxed(f.tensor('real'), batch, size),
	};
}

testGolden('images, features and logits of every stage equal the GAN zoo', 'pggan_zoo', (t, f) => {
	for (const c of f.config.forward_cases as Case[]) {
		const { generator, discriminator, g, d, input, fadeD, real } = setting(f, c);
		const image = generator.synthesize(g, input);
		f.expect(`${c.id}.image`, channelsFirst(image));
		f.expect(`${c.id}.d_feature`, host(discriminator.embedding(d, real, fadeD)));
		f.expect(`${c.id}.d_real`, column(discriminator.score(d, real, fadeD)));
		f.expect(`${c.id}.d_fake`, column(discriminator.score(d, image, fadeD)));
	}
	t.pass();
});

testGolden('WGAN-GP losses and all gradients equal the GAN zoo', 'pggan_zoo', (t, f) => {
	const { lambdaGP, epsilonD } = f.config;
	for (const c of f.config.loss_cases as Case[]) {
		const { generator, discriminator, g, d, input, fadeD, real } = setting(f, c);
		const score = (x: tf.Tensor): tf.Tensor => discriminator.score(d, x, fadeD);
		const fake = generator.synthesize(g, input);
		f.expect(`${c.id}.fake`, channelsFirst(fake));
		// There losses are sums over the batch.
		const ones = tf.fill([c.batch], 1);
		const mixed = interpolate(real, fake, tf.tensor(f.tensor(`${c.id}.gp_u`).data));
		const penalty = valueAndGradients(
			() => tf.mul(tf.sum(gradientPenalties(score, mixed)), lambdaGP) as tf.Scalar,
			d,
		);
		f.expect(`${c.id}.lossD_Grad`, penalty.value.dataSync()[0]!);
		const layout = { dialect: 'zoo', network: 'discriminator' } as const;
		expectGradients(f, `${c.id}.`, 'gp', penalty.gradients, layout);

		const rest = valueAndGradients(
			() =>
				tf.add(
					criticLoss(tf.mul(score(real), c.batch), score(fake), ones),
					tf.mul(drift(score(real)), epsilonD * c.batch),
				) as tf.Scalar,
			d,
		);
		expectGradients(f, `${c.id}.`, 'rest', rest.gradients, layout);
		f.expect(`${c.id}.lossD_real`, -tf.sum(score(real)).dataSync()[0]!);
		f.expect(`${c.id}.lossD_fake`, tf.sum(score(fake)).dataSync()[0]!);
		f.expect(`${c.id}.lossD_Epsilon`, tf.mul(drift(score(real)), epsilonD * c.batch).dataSync()[0]!);

		const { value, gradients } = valueAndGradients(
			() => wassersteinLoss(score(generator.synthesize(g, input)), ones),
			g,
		);
		f.expect(`${c.id}.lossG_fake`, value.dataSync()[0]!);
		expectGradients(f, `${c.id}.`, 'g', gradients, { dialect: 'zoo', network: 'generator' });
	}
	t.pass();
});
