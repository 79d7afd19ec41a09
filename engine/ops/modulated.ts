// Modulated convolution (Karras et al. 2020, §2.2, equations 1 and 3).
import * as tf from '@tensorflow/tfjs-core';
import { conv2d, conv2dTranspose } from './convolution.ts';
import { binomial, firKernel, upfirdn2d } from './upfirdn.ts';

export interface ModulationOptions {
	/** Divide each output map by the norm of its modulated filter (equation 3). Default true. */
	demodulate?: boolean;
	/** `up` doubles, `down` halves height and width, low-pass filtered with [1, 3, 3, 1]. Default `plain`. */
	resample?: 'plain' | 'up' | 'down';
	/** Constant factor on the filter (equalised learning rate). Default 1. */
	gain?: number;
	/** 1-D taps of the low-pass filter. */
	taps?: readonly number[];
}

/**
 * Convolution whose filter is scaled per sample and input channel.
 *
 * The scales act on the activations before and after one convolution that the whole batch shares, which equals scaling
 * the filters sample by sample (the paper's grouped convolution).
 *
 * @param x [N, H, W, I]
 * @param filter [kh, kw, I, O]
 * @param style [N, I]
 * @returns [N, H', W', O]
 */
export function modulatedConv2d(
	x: tf.Tensor,
	filter: tf.Tensor,
	style: tf.Tensor,
	options: ModulationOptions = {},
): tf.Tensor {
	const { demodulate = true, resample = 'plain', gain = 1, taps = binomial } = options;
	const [n, h, w, inputs] = x.shape as [number, number, number, number];
	const size = filter.shape[0]!;
	const outputs = filter.shape[3]!;
	const scale = gain === 1 ? style : tf.mul(style, gain);
	const scaled = tf.mul(x, tf.reshape(scale, [n, 1, 1, inputs]));

	let y: tf.Tensor;
	if (resample === 'up') {
		const wide = [n, 2 * h + size - 2, 2 * w + size - 2, outputs];
		y = conv2dTranspose(scaled, tf.transpose(filter, [0, 1, 3, 2]), wide, 2, 'valid');
		const p = taps.length - 2 - (size - 1);
		const [before, after] = [Math.floor((p + 1) / 2) + 1, Math.floor(p / 2) + 1];
		y = upfirdn2d(y, firKernel(taps, 4), { pad: [before, after, before, after] });
	} else if (resample === 'down') {
		y = conv2d(blurForStride2(scaled, size, taps), filter, 2);
	} else {
		y = conv2d(scaled, filter);
	}
	if (!demodulate) return y;
	const energy = tf.matMul(tf.square(scale), tf.sum(tf.square(filter), [0, 1])); // [N, O]
	return tf.mul(y, tf.reshape(tf.rsqrt(tf.add(energy, 1e-8)), [n, 1, 1, outputs]));
}

/** The low-pass filter before a convolution of `size` taps with stride 2: after both, height and width are halved. */
export function blurForStride2(x: tf.Tensor, size: number, taps: readonly number[] = binomial): tf.Tensor {
	const p = taps.length - 2 + (size - 1);
	const [before, after] = [Math.floor((p + 1) / 2), Math.floor(p / 2)];
	return upfirdn2d(x, firKernel(taps), { pad: [before, after, before, after] });
}
