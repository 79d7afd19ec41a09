// Bilinear sampling of images at affine positions, as a linear map of the image with its exact adjoint: differentiable
// to any order on every engine. (tfjs has neither `Transform` on libtensorflow nor gradients of GatherNd and ScatterNd,
// and its GatherV2 reads its indices back, which a captured program may not.)
import * as tf from '@tensorflow/tfjs-core';
import { withGradients } from '../gradients.ts';

export interface AffineOptions {
	/** Sides of the result. */
	height: number;
	width: number;
	/** Last row and column, counted from 0, at which positions outside turn back (mirrored, the edge not repeated). */
	lastRow: number;
	lastColumn: number;
}

/**
 * y[n, i, j] = x[n] at row c·j + d·i + f and column a·j + b·i + e, interpolated between the four pixels around.
 *
 * Gathers one row of 4·C numbers a sample, so that what an engine pays for an index it pays once, not four times.
 *
 * @param x [N, H, W, C]; 1 ≤ lastRow < H, 1 ≤ lastColumn < W
 * @param maps [N, 6]: a, b, e, c, d, f of each image, in pixels; no gradient flows to them
 * @returns [N, height, width, C]
 */
export function affineSample(x: tf.Tensor, maps: tf.Tensor, options: AffineOptions): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	const samples = options.height * options.width;
	const sample = (image: tf.Tensor, at: tf.Tensor): tf.Tensor =>
		withGradients(
			[image, at],
			([image, at]) => {
				const { indices, weights } = positions(at!, options);
				const found = tf.gatherND(neighbours(image!), indices as tf.Tensor2D); // [N·S, 4C]
				const weighted = tf.mul(tf.reshape(found, [n * samples, 4, c]), weights);
				return tf.reshape(tf.sum(weighted, 1), [n, options.height, options.width, c]);
			},
			(dy, [, at]) => [spread(dy, at!), tf.zerosLike(at!)],
		);
	const spread = (y: tf.Tensor, at: tf.Tensor): tf.Tensor =>
		withGradients(
			[y, at],
			([y, at]) => {
				const { indices, weights } = positions(at!, options);
				const shares = tf.mul(tf.reshape(y!, [n * samples, 1, c]), weights);
				const updates = tf.reshape(shares, [n * samples, 4 * c]);
				return fromNeighbours(tf.scatterND(indices as tf.Tensor2D, updates, [n, h, w, 4 * c]));
			},
			(dx, [, at]) => [sample(dx, at!), tf.zerosLike(at!)],
		);
	return sample(x, maps);
}

/** Image, row and column of the upper left pixel of each sample [N·S, 3], and the weights of the four [N·S, 4, 1]. */
function positions(
	maps: tf.Tensor,
	{ height, width, lastRow, lastColumn }: AffineOptions,
): { indices: tf.Tensor; weights: tf.Tensor } {
	const n = maps.shape[0]!;
	const total = n * height * width;
	const column = tf.reshape(tf.range(0, width), [1, 1, width]);
	const row = tf.reshape(tf.range(0, height), [1, height, 1]);
	const [a, b, e, c, d, f] = tf.split(maps, 6, 1).map((value) => tf.reshape(value, [n, 1, 1])) as [
		tf.Tensor,
		tf.Tensor,
		tf.Tensor,
		tf.Tensor,
		tf.Tensor,
		tf.Tensor,
	];
	const x = mirrored(tf.add(tf.add(tf.mul(a, column), tf.mul(b, row)), e), lastColumn); // [N, h, w]
	const y = mirrored(tf.add(tf.add(tf.mul(c, column), tf.mul(d, row)), f), lastRow);
	const [left, top] = [tf.floor(x), tf.floor(y)];
	const image = tf.add(tf.zeros([n, height, width]), tf.reshape(tf.range(0, n), [n, 1, 1]));
	const indices = tf.cast(tf.stack([image, top, left], 3), 'int32');
	const [right, below] = [tf.sub(x, left), tf.sub(y, top)];
	const [stay, above] = [tf.sub(1, right), tf.sub(1, below)];
	const weights = tf.stack(
		[tf.mul(above, stay), tf.mul(above, right), tf.mul(below, stay), tf.mul(below, right)],
		3,
	);
	return { indices: tf.reshape(indices, [total, 3]), weights: tf.reshape(weights, [total, 4, 1]) };
}

/** Folds the line onto [0, last]. */
function mirrored(x: tf.Tensor, last: number): tf.Tensor {
	const period = tf.sub(x, tf.mul(tf.floor(tf.div(x, 2 * last)), 2 * last)); // [0, 2·last)
	return tf.maximum(0, tf.sub(last, tf.abs(tf.sub(last, period)))); // rounding may reach below 0
}

const corners = [
	[0, 0],
	[0, 1],
	[1, 0],
	[1, 1],
] as const;

/** Each pixel with those to its right, below, and below right as channels, zeros beyond the edge: [N, H, W, 4C]. */
function neighbours(x: tf.Tensor): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	const padded = tf.pad(x, [
		[0, 0],
		[0, 1],
		[0, 1],
		[0, 0],
	]);
	return tf.concat(
		corners.map(([i, j]) => tf.slice(padded, [0, i, j, 0], [n, h, w, c])),
		3,
	);
}

/** The adjoint of `neighbours`. */
function fromNeighbours(y: tf.Tensor): tf.Tensor {
	const [n, h, w] = y.shape as [number, number, number, number];
	const shifted = tf.split(y, 4, 3).map((part, k) => {
		const [i, j] = corners[k]!;
		return tf.pad(part, [
			[0, 0],
			[i, 1 - i],
			[j, 1 - j],
			[0, 0],
		]);
	});
	return tf.slice(tf.addN(shifted), [0, 0, 0, 0], [n, h, w, -1]);
}
