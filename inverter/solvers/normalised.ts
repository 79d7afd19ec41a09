// Normalised gradient steps over w, w+ and the scales of filters (Poirier-Ginter and Lalonde 2023; see robust.ts).
import * as tf from '@tensorflow/tfjs-core';
import type { TensorMap } from '../../engine/index.ts';
import type { Layer } from './plan.ts';

/** No division by the length of a gradient that vanishes. */
const SHORTEST = 1e-20;

/**
 * The step that a unit rate takes: in w itself as long as the radius √Σσ² of w, along the gradient of each row, or of the
 * sum of all rows where they move as one. Latents are in units of the deviation of w.
 *
 * A filter of W++ has a w of its own, and scales its channel by m · w / √W with m from the affine layer. Its gradient lies
 * along m, whatever its size, so that a normalised step changes the scale by ± rate ‖m‖ / √W: the step is taken there.
 */
export function normalised(state: TensorMap, { phase }: Layer, name: string, gradient: tf.Tensor): tf.Tensor {
	const std = state['w.std']!;
	const radius = tf.sqrt(tf.sum(tf.square(std)));
	if (name.startsWith('shift.')) {
		const affine = state[`g.${name.slice('shift.'.length)}.conv.modulation.weight`]!; // [W, I]
		const reach = tf.mul(tf.sqrt(tf.mean(tf.square(affine), 0)), radius); // [I]
		return tf.mul(tf.sign(gradient), reach);
	}
	const whole = phase === 'w' ? tf.sum(gradient, 1, true) : gradient;
	const ofW = tf.div(whole, std);
	const length = tf.sqrt(tf.add(tf.sum(tf.square(ofW), -1, true), SHORTEST));
	const step = tf.mul(tf.div(tf.div(ofW, length), std), radius);
	return phase === 'w' ? tf.add(step, tf.zerosLike(gradient)) : step;
}
