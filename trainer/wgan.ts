// Losses of PGGAN training as pure functions of tensors: WGAN-GP (Gulrajani et al. 2017) with the drift of Karras et al.
// 2018 (appendix A.1). A critic's loss is criticLoss + λ·Σ wᵢ·gradientPenalties + ε·drift, λ = 10, ε = 0.001.
import * as tf from '@tensorflow/tfjs-core';
import { vectorJacobian } from '../engine/index.ts';

/** Loss of the critic without its regularisers: Σ wᵢ·D(G(zᵢ)) − mean D(x); logits and weights [N]. */
export function criticLoss(real: tf.Tensor, fake: tf.Tensor, weights: tf.Tensor): tf.Scalar {
	return tf.sub(tf.sum(tf.mul(weights, fake)), tf.mean(real));
}

/** Loss of the generator: −Σ wᵢ·D(G(zᵢ)). */
export function wassersteinLoss(fake: tf.Tensor, weights: tf.Tensor): tf.Scalar {
	return tf.neg(tf.sum(tf.mul(weights, fake)));
}

/** Mean of D(x)²: keeps the critic's outputs from drifting away from zero. */
export function drift(real: tf.Tensor): tf.Scalar {
	return tf.mean(tf.square(real));
}

/** u·x + (1 − u)·G(z): the images at which the gradient is penalised; u [N] in [0, 1], one for each pair. */
export function interpolate(real: tf.Tensor, fake: tf.Tensor, u: tf.Tensor): tf.Tensor {
	const share = tf.reshape(u, [-1, 1, 1, 1]);
	return tf.add(tf.mul(real, share), tf.mul(fake, tf.sub(1, share)));
}

/** ‖∇D‖ [N] of a critic, given as the logits of images, at `images` [N, H, W, 3]. */
export function gradientNorms(score: (images: tf.Tensor) => tf.Tensor, images: tf.Tensor): tf.Tensor {
	const [gradient] = vectorJacobian(() => tf.sum(score(images)), [images]);
	// The small number keeps the square root's derivative finite where the critic is flat.
	return tf.sqrt(tf.add(tf.sum(tf.square(gradient!), [1, 2, 3]), 1e-16));
}

/** (‖∇D‖ − target)² [N]. */
export function gradientPenalties(
	score: (images: tf.Tensor) => tf.Tensor,
	images: tf.Tensor,
	target = 1,
): tf.Tensor {
	return tf.square(tf.sub(gradientNorms(score, images), target));
}
