// A small StyleGAN2 with random weights and its latent statistics: a prior whose range is known.
import type { Engine, HostTensor, HostTensors } from '../../engine/index.ts';
import { elements, stream } from '../../engine/index.ts';
import { latentStatistics, type Prior, renderImages } from '../../inverter/index.ts';
import {
	type LpipsWeights,
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
	return { id: rtil ? 'tiny-rtil' : 'tiny', generator, params, latent, rtil };
}

/** A PGGAN of the same size. */
export function tinyPggan(engine: Engine): Prior {
	const generator = pgganGenerator({
		dialect: 'karras',
		resolution: 16,
		channels: [16, 16, 16],
		zDim: 16,
	});
	const params = generator.init(5);
	const latent = latentStatistics(engine, generator, params, { seed: 1 });
	return { id: 'tiny-pggan', generator, params, latent, rtil: null };
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
