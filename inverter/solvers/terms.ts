// Terms and constraints of the objectives, one value an image. Pure functions of tensors.
import * as tf from '@tensorflow/tfjs-core';

/** Sum over everything but the batch: [N, …] → [N, 1]. */
export function sumPerImage(x: tf.Tensor): tf.Tensor2D {
	return tf.sum(tf.reshape(x, [x.shape[0]!, -1]), 1, true) as tf.Tensor2D;
}

/**
 * Geodesic cross-distance of the rows of w+ (PULSE; ILO appendix): mean over all pairs of D · θ² / 8 with
 * θ = 2 atan2(‖a − b‖, ‖a + b‖). [N, R, D] → [N, 1]; 0 when all rows agree.
 */
export function geodesic(rows: tf.Tensor3D): tf.Tensor2D {
	const [N, R, D] = rows.shape;
	const gram = tf.matMul(rows, rows, false, true); // [N, R, R]
	const squares = tf.sum(tf.square(rows), 2, true); // [N, R, 1]
	const both = tf.add(squares, tf.reshape(squares, [N, 1, R]));
	// relu: a difference of equal rows may come out negative by rounding. 1e-9 as published.
	const apart = tf.sqrt(tf.add(tf.relu(tf.sub(both, tf.mul(gram, 2))), 1e-9));
	const together = tf.sqrt(tf.add(tf.relu(tf.add(both, tf.mul(gram, 2))), 1e-9));
	const angle = tf.mul(tf.atan2(apart, together), 2);
	return tf.mul(sumPerImage(tf.square(angle)), D / (8 * R * R)) as tf.Tensor2D;
}

/**
 * Sum over all pairs of rows of |1 − cos| of the angle between them (BRGM, equation 6). [N, R, D] → [N, 1]; 0 when all
 * rows have one direction.
 */
export function cosineSpread(rows: tf.Tensor3D): tf.Tensor2D {
	const lengths = tf.sqrt(tf.add(tf.sum(tf.square(rows), 2, true), 1e-9));
	const directions = tf.div(rows, lengths) as tf.Tensor3D;
	const cosines = tf.matMul(directions, directions, false, true); // [N, R, R]
	return sumPerImage(tf.relu(tf.sub(1, cosines)));
}

/** Sides down to which a residual is halved. */
const TOP_OF_PYRAMID = 16;

/**
 * Σ r² at every scale of a residual [N, h, w, C] halved by averages while its sides are above 16, each counted as over the
 * pixels of the first, and `l1` times Σ |r| at the last. Of a residual that is no image: at its one scale. [N, 1].
 */
export function pyramid(residual: tf.Tensor, l1: tf.Tensor): tf.Tensor2D {
	let level = residual;
	let share = 1;
	let sum: tf.Tensor = sumPerImage(tf.square(level));
	while (level.rank === 4 && Math.min(level.shape[1]!, level.shape[2]!) > TOP_OF_PYRAMID) {
		level = tf.avgPool(level as tf.Tensor4D, 2, 2, 'valid');
		share *= 4;
		sum = tf.add(sum, tf.mul(sumPerImage(tf.square(level)), share));
	}
	return tf.add(sum, tf.mul(tf.mul(sumPerImage(tf.abs(level)), share), l1)) as tf.Tensor2D;
}

/** `next` scaled to the norm of `last`, over `axes`: a step on the sphere. */
export function onSphere(next: tf.Tensor, last: tf.Tensor, axes: number[]): tf.Tensor {
	const norm = (x: tf.Tensor): tf.Tensor => tf.sqrt(tf.add(tf.sum(tf.square(x), axes, true), 1e-9));
	return tf.mul(next, tf.div(norm(last), norm(next)));
}

/**
 * Projection of each image's entries onto the ℓ1 ball of the given radius [1] around 0: soft thresholding, the threshold
 * found by bisection (exact sorting has no place in a captured program).
 */
export function onL1Ball(x: tf.Tensor, radius: tf.Tensor, iterations = 40): tf.Tensor {
	const flat = tf.reshape(x, [x.shape[0]!, -1]);
	const size = tf.abs(flat);
	let low: tf.Tensor = tf.mul(tf.sum(size, 1, true), 0); // [N, 1]
	let high: tf.Tensor = tf.max(size, 1, true);
	for (let i = 0; i < iterations; i++) {
		const middle = tf.mul(tf.add(low, high), 0.5);
		const tooLong = tf.greater(tf.sum(tf.relu(tf.sub(size, middle)), 1, true), radius);
		low = tf.where(tooLong, middle, low);
		high = tf.where(tooLong, high, middle);
	}
	const inside = tf.lessEqual(tf.sum(size, 1, true), radius);
	const threshold = tf.where(inside, tf.zerosLike(high), high);
	return tf.reshape(tf.mul(tf.sign(flat), tf.relu(tf.sub(size, threshold))), x.shape);
}
