// Differentiable augmentation of what the discriminator sees: the pixel, geometric and colour transforms of adaptive
// discriminator augmentation (Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data",
// appendix B and figure 6 of its pipeline `bgc`). All that is random is drawn on the host (augment-draws.ts) and comes
// in as matrices; here is the part made of tensors, linear in the image but for the colour's offset.
//
// Differences from the published pipeline: positions outside the image are mirrored without limit, by their coordinates
// instead of by a margin of the image; an image that no geometric transform was drawn for is not resampled at all.
import * as tf from '@tensorflow/tfjs-core';
import { affineSample, alongAxes, type TensorMap } from '../engine/index.ts';

/** Orthogonal low-pass filter sym6 (Daubechies 1992, table 8.3): Σ h² = 1, Σ h = √2. */
export const sym6: readonly number[] = [
	0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
	0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
	0.0017677118642428036, -0.007800708325034148,
];

/** Samples by which the doubled grid begins before the image: what halving reads on the left. */
const early = 5;

/** Pixel i lies at 2i + phase of the doubled image: the filter's centre of mass, Σ k·h / Σ h = 5.098, is no whole tap. */
const phase = sym6.reduce((sum, tap, k) => sum + k * tap, 0) / Math.SQRT2 - early;

/** Samples of the doubled grid that halving needs on both sides together. */
const margin = sym6.length - 2;

/** Shapes of the inputs of `augment` for `n` images; `prefix` as in `prefixed`. */
export function augmentationShapes(n: number, prefix = ''): Record<string, number[]> {
	return prefixed(prefix, { geometry: [n, 6], moved: [n], colour: [n, 12] });
}

/** Inputs of `augment` under names of their own, where a step augments more than once. */
export function prefixed<Value>(prefix: string, inputs: Record<string, Value>): Record<string, Value> {
	return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [prefix + name, value]));
}

/**
 * Augments images [N, H, W, 3] on [-1, 1]; H and W at least 2. Its result may lie outside [-1, 1].
 *
 * Geometry: the image is doubled with sym6, sampled bilinearly on a doubled grid and halved again, which keeps what
 * is made smaller from aliasing. Colour: rgb → C·rgb + c.
 *
 * @param inputs as `augmentationSource` draws them, `geometry` [N, 6], the affine
 * maps from result to source in pixels about the centre (a, b, e, c, d, f: x' = a·x + b·y + e, y' = c·x + d·y + f);
 * `moved` [N], 1 where the geometry is not the identity, else 0; `colour` [N, 12], the rows of [C | c].
 * @param prefix before the names of the inputs.
 */
export function augment(images: tf.Tensor, inputs: TensorMap, prefix = ''): tf.Tensor {
	const [geometry, moved, colour] = ['geometry', 'moved', 'colour'].map((name) => inputs[prefix + name]!);
	return recolour(move(images, geometry!, moved!), colour!);
}

/** The geometric part of `augment`. */
export function move(images: tf.Tensor, geometry: tf.Tensor, moved: tf.Tensor): tf.Tensor {
	const [, h, w] = images.shape as [number, number, number, number];
	const doubled = alongAxes(images, doubling(h), doubling(w)); // [N, 2H, 2W, 3]
	const sampled = affineSample(doubled, doubledMaps(geometry, h, w), {
		height: 2 * h + margin,
		width: 2 * w + margin,
		lastRow: 2 * h - 2,
		lastColumn: 2 * w - 2,
	});
	const halved = alongAxes(sampled, halving(h), halving(w));
	const chosen = tf.reshape(moved, [-1, 1, 1, 1]);
	return tf.add(tf.mul(halved, chosen), tf.mul(images, tf.sub(1, chosen)));
}

/** The maps of `affineSample` from the doubled grid, which begins `early`, to the doubled image. */
function doubledMaps(geometry: tf.Tensor, h: number, w: number): tf.Tensor {
	const n = geometry.shape[0]!;
	const [linear, shift] = tf.split(tf.reshape(geometry, [n, 2, 3]), [2, 1], 2) as [tf.Tensor, tf.Tensor];
	// Index j on the grid is at x = (j − early − phase) / 2 − c, c = (W − 1) / 2, and x' at 2·(x' + c) + phase.
	const origin = tf.tensor3d([early + phase + w - 1, early + phase + h - 1], [1, 1, 2]);
	const begin = tf.sum(tf.mul(linear, origin), 2, true);
	const end = tf.tensor3d([phase + w - 1, phase + h - 1], [1, 2, 1]);
	const offset = tf.add(tf.sub(tf.mul(shift, 2), begin), end);
	return tf.reshape(tf.concat([linear, offset], 2), [n, 6]);
}

/** rgb → C·rgb + c, the matrices [N, 12] row by row. */
export function recolour(images: tf.Tensor, colour: tf.Tensor): tf.Tensor {
	const [n, h, w, c] = images.shape as [number, number, number, number];
	const [matrix, offset] = tf.split(tf.reshape(colour, [n, 3, 4]), [3, 1], 2) as [tf.Tensor, tf.Tensor];
	const turned = tf.matMul(tf.reshape(images, [n, h * w, c]), matrix, false, true);
	return tf.reshape(tf.add(turned, tf.reshape(offset, [n, 1, 3])), [n, h, w, c]);
}

/** Twice as many samples of a signal of n, mirrored at its ends: [2n, n]. */
function doubling(n: number): tf.Tensor2D {
	const data = new Float64Array(2 * n * n);
	for (let j = 0; j < 2 * n; j++) {
		sym6.forEach((tap, k) => {
			const twice = j + early - k;
			if (twice % 2 === 0) data[j * n + mirroredIndex(twice / 2, n)]! += Math.SQRT2 * tap;
		});
	}
	return tf.tensor2d(Float32Array.from(data), [2 * n, n]);
}

/** Half as many samples, by the adjoint of doubling: [n, 2n + margin] from a signal that begins `early`. */
function halving(n: number): tf.Tensor2D {
	const columns = 2 * n + margin;
	const data = new Float32Array(n * columns);
	for (let i = 0; i < n; i++) {
		sym6.forEach((tap, k) => {
			data[i * columns + 2 * i + k] = tap / Math.SQRT2;
		});
	}
	return tf.tensor2d(data, [n, columns]);
}

function mirroredIndex(i: number, n: number): number {
	const period = 2 * (n - 1);
	const at = ((i % period) + period) % period;
	return Math.min(at, period - at);
}
