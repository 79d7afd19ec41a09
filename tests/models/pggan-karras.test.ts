// PGGAN against genforce, whose networks hold the weights of the authors' code: levels of detail, fused scaling, WGAN-GP
// with all gradients; and the composition of codes of mGANprior.
import * as tf from '@tensorflow/tfjs-core';
import { openEngine, valueAndGradients } from '../../engine/index.ts';
import { mixtureState, type PgganConfig } from '../../models/index.ts';
import { average2, nearest2 } from '../../models/pggan-dialects.ts';
import { criticLoss, drift, gradientNorms, interpolate, wassersteinLoss } from '../../trainer/wgan.ts';
import { type Fixture, testGolden } from '../golden.ts';
import { channelsFirst, host, images } from './networks.ts';
import { column, expectGradients, latents, pggan } from './pggan-networks.ts';

await openEngine();

interface Case {
	id: string;
	fused: boolean;
	lod: number;
	batch: number;
	loss: boolean;
}

function configOf(f: Fixture): PgganConfig {
	const { resolution, z_dim: zDim, fmaps_base: base, fmaps_max: most, group } = f.config;
	const channels = Array.from({ length: Math.log2(resolution) - 1 }, (_, k) =>
		Math.min(most, base / (4 * 2 ** k)),
	);
	return { dialect: 'karras', resolution, channels, zDim, stddevGroup: group };
}

/** The networks at a level of detail: halved ⌊lod⌋ times, the rest of it fading. Both ends at full resolution. */
function setting(f: Fixture, { fused, lod, batch }: Case) {
	const config = configOf(f);
	const halvings = Math.floor(lod);
	const stage = config.resolution / 2 ** halvings;
	const networks = pggan(f, { ...config, stage, fusedDown: fused }, fused ? 'gu.' : 'g.', fused);
	const fade = lod > halvings ? 1 - (lod - halvings) : undefined;
	const input = { styles: latents(f.tensor('z'), batch), noises: [], fade };
	const doubled = (x: tf.Tensor): tf.Tensor => (x.shape[1]! < config.resolution ? doubled(nearest2(x)) : x);
	return {
		...networks,
		real: tf.slice(images(f.tensor('real')), [0, 0, 0, 0], [batch, -1, -1, -1]),
		generate: () => doubled(networks.generator.synthesize(networks.g, input)),
		score: (x: tf.Tensor) => {
			let small = x;
			for (let i = 0; i < halvings; i++) small = average2(small);
			return networks.discriminator.score(networks.d, small, fade);
		},
	};
}

testGolden('images and logits at every level of detail equal genforce', 'pggan_karras', (t, f) => {
	for (const c of f.config.cases as Case[]) {
		const { generate, score, real } = setting(f, c);
		const image = generate();
		f.expect(`${c.id}.image`, channelsFirst(image));
		f.expect(`${c.id}.d_real`, column(score(real)));
		f.expect(`${c.id}.d_fake`, column(score(image)));
	}
	t.pass();
});

testGolden('WGAN-GP losses and all gradients equal the authors’', 'pggan_karras', (t, f) => {
	for (const c of (f.config.cases as Case[]).filter(({ loss }) => loss)) {
		const { generate, score, real, g, d } = setting(f, c);
		const fake = generate();
		const even = tf.fill([c.batch], 1 / c.batch);
		// There the drawn factor is the share of the fake image.
		const u = tf.sub(1, tf.tensor(f.tensor(`${c.id}.gp_u`).data));
		const norms = (): tf.Tensor => gradientNorms(score, interpolate(real, fake, u));
		const penalty = (): tf.Tensor => tf.mean(tf.square(tf.sub(norms(), 1)));
		f.expect(`${c.id}.gp_norms`, host(norms()));
		f.expect(`${c.id}.gp_mean`, penalty().dataSync()[0]!);
		f.expect(`${c.id}.drift_mean`, drift(score(real)).dataSync()[0]!);
		const critic = valueAndGradients(() => {
			const logits = score(real);
			const regularised = tf.add(tf.mul(penalty(), 10), tf.mul(drift(logits), 0.001));
			return tf.add(criticLoss(logits, score(fake), even), regularised) as tf.Scalar;
		}, d);
		f.expect(`${c.id}.d_loss`, critic.value.dataSync()[0]!);
		expectGradients(f, `${c.id}.`, 'd', critic.gradients, { dialect: 'karras', network: 'discriminator' });
		const own = valueAndGradients(() => wassersteinLoss(score(generate()), even), g);
		f.expect(`${c.id}.g_loss`, own.value.dataSync()[0]!);
		expectGradients(f, `${c.id}.`, 'g', own.gradients, { dialect: 'karras', network: 'generator' });
	}
	t.pass();
});

testGolden(
	'mGANprior’s generator and its composition of codes equal the reference',
	'pggan_karras',
	(t, f) => {
		const { generator, g } = pggan(f, configOf(f));
		const plain = generator.synthesize(g, { styles: latents(f.tensor('z'), 4), noises: [] });
		f.expect('mgp.image', channelsFirst(plain));
		for (const { id, layer, n_codes: codes } of f.config.mgan_cases) {
			const z = f.tensor(`${id}.z`);
			const alpha = f.tensor(`${id}.alpha`);
			// There the sum is divided by the number of codes besides. Layers count from the lowest block, two a block.
			const weights = tf.div(tf.tensor(alpha.data, [...alpha.shape]), codes);
			const side = 4 * 2 ** Math.floor((layer - 1) / 2);
			const rows = z.shape[0]! * z.shape[1]!;
			const styles = tf.tensor(z.data, [rows, 1, generator.zDim]);
			const cut = layer % 2 === 0 ? `b${side}` : `b${side}.0`;
			const from = mixtureState(generator, g, { styles, noises: [] }, cut, weights);
			f.expect(`${id}.fused`, channelsFirst(from.features));
			f.expect(`${id}.image`, channelsFirst(generator.synthesize(g, { styles, noises: [], from })));
		}
		t.pass();
	},
);
