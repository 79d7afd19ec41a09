// Losses and regularisers of StyleGAN2 training as pure functions of tensors.
import * as tf from '@tensorflow/tfjs-core';
import { type TensorMap, vectorJacobian } from '../engine/index.ts';
import type { Discriminator, Generator } from '../models/index.ts';

/** Non-saturating logistic loss of G: Σ wᵢ·softplus(−D(G(zᵢ))) (Goodfellow et al. 2014); logits and weights [N]. */
export function generatorLoss(fake: tf.Tensor, weights: tf.Tensor): tf.Scalar {
	return tf.sum(tf.mul(weights, tf.softplus(tf.neg(fake))));
}

/** Logistic loss of D: mean softplus(−D(x)) + Σ wᵢ·softplus(D(G(zᵢ))). */
export function discriminatorLoss(real: tf.Tensor, fake: tf.Tensor, weights: tf.Tensor): tf.Scalar {
	return tf.add(tf.mean(tf.softplus(tf.neg(real))), tf.sum(tf.mul(weights, tf.softplus(fake))));
}

/** R1 penalty without its weight: the mean over images of ‖∇D(x)‖² (Mescheder et al. 2018, equation 9). */
export function r1Penalty(discriminator: Discriminator, d: TensorMap, real: tf.Tensor): tf.Scalar {
	const [gradient] = vectorJacobian(() => tf.sum(discriminator.score(d, real)), [real]);
	return tf.div(tf.sum(tf.square(gradient!)), real.shape[0]!);
}

/** Styles [N, L, W] of drawn latents, mixed by the mask. */
export function mixedStyles(generator: Generator, g: TensorMap, inputs: TensorMap): tf.Tensor {
	const n = inputs.z!.shape[0]!;
	const w = generator.map(g, tf.concat([inputs.z!, inputs.zMixed!])); // [2N, W]
	const [own, other] = tf.split(w, 2) as [tf.Tensor, tf.Tensor];
	const rows = (value: tf.Tensor): tf.Tensor => tf.reshape(value, [n, 1, generator.wDim]);
	return tf.add(tf.mul(rows(own), tf.sub(1, inputs.mix!)), tf.mul(rows(other), inputs.mix!));
}

/** Images of drawn latents (inputs named as in sampling.ts). */
export function fakes(
	generator: Generator,
	g: TensorMap,
	inputs: TensorMap,
	styles = mixedStyles(generator, g, inputs),
): tf.Tensor {
	const inject = Object.fromEntries(
		Object.entries(inputs)
			.filter(([name]) => name.startsWith('z1.'))
			.map(([name, value]) => [name.slice(3), value]),
	);
	return generator.synthesize(g, {
		styles,
		noises: generator.noiseShapes.map((_, i) => inputs[`noise${i}`]!),
		inject,
	});
}

/**
 * Path lengths [N]: √(mean over rows of ‖Jᵀy‖²), y ~ N(0, 1) / √(H·W), J the Jacobian of the image in w+
 * (Karras et al. 2020, §3.2 and appendix B).
 */
export function pathLengths(generator: Generator, g: TensorMap, inputs: TensorMap): tf.Tensor {
	const styles = mixedStyles(generator, g, inputs);
	const scale = 1 / generator.resolution;
	const [gradient] = vectorJacobian(
		() => tf.sum(tf.mul(fakes(generator, g, inputs, styles), tf.mul(inputs.y!, scale))),
		[styles],
	);
	return tf.sqrt(tf.mean(tf.sum(tf.square(gradient!), 2), 1));
}
