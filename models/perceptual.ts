// Feature extractors of perceptual distances: the convolutional parts of AlexNet (Krizhevsky 2014, arXiv:1404.5997,
// one tower), VGG16 (Simonyan and Zisserman 2015, configuration D) and SqueezeNet 1.1 (Iandola et al. 2016), stopped at
// the taps that LPIPS compares (Zhang et al. 2018, appendix B).
//
// Checked against golden tensors of richzhang/PerceptualSimilarity; parameters carry torchvision's names, with filters
// as [kh, kw, in, out]. Every convolution is followed by a ReLU. Differentiable once: max pooling has no second order.
import * as tf from '@tensorflow/tfjs-core';
import { conv2d, maxPool, type TensorMap } from '../engine/index.ts';
import { expected } from '../errors/index.ts';

/** The networks of perceptual distances, by the names that LPIPS has for them. */
export const perceptualNetworks = ['alex', 'vgg', 'squeeze'] as const;

export type PerceptualNetwork = (typeof perceptualNetworks)[number];

export interface PerceptualBackbone {
	readonly network: PerceptualNetwork;
	/** For people: `SqueezeNet 1.1`. */
	readonly title: string;
	/** Names and shapes of the parameters: `features.0.weight` [kh, kw, I, O], `features.0.bias` [O]. */
	readonly shapes: Readonly<Record<string, readonly number[]>>;
	/** Channels of each tap. */
	readonly channels: readonly number[];
	/** Least height and width of images, in pixels. */
	readonly smallest: number;
	/**
	 * Features at the taps, [N, h, w, C] each, all ≥ 0.
	 *
	 * @param images [N, H, W, 3] in [−1, 1]
	 * @param normalise by ImageNet's mean and deviation first, as the networks were trained (default)
	 */
	taps(params: TensorMap, images: tf.Tensor, normalise?: boolean): tf.Tensor[];
}

/** A step of a network; `at` is torchvision's number of the module in `features`. */
type Step =
	| {
			kind: 'convolution';
			at: number;
			inputs: number;
			outputs: number;
			kernel: number;
			stride: number;
			pad: number;
	  }
	| { kind: 'fire'; at: number; inputs: number; squeeze: number; expand: number }
	| { kind: 'pool'; size: number; rounding: 'floor' | 'ceil' }
	| { kind: 'tap' };

/** A convolution with stride 1 keeps the size. */
const convolution = (
	at: number,
	inputs: number,
	outputs: number,
	kernel = 3,
	stride = 1,
	pad = (kernel - 1) / 2,
): Step => ({ kind: 'convolution', at, inputs, outputs, kernel, stride, pad });
/** 1×1 to `squeeze` channels, then 1×1 and 3×3 to `expand` channels each, side by side. */
const fire = (at: number, inputs: number, squeeze: number, expand: number): Step => ({
	kind: 'fire',
	at,
	inputs,
	squeeze,
	expand,
});
const pool = (size: number, rounding: 'floor' | 'ceil' = 'floor'): Step => ({ kind: 'pool', size, rounding });
const tap: Step = { kind: 'tap' };

const networks: Record<PerceptualNetwork, { title: string; smallest: number; steps: readonly Step[] }> = {
	alex: {
		title: 'AlexNet',
		smallest: 31,
		steps: [
			convolution(0, 3, 64, 11, 4, 2),
			tap,
			pool(3),
			convolution(3, 64, 192, 5),
			tap,
			pool(3),
			convolution(6, 192, 384),
			tap,
			convolution(8, 384, 256),
			tap,
			convolution(10, 256, 256),
			tap,
		],
	},
	vgg: {
		title: 'VGG16',
		smallest: 16,
		steps: [
			convolution(0, 3, 64),
			convolution(2, 64, 64),
			tap,
			pool(2),
			convolution(5, 64, 128),
			convolution(7, 128, 128),
			tap,
			pool(2),
			convolution(10, 128, 256),
			convolution(12, 256, 256),
			convolution(14, 256, 256),
			tap,
			pool(2),
			convolution(17, 256, 512),
			convolution(19, 512, 512),
			convolution(21, 512, 512),
			tap,
			pool(2),
			convolution(24, 512, 512),
			convolution(26, 512, 512),
			convolution(28, 512, 512),
			tap,
		],
	},
	squeeze: {
		title: 'SqueezeNet 1.1',
		smallest: 17,
		steps: [
			convolution(0, 3, 64, 3, 2, 0),
			tap,
			pool(3, 'ceil'),
			fire(3, 64, 16, 64),
			fire(4, 128, 16, 64),
			tap,
			pool(3, 'ceil'),
			fire(6, 128, 32, 128),
			fire(7, 256, 32, 128),
			tap,
			pool(3, 'ceil'),
			fire(9, 256, 48, 192),
			tap,
			fire(10, 384, 48, 192),
			tap,
			fire(11, 384, 64, 256),
			tap,
			fire(12, 512, 64, 256),
			tap,
		],
	},
};

