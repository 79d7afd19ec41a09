// Compressed sensing with a partial circulant matrix and random signs: y = S (g ∗ (s ⊙ x)). RTIL (TMLR 2023), §4 and its
// reference code; x is flattened in C, H, W order as there. The measurement is held at full length n with zeros where
// S selects nothing: the same numbers, and neither a gather nor a scatter on the device. For small sizes, a dense
// Gaussian matrix beside it (dense.ts).
//
// `scale: 'isometric'` divides by √m, so that E‖Ax‖² = ‖x‖²; `'published'` has entries N(0, 1) as they are, where the
// mean squared residual is about n times the image's.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { circularConvolve, type HostTensors, stream } from '../../engine/index.ts';
import { denseMatrix, multiplyRows, requireRoom } from './dense.ts';
import { signedNoiseSchema } from './noise.ts';
import { type ImageShape, type Operator, perImage, pixels } from './operator.ts';

const schema = z.strictObject({
	kind: z.literal('compressed-sensing'),
	ratio: z.number().positive().max(1).describe('m / n: measurements by image values.'),
	matrix: z
		.enum(['circulant', 'gaussian'])
		.optional()
		.describe(
			'circulant (absent: this): partial circulant, one an image, any size; gaussian: dense, one a seed, for small sizes.',
		),
	signs: z.boolean().default(true).describe('Random ±1 before the convolution; the dense matrix needs none.'),
	scale: z
		.enum(['isometric', 'published'])
		.default('isometric')
		.describe('isometric: E‖Ax‖² = ‖x‖²; published: entries N(0, 1), m times the energy.'),
	noise: signedNoiseSchema.optional(),
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
	summary:
		'partial circulant matrix with random signs, or a dense Gaussian one; ratio = measurements / image values',
	schema,
	examples: [
		{ kind: 'compressed-sensing', ratio: 0.1 },
		{ kind: 'compressed-sensing', ratio: 0.1, matrix: 'gaussian' },
	],
	level: ({ ratio }) => ratio,
	variant: ({ matrix }) => (matrix === 'gaussian' ? matrix : undefined),
	check({ ratio, matrix }, image) {
		const n = pixels(image);
		if (matrix === 'gaussian') requireRoom(measurements(ratio, n), n);
	},
	measurementShape({ ratio, matrix }, image) {
		const n = pixels(image);
		return [matrix === 'gaussian' ? measurements(ratio, n) : n];
	},
	parameters({ ratio, matrix, signs, scale }, image, keys): HostTensors {
		const n = pixels(image);
		const m = measurements(ratio, n);
		const factor = scale === 'isometric' ? 1 / Math.sqrt(m) : 1;
		if (matrix === 'gaussian') return { matrix: denseMatrix(m, n, factor, keys) };
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
	support: ({ selected }) => selected,
	apply({ signs, filter, selected, matrix }, x) {
		if (matrix) return multiplyRows(flatten(x), matrix, false);
		return tf.mul(circularConvolve(tf.mul(flatten(x), signs!), filter as tf.Tensor2D), selected!);
	},
	adjoint({ signs, filter, selected, matrix }, y, image) {
		if (matrix) return unflatten(multiplyRows(y as tf.Tensor2D, matrix, true), image);
		const back = circularConvolve(tf.mul(y, selected!), mirrored(filter as tf.Tensor2D));
		return unflatten(tf.mul(back, signs!) as tf.Tensor2D, image);
	},
};
