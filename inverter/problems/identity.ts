// The image itself: plain inversion (identity), and denoising, which is the identity with noise that must be given.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { type ImageShape, noiseField, type Operator } from './operator.ts';

const identitySchema = z.strictObject({ kind: z.literal('identity'), ...noiseField });

const denoisingSchema = z.strictObject({
	kind: z.literal('denoising'),
	noise: z.strictObject({ kind: z.literal('gaussian'), sigma: z.number().positive().max(10) }),
});

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
	level: () => 1,
	...parts,
};

export const denoising: Operator<typeof denoisingSchema> = {
	kind: 'denoising',
	summary: 'the whole image with Gaussian noise of a given sigma',
	schema: denoisingSchema,
	level: ({ noise }) => noise.sigma,
	...parts,
};
