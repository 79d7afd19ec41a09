// What every generator offers: it can start and stop at named cuts. G = g_k ∘ … ∘ g_0.
import type * as tf from '@tensorflow/tfjs-core';
import type { HostTensors, TensorMap } from '../engine/index.ts';

/** A place between two blocks where a generator can be cut, and where RTIL injects and ILO optimises. */
export interface Cut {
	/** `b4`, `b8`, …: after the block of that resolution. */
	name: string;
	resolution: number;
	channels: number;
}

/** All that crosses a cut besides styles and noises. */
export interface CutState {
	cut: string;
	/** [N, h, w, c] */
	features: tf.Tensor;
	/** The running RGB image of the blocks before this one, [N, h/2, w/2, 3]; null at the first. */
	rgb: tf.Tensor | null;
	/** Leave out the RGB layer of this block, too: the image begins after it, as ILO's published code resumes. */
	withoutRgb?: boolean;
}

export interface SynthesisInput {
	/** One style vector a layer: [N, L, W]. */
	styles: tf.Tensor;
	/** One noise map a layer in the order of `noiseShapes`: [N, h, w, 1] or [1, h, w, 1]. */
	noises: readonly tf.Tensor[];
	/** Begin at a cut instead of at the constant input; earlier styles and noises are not used. */
	from?: CutState;
	/** Added to the scales of the input channels of modulated layers by name, [N, I]: a style of its own for each filter. */
	shifts?: Readonly<Record<string, tf.Tensor>>;
	/** Added to the features at cuts: z1 of RTIL's additive form, [N, h, w, c]. */
	inject?: Readonly<Record<string, tf.Tensor>>;
	/** Likewise, but after the RGB layer of the block: its own image does not see it. */
	injectAfterRgb?: Readonly<Record<string, tf.Tensor>>;
	/** Weight of the newest block in [0, 1], for networks that grow. Absent: nothing fades. */
	fade?: Fade;
}

/** A number, or a tensor of one element. */
export type Fade = number | tf.Tensor;

/** A generator as pure functions of (params, inputs); images are NHWC in [−1, 1] as trained, not clipped. */
export interface Generator<Config = unknown> {
	readonly kind: string;
	readonly config: Config;
	readonly resolution: number;
	readonly channels: number;
	readonly zDim: number;
	readonly wDim: number;
	/** L: rows of the extended latent w+. */
	readonly numStyles: number;
	readonly noiseShapes: readonly (readonly [number, number])[];
	/** Every cut but the last block's, which is followed by nothing but its RGB layer. */
	readonly cuts: readonly Cut[];
	/** Names and shapes of the parameters, in the order in which initialisation draws them. */
	readonly shapes: Readonly<Record<string, readonly number[]>>;
	/** Names of the parameters by block, from 4² to the image; a mapping network is in none. */
	readonly blocks: readonly (readonly string[])[];
	/** Fresh parameters from a seed. */
	init(seed: number): HostTensors;
	/** z [N, Z] → w [N, W]. */
	map(params: TensorMap, z: tf.Tensor): tf.Tensor;
	/** The image, [N, H, W, 3]. */
	synthesize(params: TensorMap, input: SynthesisInput): tf.Tensor;
	/** The state at a cut, reached from the input or from an earlier cut; `inject` at the cut itself is included. */
	synthesizeTo(params: TensorMap, input: SynthesisInput, cut: string): CutState;
}

export interface Discriminator<Config = unknown> {
	readonly kind: string;
	readonly config: Config;
	readonly resolution: number;
	readonly shapes: Readonly<Record<string, readonly number[]>>;
	init(seed: number): HostTensors;
	/**
	 * Logits [N] of images [N, H, W, 3]; N a multiple of the standard-deviation group, min(N, 4). `fade`: weight of the
	 * newest block, for networks that grow.
	 */
	score(params: TensorMap, images: tf.Tensor, fade?: Fade): tf.Tensor;
	/**
	 * The maps of images [N, H, W, 3] before each halving, from the image's size, and the last, 4 × 4: [N, h, w, C] each.
	 * Taken before the standard deviation over the batch, so an image's are its own.
	 */
	features(params: TensorMap, images: tf.Tensor, fade?: Fade): tf.Tensor[];
}
