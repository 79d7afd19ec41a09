// Every layout that is known, in the order in which they are tried.
import type { ForeignLayout } from './contract.ts';
import { glowLayout } from './glow.ts';
import { pgganLayout } from './pggan.ts';
import { rosinality } from './stylegan2.ts';

export const layouts: readonly ForeignLayout[] = [
	rosinality,
	pgganLayout('rtil'),
	pgganLayout('zoo'),
	pgganLayout('karras'),
	glowLayout,
];

/** Networks that are told, to say why they cannot come in. */
export const refused: readonly (Pick<ForeignLayout, 'name' | 'recognise'> & { why: string })[] = [
	{
		name: 'PGGAN of akanimax/pro_gan_pytorch',
		recognise(has) {
			if (!has('layers.0.conv_1.weight')) return undefined;
			if (has('rgb_converters.0.weight')) return 'generator';
			return has('from_rgb.0.0.weight') ? 'discriminator' : undefined;
		},
		why: 'there is no PixelNorm between the first two layers of its generator and none on its latent; no PGGAN here is made so',
	},
];
