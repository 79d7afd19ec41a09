// The image itself: plain inversion (identity), and denoising, which is the identity with noise that must be given.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { givenNoiseSchema, noiseField, noiseLevel } from './noise.ts';
import type { ImageShape, Operator } from './operator.ts';

const identitySchema = z.strictObject({ kind: z.literal('identity'), ...noiseField });

const denoisingSchema = z.strictObject({ kind: z.literal('denoising'), noise: givenNoiseSchema });

const parts = {
	measurementShape: (_spec: unknown, { height, width, channels }: ImageShape) => [height, width, channels],
	parameters: () => ({}),
	apply: (_parameters: unknown, x: tf.Tensor4D): tf.Tensor => tf.clone(x),
	adjoint: (_parameters: unknown, y: tf.Tensor): tf.Tensor4D => tf.clone(y as tf.Tensor4D),
};

export const identity: Operator<typeof identitySchema> = {
	kind: 'identity',
	summary: 'the whole image: plain inversion',
	schema: identitySchema,
	examples: [{ kind: 'identity' }],
	level: () => 1,
	...parts,
};

export const denoising: Operator<typeof denoisingSchema> = {
	kind: 'denoising',
	summary:
		'the whole image with noise: Gaussian (sigma), by signal-to-noise ratio (decibels) or Poisson (photons)',
	schema: denoisingSchema,
	examples: [
		{ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.2 } },
		{ kind: 'denoising', noise: { kind: 'snr', decibels: 15 } },
		{ kind: 'denoising', noise: { kind: 'poisson', photons: 30 } },
	],
	level: ({ noise }) => noiseLevel(noise),
	variant: ({ noise }) => (noise.kind === 'gaussian' ? undefined : noise.kind),
	...parts,
};
