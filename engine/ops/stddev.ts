// Minibatch standard deviation (Karras et al. 2018, §3; grouping of StyleGAN2).
import * as tf from '@tensorflow/tfjs-core';

/**
 * Appends the mean standard deviation of groups of the batch as one constant feature map.
 *
 * Members of a group are strided: sample m, m + M, m + 2M, … with M = N / group. Population variance, ε = 1e-8.
 *
 * @param x [N, H, W, C]; N must be a multiple of min(N, group)
 * @returns [N, H, W, C + 1]
 */
export function minibatchStddev(x: tf.Tensor, group = 4): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	const size = Math.min(n, group);
	if (n % size !== 0)
		throw new RangeError(`Expected a batch that is a multiple of ${size} but received ${n}`);
	const groups = n / size;
	const y = tf.reshape(x, [size, groups, h * w * c]);
	const centred = tf.sub(y, tf.mean(y, 0, true));
	const deviation = tf.sqrt(tf.add(tf.mean(tf.square(centred), 0), 1e-8)); // [groups, H·W·C]
	const statistic = tf.reshape(tf.mean(deviation, 1), [1, groups, 1, 1]);
	const maps = tf.reshape(tf.add(tf.fill([size, groups, h * w, 1], 0), statistic), [n, h, w, 1]);
	return tf.concat([x, maps], 3);
}
