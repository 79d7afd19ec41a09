// Compressed sensing with a partial circulant matrix and random signs: y = S (g ∗ (s ⊙ x)). RTIL (TMLR 2023), §4 and its
// reference code; x is flattened in C, H, W order as there. The measurement is held at full length n with zeros where
// S selects nothing: the same numbers, and neither a gather nor a scatter on the device.
//
// `scale: 'isometric'` divides by √m, so that E‖Ax‖² = ‖x‖²; `'published'` has g ~ N(0, 1) as it is, where the mean
// squared residual is about n times the image's.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { circularConvolve, stream } from '../../engine/index.ts';
import { type ImageShape, noiseField, type Operator, perImage, pixels } from './operator.ts';

const schema = z.strictObject({
	kind: z.literal('compressed-sensing'),
	/** m / n: measurements by image values. */
	ratio: z.number().positive().max(1),
	/** Random ±1 before the convolution. */
	signs: z.boolean().default(true),
	scale: z.enum(['isometric', 'published']).default('isometric'),
	...noiseField,
});

/** m = ⌊ratio · n⌋, at least 1. */
function measurements(ratio: number, n: number): number {
	// The slack keeps 0.3 · 10 = 2.999… at 3.
	return Math.max(1, Math.floor(ratio * n + 1e-9));
}

/** [N, H, W, C] → [N, n] in C, H, W order. */
const flatten = (x: tf.Tensor4D): tf.Tensor2D => tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [x.shape[0], -1]);

const unflatten = (x: tf.Tensor2D, { height, width, channels }: ImageShape): tf.Tensor4D =>
	tf.transpose(tf.reshape(x, [x.shape[0], channels, height, width]), [0, 2, 3, 1]);

/** The filter of the transposed circulant matrix: g[−i mod n]. */
function mirrored(filter: tf.Tensor2D): tf.Tensor2D {
	const [N, n] = filter.shape;
	return tf.concat(
		[tf.slice(filter, [0, 0], [N, 1]), tf.reverse(tf.slice(filter, [0, 1], [N, n - 1]), 1)],
		1,
	);
}

export const compressedSensing: Operator<typeof schema> = {
	kind: 'compressed-sensing',
	summary: 'partial circulant matrix with random signs; ratio = measurements / image values',
	schema,
	level: ({ ratio }) => ratio,
	measurementShape: (_spec, image) => [pixels(image)],
	parameters({ ratio, signs, scale }, image, keys) {
		const n = pixels(image);
		const m = measurements(ratio, n);
		const factor = scale === 'isometric' ? 1 / Math.sqrt(m) : 1;
		return {
			signs: perImage(keys, [n], ({ seed, image: name }) =>
				signs
					? stream(seed, `circulant.signs/${name}`)
							.uniforms(0, n)
							.map((u) => (u < 0.5 ? -1 : 1))
					: new Float32Array(n).fill(1),
			),
			filter: perImage(keys, [n], ({ seed, image: name }) =>
				stream(seed, `circulant.filter/${name}`)
					.normals(0, n)
					.map((g) => g * factor),
			),
			selected: perImage(keys, [n], ({ seed, image: name }) => {
				const chosen = new Float32Array(n);
				for (const i of stream(seed, `circulant.rows/${name}`).permutation(0, n).subarray(0, m))
					chosen[i] = 1;
				return chosen;
			}),
		};
	},
	support: ({ selected }) => selected!,
	apply: ({ signs, filter, selected }, x) =>
		tf.mul(circularConvolve(tf.mul(flatten(x), signs!), filter as tf.Tensor2D), selected!),
	adjoint: ({ signs, filter, selected }, y, image) =>
		unflatten(
			tf.mul(circularConvolve(tf.mul(y, selected!), mirrored(filter as tf.Tensor2D)), signs!) as tf.Tensor2D,
			image,
		),
};
