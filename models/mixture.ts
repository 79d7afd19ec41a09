// RTIL's mixture form (Gunn, Cocola, Hand, TMLR 2023, §3.1): G̃ = g1(Σ_k α_k·g0(z0ᵏ)), α drawn from the flat Dirichlet
// distribution over N codes, and the composition by which mGANprior inverts (Gu et al. 2020, §3.2, equation 3), where
// every code has a weight for each channel.
import * as tf from '@tensorflow/tfjs-core';
import type { TensorMap } from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import type { CutState, Generator, SynthesisInput } from './contract.ts';
import type { MixtureConfig } from './rtil.ts';

/** Where a generator mixes: the cut of the configuration, or the end of its last block while it is smaller than that. */
export function mixtureCut(
	{ cut }: Pick<MixtureConfig, 'cut'>,
	generator: Pick<Generator, 'resolution'>,
): string {
	const side = Number(/^b(\d+)$/.exec(cut)?.[1]);
	if (!(side >= 4)) throw expected('the name of a cut such as b32', 'mixture.cut', cut);
	return `b${Math.min(side, generator.resolution)}`;
}

/**
 * Σ_k α_k·f_k over the N codes of each sample.
 *
 * @param features [B·N, h, w, c], the codes of a sample one after the other
 * @param weights α [B, N], or [B, N, c] for a weight of its own for each channel
 * @returns [B, h, w, c]
 */
export function mixCodes(features: tf.Tensor, weights: tf.Tensor): tf.Tensor {
	const [rows, h, w, c] = features.shape as [number, number, number, number];
	const [b, n] = weights.shape as [number, number];
	if (b * n !== rows) throw expected(`${rows} = B·N rows`, 'the weights of codes', `[${weights.shape}]`);
	const weighted = tf.mul(features, tf.reshape(weights, [rows, 1, 1, weights.shape[2] ?? 1]));
	return tf.reshape(tf.sum(tf.reshape(weighted, [b, n, h * w * c]), 1), [b, h, w, c]);
}

/**
 * The state at a cut whose features are a mixture of codes; go on from it with `from`. What fades out is mixed as well.
 *
 * @param input of B·N codes, the codes of a sample one after the other
 * @param weights α [B, N] or [B, N, c]
 */
export function mixtureState<Input extends SynthesisInput>(
	generator: { synthesizeTo(params: TensorMap, input: Input, cut: string): CutState },
	params: TensorMap,
	input: Input,
	cut: string,
	weights: tf.Tensor,
): CutState {
	const { features, rgb } = generator.synthesizeTo(params, input, cut);
	if (rgb && weights.rank > 2) {
		throw expected('weights [B, N] while a block fades in', 'the weights of codes', `[${weights.shape}]`);
	}
	return { cut, features: mixCodes(features, weights), rgb: rgb && mixCodes(rgb, weights) };
}
