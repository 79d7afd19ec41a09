// LPIPS (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", §3, equation 1):
//   d(a, b) = Σ_taps mean_{h,w} Σ_c w_c (â − b̂)²,   f̂ = f / (‖f‖₂ + 1e-10) over the channels, w ≥ 0.
//
// Checked against golden tensors of richzhang/PerceptualSimilarity (versions differ in two points: their heads w, and 0.0
// does not normalise images by ImageNet's statistics). Deviation: where a pixel's features are all zero, f̂ = 0 as there,
// but the gradient is finite, where there it is NaN.
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensors, TensorMap } from '../engine/index.ts';
import { type PerceptualNetwork, perceptualBackbone } from './perceptual.ts';

export const lpipsVersions = ['0.1', '0.0'] as const;

/** Published versions of the heads; papers mean 0.1. */
export type LpipsVersion = (typeof lpipsVersions)[number];

export interface LpipsConfig {
	network: PerceptualNetwork;
	/** Default: 0.1. */
	version?: LpipsVersion;
}

/** The weights of an LPIPS: of the backbone (`features.…`) and of the heads (`lin0` [C], …) in one map. */
export interface LpipsWeights {
	network: PerceptualNetwork;
	version: LpipsVersion;
	params: HostTensors;
}

export interface Lpips {
	readonly network: PerceptualNetwork;
	readonly version: LpipsVersion;
	/** For tables and reports, as values of different networks cannot be compared: `LPIPS (AlexNet, v0.1)`. */
	readonly label: string;
	/** Least height and width of images, in pixels. */
	readonly smallest: number;
	/** Names and shapes of the parameters, backbone and heads. */
	readonly shapes: Readonly<Record<string, readonly number[]>>;
	/**
	 * What is compared: features of unit length at each tap, [N, h, w, C]; those of a fixed target are made once.
	 *
	 * @param images [N, H, W, 3] in [−1, 1]
	 */
	features(params: TensorMap, images: tf.Tensor): tf.Tensor[];
	/** What each tap adds to the distance of two sets of features: [N, taps]. */
	contributions(params: TensorMap, a: readonly tf.Tensor[], b: readonly tf.Tensor[]): tf.Tensor;
	/**
	 * The distance of images a and b [N, H, W, 3] in [−1, 1], an image: [N], ≥ 0, exactly 0 for equal images.
	 * Differentiable once in a and b.
	 */
	distance(params: TensorMap, a: tf.Tensor, b: tf.Tensor): tf.Tensor;
}

/** The distance of a network and a version. */
export function lpips({ network, version = '0.1' }: LpipsConfig): Lpips {
	const backbone = perceptualBackbone(network);
	const heads = backbone.channels.map((channels, i) => [`lin${i}`, [channels]] as const);

	const features = (params: TensorMap, images: tf.Tensor): tf.Tensor[] =>
		backbone.taps(params, images, version !== '0.0').map(unitLength);

	function contributions(params: TensorMap, a: readonly tf.Tensor[], b: readonly tf.Tensor[]): tf.Tensor {
		const parts = a.map((tap, i) => {
			const [n, height, width, channels] = tap.shape as [number, number, number, number];
			const squares = tf.reshape(tf.square(tf.sub(tap, b[i]!)), [n * height * width, channels]);
			const weighted = tf.matMul(squares, tf.reshape(params[`lin${i}`]!, [channels, 1]));
			return tf.mean(tf.reshape(weighted, [n, height * width]), 1);
		});
		return tf.stack(parts, 1);
	}

	return {
		network,
		version,
		label: `LPIPS (${backbone.title}, v${version})`,
		smallest: backbone.smallest,
		shapes: { ...backbone.shapes, ...Object.fromEntries(heads) },
		features,
		contributions,
		distance: (params, a, b) =>
			// Not as one batch: equal images must take the same sums, wherever they lie in it.
			tf.sum(contributions(params, features(params, a), features(params, b)), 1),
	};
}

/**
 * The same distance of features without heads, such as a discriminator's: the mean over taps of
 * mean_{h,w} Σ_c (â − b̂)², [N], in [0, 4].
 *
 * @param a, b [N, h, w, C] at each tap
 */
export function featureDistance(a: readonly tf.Tensor[], b: readonly tf.Tensor[]): tf.Tensor {
	const parts = a.map((tap, i) => {
		const squares = tf.sum(tf.square(tf.sub(unitLength(tap), unitLength(b[i]!))), -1); // [N, h, w]
		return tf.mean(squares, [1, 2]);
	});
	return tf.mul(tf.addN(parts), 1 / parts.length);
}

/** f / (‖f‖ + 1e-10) over the channels; 0, with a finite gradient, where f is 0. */
function unitLength(f: tf.Tensor): tf.Tensor {
	const squared = tf.sum(tf.square(f), -1, true);
	// 1 in place of 0: the root has no slope at 0.
	const safe = tf.add(squared, tf.cast(tf.equal(squared, 0), 'float32'));
	return tf.div(f, tf.add(tf.sqrt(safe), 1e-10));
}
