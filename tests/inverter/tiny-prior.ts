// Small networks with random weights: priors whose range is known.
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, HostTensor, HostTensors } from '../../engine/index.ts';
import { elements, stream } from '../../engine/index.ts';
import { type GlowPrior, type Prior, renderImages } from '../../inverter/index.ts';
import {
	type Glow,
	type GlowArchitecture,
	glowOf,
	type LpipsWeights,
	latentStatistics,
	lpips,
	type PerceptualNetwork,
	type PgganConfig,
	pgganDiscriminator,
	pgganGenerator,
	type StyleGAN2Config,
	stylegan2Discriminator,
	stylegan2Generator,
} from '../../models/index.ts';

/** 16², 16 channels. */
export function tinyPrior(engine: Engine, rtil: Prior['rtil'] = null): Prior {
	const generator = stylegan2Generator({
		resolution: 16,
		channels: [16, 16, 16],
		zDim: 16,
		wDim: 16,
		mappingLayers: 2,
	});
	const params = generator.init(5);
	// Random ToRGB weights give images of a deviation far above 1.
	for (const [name, { data }] of Object.entries(params)) {
		if (name.endsWith('noise.weight')) data.fill(0.1);
		if (/to_rgb.*conv\.weight/.test(name)) for (const [i, value] of data.entries()) data[i] = 0.15 * value;
	}
	const latent = latentStatistics(engine, generator, params, { seed: 1 });
	return { kind: 'gan', id: rtil ? 'tiny-rtil' : 'tiny', generator, params, latent, rtil };
}

/** A PGGAN of the same size, or larger. */
export function tinyPggan(engine: Engine, resolution = 16): Prior {
	const generator = pgganGenerator({
		dialect: 'karras',
		resolution,
		channels: Array.from({ length: Math.log2(resolution) - 1 }, () => 16),
		zDim: 16,
	});
	const params = generator.init(5);
	const latent = latentStatistics(engine, generator, params, { seed: 1 });
	return { kind: 'gan', id: 'tiny-pggan', generator, params, latent, rtil: null };
}

/** A prior with a discriminator of its size, random as the generator. */
export function withDiscriminator(prior: Prior): Prior {
	const { kind, config } = prior.generator;
	const network =
		kind === 'pggan'
			? pgganDiscriminator(config as PgganConfig)
			: stylegan2Discriminator(config as StyleGAN2Config);
	return { ...prior, discriminator: { network, params: network.init(6) } };
}

/** An LPIPS with random weights. */
export async function randomLpips(network: PerceptualNetwork): Promise<LpipsWeights> {
	const params: HostTensors = {};
	for (const [name, shape] of Object.entries(lpips({ network }).shapes)) {
		const inputs = elements(shape.slice(0, -1));
		const data = stream(4, name).normals(0, elements(shape));
		const scale = name.endsWith('bias') ? 0 : Math.sqrt(2 / inputs);
		params[name] = {
			shape,
			data: data.map((value) => (name.startsWith('lin') ? value ** 2 : scale * value)),
		};
	}
	return { network, version: '0.1', params };
}

/** Images of the prior itself, without noise: [N, 16, 16, 3]. */
export function ownImages(engine: Engine, prior: Prior, count: number, seed = 3): HostTensor {
	const z = stream(seed, 'own').normals(0, count * prior.generator.zDim);
	return renderImages(engine, prior, z);
}

export const tinyGlowArchitecture: GlowArchitecture = {
	kind: 'glow',
	resolution: 16,
	blocks: 2,
	steps: 2,
	coupling: 'affine',
	filters: 8,
};

/** A Glow of the same size whose couplings and priors do something, its actnorms those of these images. */
export function tinyGlow(images: HostTensor): GlowPrior {
	const glow = glowOf(tinyGlowArchitecture);
	const stored = tinyGlowParams(glow, images);
	return { kind: 'glow', id: 'tiny-glow', glow, params: { ...stored, ...glow.derived(stored) } };
}

/** What a checkpoint of it holds. */
export function tinyGlowParams(glow: Glow, images: HostTensor): HostTensors {
	const params = glow.init(5);
	for (const [name, { data }] of Object.entries(params)) {
		if (!/net\.4|prior/.test(name)) continue;
		for (const [i, value] of stream(6, name).normals(0, data.length).entries()) data[i] = 0.05 * value;
	}
	tf.tidy(() => {
		const tensors = Object.entries({ ...params, ...glow.derived(params) });
		const loaded = tensors.map(([name, { shape, data }]) => [name, tf.tensor(data.slice(), [...shape])]);
		const x = tf.mul(tf.tensor(images.data.slice(), [...images.shape]), 0.5);
		for (const [name, value] of Object.entries(glow.normalise(Object.fromEntries(loaded), x)))
			params[name] = { shape: value.shape, data: value.dataSync().slice() as Float32Array };
	});
	return params;
}
