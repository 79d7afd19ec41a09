// Losses and regularisers of StyleGAN2 training as pure functions of tensors.
import * as tf from '@tensorflow/tfjs-core';
import { type TensorMap, vectorJacobian } from '../engine/index.ts';
import type { Discriminator, Generator } from '../models/index.ts';

/** Non-saturating logistic loss of G: Σ wᵢ·softplus(−D(G(zᵢ))) (Goodfellow et al. 2014); logits and weights [N]. */
export function generatorLoss(fake: tf.Tensor, weights: tf.Tensor): tf.Scalar {
	return tf.sum(tf.mul(weights, tf.softplus(tf.neg(fake))));
}

/** D's loss of real images: mean softplus(−D(x)). */
export function realTerm(real: tf.Tensor): tf.Scalar {
	return tf.mean(tf.softplus(tf.neg(real)));
}

/** D's loss of generated images: Σ wᵢ·softplus(D(G(zᵢ))). */
export function fakeTerm(fake: tf.Tensor, weights: tf.Tensor): tf.Scalar {
	return tf.sum(tf.mul(weights, tf.softplus(fake)));
}

/** Logistic loss of D; logits and weights [N]. */
export function discriminatorLoss(real: tf.Tensor, fake: tf.Tensor, weights: tf.Tensor): tf.Scalar {
	return tf.add(realTerm(real), fakeTerm(fake, weights));
}

/** R1 penalty without its weight: the mean over images of ‖∇D(x)‖² (Mescheder et al. 2018, equation 9). */
export function r1Penalty(
	discriminator: Pick<Discriminator, 'score'>,
	d: TensorMap,
	real: tf.Tensor,
): tf.Scalar {
	const [gradient] = vectorJacobian(() => tf.sum(discriminator.score(d, real)), [real]);
	return tf.div(tf.sum(tf.square(gradient!)), real.shape[0]!);
}

/** Styles [R, L, W] of drawn latents, mixed by the mask where there is one. */
export function mixedStyles(generator: Generator, g: TensorMap, inputs: TensorMap): tf.Tensor {
	const rows = (value: tf.Tensor): tf.Tensor => tf.reshape(value, [-1, 1, generator.wDim]);
	if (!inputs.mix) return rows(generator.map(g, inputs.z!));
	const w = generator.map(g, tf.concat([inputs.z!, inputs.zMixed!])); // [2R, W]
	const [own, other] = tf.split(w, 2) as [tf.Tensor, tf.Tensor];
	return tf.add(tf.mul(rows(own), tf.sub(1, inputs.mix)), tf.mul(rows(other), inputs.mix));
}

/** Which codes are mixed where, for batches with mixtures. */
export interface Mixing {
	/** The cut at which codes are mixed. */
	cut: string;
	/** Sample of each code, [R]. */
	owners: Int32Array;
}

/** How drawn latents become images. */
export interface Pass {
	/** Absent: those of the drawn latents. */
	styles?: tf.Tensor;
	/** Codes of mixtures; absent: there are none. */
	mixing?: Mixing;
	/** Is z1 added after the RGB layers? */
	afterRgb?: boolean;
}

/** Images [N, H, W, 3] of drawn latents (inputs named as in sampling.ts); with `alpha` they are mixtures at a cut. */
export function fakes(
	generator: Generator,
	g: TensorMap,
	inputs: TensorMap,
	{ styles = mixedStyles(generator, g, inputs), mixing, afterRgb = false }: Pass = {},
): tf.Tensor {
	const z1 = Object.fromEntries(
		Object.entries(inputs)
			.filter(([name]) => name.startsWith('z1.'))
			.map(([name, value]) => [name.slice(3), value]),
	);
	const inject = afterRgb ? { injectAfterRgb: z1 } : { inject: z1 };
	const noises = generator.noiseShapes.map((_, i) => inputs[`noise${i}`]!);
	const fade = inputs.fade ? { fade: inputs.fade } : {};
	if (!inputs.alpha || !mixing) return generator.synthesize(g, { styles, noises, ...inject, ...fade });

	const { cut, owners } = mixing;
	const n = inputs.alpha.shape[0]!;
	// Codes of one sample share its noise maps up to the cut.
	const ofOwner = noises.map((map) => tf.gather(map, tf.tensor1d(owners, 'int32')));
	const state = generator.synthesizeTo(g, { styles, noises: ofOwner, ...fade }, cut);
	const mixed = (weights: tf.Tensor, x: tf.Tensor): tf.Tensor =>
		tf.reshape(tf.matMul(weights, tf.reshape(x, [owners.length, -1])), [n, ...x.shape.slice(1)]);
	const from = {
		...state,
		features: mixed(inputs.alpha, state.features),
		rgb: state.rgb && mixed(inputs.alpha, state.rgb),
	};
	return generator.synthesize(g, { styles: mixed(meanOf(owners, n), styles), noises, from, ...fade });
}

/** [n, R]: averages over the codes of each sample. */
function meanOf(owners: Int32Array, n: number): tf.Tensor {
	const counts = new Float32Array(n);
	for (const i of owners) counts[i]!++;
	const matrix = new Float32Array(n * owners.length);
	owners.forEach((i, row) => {
		matrix[i * owners.length + row] = 1 / counts[i]!;
	});
	return tf.tensor2d(matrix, [n, owners.length]);
}

/**
 * Path lengths [N]: √(mean over rows of ‖Jᵀy‖²), y ~ N(0, 1) / √(H·W), J the Jacobian of the image in w+
 * (Karras et al. 2020, §3.2 and appendix B).
 */
export function pathLengths(
	generator: Generator,
	g: TensorMap,
	inputs: TensorMap,
	pass: Omit<Pass, 'styles'> = {},
): tf.Tensor {
	const styles = mixedStyles(generator, g, inputs);
	const scale = 1 / generator.resolution;
	const [gradient] = vectorJacobian(
		() => tf.sum(tf.mul(fakes(generator, g, inputs, { ...pass, styles }), tf.mul(inputs.y!, scale))),
		[styles],
	);
	return tf.sqrt(tf.mean(tf.sum(tf.square(gradient!), 2), 1));
}
