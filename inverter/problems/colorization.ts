// Colorization: y is the grey image, a weighted sum of the channels.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { expected } from '../../errors/index.ts';
import { noiseField } from './noise.ts';
import type { Operator } from './operator.ts';

/** Weights of red, green and blue. */
const greys = {
	itu601: [0.299, 0.587, 0.114],
	itu709: [0.2125, 0.7154, 0.0721],
	mean: [1 / 3, 1 / 3, 1 / 3],
} as const;

const schema = z.strictObject({
	kind: z.literal('colorization'),
	grey: z
		.enum(['itu601', 'itu709', 'mean'])
		.default('itu601')
		.describe('Weights of red, green and blue: ITU-R BT.601, BT.709, or equal.'),
	...noiseField,
});

export const colorization: Operator<typeof schema> = {
	kind: 'colorization',
	summary: 'colours from the grey image (grey: itu601, itu709 or mean)',
	schema,
	examples: [{ kind: 'colorization' }],
	level: () => 1,
	check(_spec, { channels }) {
		if (channels !== 3) throw expected('an image of 3 channels', 'colorization', channels);
	},
	measurementShape: (_spec, { height, width }) => [height, width, 1],
	parameters: ({ grey }) => ({ weights: { shape: [3, 1], data: Float32Array.from(greys[grey]) } }),
	apply({ weights }, x) {
		const [N, H, W] = x.shape;
		return tf.reshape(tf.matMul(tf.reshape(x, [-1, 3]), weights as tf.Tensor2D), [N, H, W, 1]);
	},
	adjoint({ weights }, y, { height, width }) {
		const N = y.shape[0]!;
		const spread = tf.matMul(tf.reshape(y, [-1, 1]), weights as tf.Tensor2D, false, true);
		return tf.reshape(spread, [N, height, width, 3]);
	},
};