/** ImageNet's mean and deviation of each channel, taken from [0, 1] to [−1, 1]. */
const SHIFT = [-0.03, -0.088, -0.188];
const SCALE = [0.458, 0.448, 0.45];

/** The feature extractor of a network. */
export function perceptualBackbone(network: PerceptualNetwork): PerceptualBackbone {
	const { title, smallest, steps } = networks[network];
	const shapes: Record<string, readonly number[]> = {};
	const channels: number[] = [];
	const declare = (name: string, kernel: number, inputs: number, outputs: number): void => {
		shapes[`${name}.weight`] = [kernel, kernel, inputs, outputs];
		shapes[`${name}.bias`] = [outputs];
	};
	let width = 3;
	for (const step of steps) {
		if (step.kind === 'convolution') {
			declare(`features.${step.at}`, step.kernel, step.inputs, step.outputs);
			width = step.outputs;
		} else if (step.kind === 'fire') {
			declare(`features.${step.at}.squeeze`, 1, step.inputs, step.squeeze);
			declare(`features.${step.at}.expand1x1`, 1, step.squeeze, step.expand);
			declare(`features.${step.at}.expand3x3`, 3, step.squeeze, step.expand);
			width = 2 * step.expand;
		} else if (step.kind === 'tap') channels.push(width);
	}
	return {
		network,
		title,
		shapes,
		channels,
		smallest,
		taps(params, images, normalise = true) {
			const [, height = 0, columns = 0, colours] = images.shape;
			if (images.rank !== 4 || colours !== 3 || Math.min(height, columns) < smallest) {
				throw expected(
					`a shape [N, H, W, 3] with H and W at least ${smallest}`,
					`images for ${title}`,
					images.shape,
				);
			}
			const found: tf.Tensor[] = [];
			let x = normalise ? tf.div(tf.sub(images, tf.tensor1d(SHIFT)), tf.tensor1d(SCALE)) : images;
			for (const step of steps) {
				if (step.kind === 'tap') found.push(x);
				else x = apply(step, params, x); // [N, h, w, C]
			}
			return found;
		},
	};
}

function apply(step: Exclude<Step, { kind: 'tap' }>, params: TensorMap, x: tf.Tensor): tf.Tensor {
	switch (step.kind) {
		case 'pool':
			return maxPool(x, { size: step.size, stride: 2, rounding: step.rounding });
		case 'fire': {
			const name = `features.${step.at}`;
			const squeezed = convolve(params, `${name}.squeeze`, x);
			return tf.concat(
				[convolve(params, `${name}.expand1x1`, squeezed), convolve(params, `${name}.expand3x3`, squeezed)],
				3,
			);
		}
		case 'convolution': {
			const { at, stride, pad } = step;
			return convolve(params, `features.${at}`, x, stride, pad);
		}
	}
}

/** ReLU(x ∗ weight + bias); `pad` counts with a stride only. */
function convolve(params: TensorMap, name: string, x: tf.Tensor, stride = 1, pad = 0): tf.Tensor {
	const weight = params[`${name}.weight`]!;
	const y = stride === 1 ? conv2d(x, weight) : conv2d(zerosAround(x, pad), weight, stride);
	return relu(tf.add(y, params[`${name}.bias`]!));
}

/** ReLU whose gradient looks at its result: nothing else reads the sum before it, so graphs fuse it into the convolution. */
const relu = tf.customGrad((x, save) => {
	const y = tf.relu(x as tf.Tensor);
	(save as (tensors: tf.Tensor[]) => void)([y]);
	return {
		value: y,
		gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) => tf.mul(dy, tf.cast(tf.greater(kept!, 0), 'float32')),
	};
}) as (x: tf.Tensor) => tf.Tensor;

function zerosAround(x: tf.Tensor, pad: number): tf.Tensor {
	const around: [number, number] = [pad, pad];
	return pad === 0 ? x : tf.pad(x, [[0, 0], around, around, [0, 0]]);
}
