// Optimisers as pure functions of tensors: state in, state out. The step counter and the rate are the caller's, so
// nothing here is hidden from a checkpoint.
import * as tf from '@tensorflow/tfjs-core';

export interface AdamSettings {
	/** Learning rate. */
	rate: number;
	/** Decay of the first moment; 0 means no first moment is kept. */
	beta1: number;
	/** Decay of the second moment. */
	beta2: number;
	/** Added to the root of the second moment. PyTorch's 1e-8; tfjs has 1e-7. */
	epsilon: number;
}

/**
 * The two numbers that change from step to step: [rate·√(1 − β₂ᵗ) / (1 − β₁ᵗ), ε·√(1 − β₂ᵗ)] for t = 1, 2, …
 * Passed to a captured step as an input of shape [2].
 */
export function adamStep({ rate, beta1, beta2, epsilon }: AdamSettings, t: number): Float32Array {
	const correction = Math.sqrt(1 - beta2 ** t);
	return Float32Array.of((rate * correction) / (1 - beta1 ** t), epsilon * correction);
}

export interface AdamState {
	value: tf.Tensor;
	/** Second moment, of the shape of the value. */
	v: tf.Tensor;
	/** First moment; needed unless β₁ = 0. */
	m?: tf.Tensor;
}

/** One step of Adam (Kingma and Ba 2015, algorithm 1, in the form with the corrections in the rate). */
export function adam(
	{ value, v, m }: AdamState,
	gradient: tf.Tensor,
	step: tf.Tensor,
	{ beta1, beta2 }: Pick<AdamSettings, 'beta1' | 'beta2'>,
): AdamState {
	const [rate, epsilon] = tf.unstack(step) as [tf.Tensor, tf.Tensor];
	const second = tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2));
	const first = beta1 === 0 ? gradient : tf.add(tf.mul(m!, beta1), tf.mul(gradient, 1 - beta1));
	const change = tf.mul(rate, tf.div(first, tf.add(tf.sqrt(second), epsilon)));
	return { value: tf.sub(value, change), v: second, ...(beta1 === 0 ? {} : { m: first }) };
}

/**
 * Settings of a network that takes an extra step every `every` iterations for a lazy regulariser (Karras et al. 2020,
 * appendix B): rate·c, β₁ᶜ, β₂ᶜ with c = every / (every + 1).
 */
export function lazyAdam(settings: AdamSettings, every: number): AdamSettings {
	const c = every / (every + 1);
	return { ...settings, rate: settings.rate * c, beta1: settings.beta1 ** c, beta2: settings.beta2 ** c };
}
