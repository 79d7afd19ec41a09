// The generator as a layered inversion runs it: images and prefixes from the variables of a layer.
import * as tf from '@tensorflow/tfjs-core';
import { leakyRelu, type TensorMap } from '../../engine/index.ts';
import { type CutState, mixCodes, type SynthesisInput } from '../../models/index.ts';
import type { Prior } from '../prior.ts';
import { type Layer, type LayerPlan, withPrefix } from './plan.ts';

/** Of the activation that PULSE's map from z to w ends with. */
export const PROXY_SLOPE = 0.2;

/** Network functions over the state entries `x.*` (or `best.*`). */
export function synthesis(prior: Prior, plan: LayerPlan) {
	const { generator } = prior;
	const { numStyles, wDim } = generator;

	/** Latents in units of the deviation of w as w, with the centre added where the plan has one. */
	function scaled(state: TensorMap, latent: tf.Tensor): tf.Tensor {
		const centre =
			plan.centre && (latent.rank === 3 ? tf.reshape(state.centre!, [-1, 1, wDim]) : state.centre!);
		const around = centre ? tf.add(latent, centre) : latent;
		const w = tf.add(tf.mul(around, state['w.std']!), state['w.mean']!);
		return plan.proxy ? leakyRelu(w, PROXY_SLOPE) : w;
	}

	function styles(state: TensorMap, latent: tf.Tensor): tf.Tensor3D {
		const params = withPrefix(state, 'g.');
		const w = plan.space === 'z' ? generator.map(params, latent) : scaled(state, latent);
		if (w.rank === 3) return w as tf.Tensor3D;
		const rows = tf.reshape(w, [-1, 1, wDim]);
		return tf.add(rows, tf.zeros([1, numStyles, wDim])) as tf.Tensor3D;
	}

	/** Features and image at a layer's cut, its offset included. */
	function start(state: TensorMap, { cut }: Layer, offset: tf.Tensor | undefined): { from?: CutState } {
		if (!cut || !offset) return {};
		const features = tf.add(
			state[`at.${cut.name}.features`]!,
			tf.mul(offset, state[`sigma.${cut.name}`]!),
		) as tf.Tensor4D;
		if (plan.dropRgb) return { from: { cut: cut.name, features, rgb: null, withoutRgb: true } };
		const first = cut === generator.cuts[0];
		return {
			from: { cut: cut.name, features, rgb: first ? null : (state[`at.${cut.name}.rgb`] as tf.Tensor4D) },
		};
	}

	function inputs(state: TensorMap, layer: Layer, variables: TensorMap): SynthesisInput {
		const noises = generator.noiseShapes.map(
			(_, index) => variables[`noise.${index}`] ?? state[`x.noise.${index}`]!,
		);
		const offset = layer.cut ? variables[`offset.${layer.cut.name}`] : undefined;
		const latent = variables.latent ?? state['x.latent']!;
		const shifts = withPrefix(variables, 'shift.');
		return { styles: styles(state, latent), shifts, noises, ...start(state, layer, offset) };
	}

	/** The state at the cut of a mixture, Σ_k α_k ⊙ f_k over the codes of an image, and the mean of their styles. */
	function mixed(state: TensorMap, { codes, channels }: TensorMap): SynthesisInput {
		const { cut } = plan.mixture!;
		const [N, n, zDim] = codes!.shape as [number, number, number];
		const all = styles(state, tf.reshape(codes!, [N * n, zDim]));
		const silent = generator.noiseShapes.map(([height, width]) => tf.zeros([1, height, width, 1]));
		const params = withPrefix(state, 'g.');
		const { features, rgb } = generator.synthesizeTo(params, { styles: all, noises: silent }, cut.name);
		return {
			styles: tf.mean(tf.reshape(all, [N, n, numStyles, wDim]), 1),
			noises: generator.noiseShapes.map((_, index) => state[`x.noise.${index}`]!),
			from: {
				cut: cut.name,
				features: mixCodes(features, channels!),
				rgb: rgb && mixCodes(rgb, tf.mean(channels!, 2)),
			},
		};
	}

	return {
		/** w of z in units of the deviation of w, [N, W]. */
		mapped: (state: TensorMap, z: tf.Tensor): tf.Tensor2D =>
			tf.div(
				tf.sub(generator.map(withPrefix(state, 'g.'), z), state['w.mean']!),
				state['w.std']!,
			) as tf.Tensor2D,
		styles,
		image: (state: TensorMap, layer: Layer, variables: TensorMap): tf.Tensor4D =>
			generator.synthesize(
				withPrefix(state, 'g.'),
				plan.mixture ? mixed(state, variables) : inputs(state, layer, variables),
			) as tf.Tensor4D,
		prefix: (state: TensorMap, layer: Layer, variables: TensorMap, to: string): CutState =>
			generator.synthesizeTo(withPrefix(state, 'g.'), inputs(state, layer, variables), to),
	};
}

export type Networks = ReturnType<typeof synthesis>;
