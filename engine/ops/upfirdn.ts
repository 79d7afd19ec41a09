// Up-sample, filter, down-sample: the resampling primitive of StyleGAN2 (Karras et al. 2020, §3 and appendix B).
import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../gradients.ts';
import { Fir } from '../kernels.ts';

/** A two-dimensional FIR kernel in host memory. */
export interface FirKernel {
	height: number;
	width: number;
	/** Row-major taps. */
	taps: Float32Array;
}

/** Outer product of 1-D taps, scaled so that the sum is `gain`. */
export function firKernel(taps: readonly number[], gain = 1): FirKernel {
	const sum = taps.reduce((total, tap) => total + tap, 0);
	const values = taps.flatMap((a) => taps.map((b) => (a * b * gain) / (sum * sum)));
	return { height: taps.length, width: taps.length, taps: Float32Array.from(values) };
}

/** The low-pass filter of StyleGAN2. */
export const binomial = [1, 3, 3, 1] as const;

export interface UpfirdnOptions {
	/** Zeros are inserted so that each axis grows by this factor: a number, or [vertical, horizontal]. Default 1. */
	up?: number | readonly [number, number];
	/** Every how-manieth sample is kept, beginning with the first. Default 1. */
	down?: number | readonly [number, number];
	/** [top, bottom, left, right] zeros after up-sampling; negative numbers crop. Default none. */
	pad?: readonly [number, number, number, number];
}

/**
 * Inserts zeros, pads, convolves (true convolution: the kernel is turned) and keeps every `down`-th sample.
 *
 * @param x [N, H, W, C]
 * @returns [N, H', W', C] with H' = ⌊(H·up + top + bottom − kh) / down⌋ + 1
 */
export function upfirdn2d(x: tf.Tensor, kernel: FirKernel, options: UpfirdnOptions = {}): tf.Tensor {
	const up = pair(options.up ?? 1);
	const down = pair(options.down ?? 1);
	const pad = options.pad ?? [0, 0, 0, 0];
	const [, h, w] = x.shape as [number, number, number, number];
	const outHeight = Math.floor((h * up[0] + pad[0] + pad[1] - kernel.height) / down[0]) + 1;
	const outWidth = Math.floor((w * up[1] + pad[2] + pad[3] - kernel.width) / down[1]) + 1;
	// The adjoint is the same operation with factors exchanged, the kernel turned and the rest of the padding.
	const adjointPad = [
		kernel.height - pad[0] - 1,
		h * up[0] - outHeight * down[0] + pad[0] - up[0] + 1,
		kernel.width - pad[2] - 1,
		w * up[1] - outWidth * down[1] + pad[2] - up[1] + 1,
	] as const;
	return linear(
		(input) => apply(input, kernel, up, down, pad),
		(output) => apply(output, turned(kernel), down, up, adjointPad),
	)(x);
}

/** Doubles height and width with the low-pass filter, gain 4: the RGB skip of StyleGAN2's generator. */
export function upsample2(x: tf.Tensor, taps: readonly number[] = binomial): tf.Tensor {
	const p = taps.length - 2;
	const [before, after] = [Math.floor((p + 1) / 2) + 1, Math.floor(p / 2)];
	return upfirdn2d(x, firKernel(taps, 4), { up: 2, pad: [before, after, before, after] });
}

/** Halves height and width with the low-pass filter. */
export function downsample2(x: tf.Tensor, taps: readonly number[] = binomial): tf.Tensor {
	const p = taps.length - 2;
	const [before, after] = [Math.floor((p + 1) / 2), Math.floor(p / 2)];
	return upfirdn2d(x, firKernel(taps), { down: 2, pad: [before, after, before, after] });
}

type Pair = readonly [number, number];

function pair(value: number | Pair): Pair {
	return typeof value === 'number' ? [value, value] : value;
}

function turned({ height, width, taps }: FirKernel): FirKernel {
	return { height, width, taps: taps.slice().reverse() };
}

function apply(
	x: tf.Tensor,
	kernel: FirKernel,
	up: Pair,
	down: Pair,
	pad: readonly [number, number, number, number],
): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	let y = x;
	if (up[0] > 1)
		y = tf.reshape(padAxis(tf.reshape(y, [n * h, 1, w * c]), 1, 0, up[0] - 1), [n, h * up[0], w, c]);
	if (up[1] > 1)
		y = tf.reshape(padAxis(tf.reshape(y, [n * h * up[0] * w, 1, c]), 1, 0, up[1] - 1), [
			n,
			h * up[0],
			w * up[1],
			c,
		]);
	y = padOrCrop(y, pad);
	const stride = down[0] === down[1] && down[0] <= 2 ? down[0] : 1;
	const filter = turned(kernel);
	y = tf
		.engine()
		.runKernel(
			Fir,
			{ x: y, kernel: tf.tensor2d(filter.taps, [filter.height, filter.width]) },
			{ stride, channels: c },
		) as tf.Tensor;
	return stride === down[0] && stride === down[1] ? y : keepEvery(keepEvery(y, 1, down[0]), 2, down[1]);
}

function padAxis(x: tf.Tensor, axis: number, before: number, after: number): tf.Tensor {
	return tf.pad(
		x,
		x.shape.map((_, i): [number, number] => (i === axis ? [before, after] : [0, 0])),
	);
}

function padOrCrop(
	x: tf.Tensor,
	[top, bottom, left, right]: readonly [number, number, number, number],
): tf.Tensor {
	let y = x;
	if (Math.min(top, bottom, left, right) < 0) {
		const [n, h, w, c] = x.shape as [number, number, number, number];
		const begin = [0, Math.max(-top, 0), Math.max(-left, 0), 0];
		y = tf.slice(y, begin, [n, h - begin[1]! - Math.max(-bottom, 0), w - begin[2]! - Math.max(-right, 0), c]);
	}
	if (Math.max(top, bottom, left, right) <= 0) return y;
	const positive = (value: number): number => Math.max(value, 0);
	return tf.pad(y, [
		[0, 0],
		[positive(top), positive(bottom)],
		[positive(left), positive(right)],
		[0, 0],
	]);
}

/** Samples 0, step, 2·step, … along one axis of a tensor of rank 4. */
function keepEvery(x: tf.Tensor, axis: number, step: number): tf.Tensor {
	if (step === 1) return x;
	const size = x.shape[axis]!;
	const kept = Math.ceil(size / step);
	const padded = padAxis(x, axis, 0, kept * step - size);
	const lead = x.shape.slice(0, axis).reduce((a, b) => a * b, 1);
	const tail = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
	const split = tf.slice(tf.reshape(padded, [lead * kept, step, tail]), [0, 0, 0], [lead * kept, 1, tail]);
	return tf.reshape(
		split,
		x.shape.map((old, i) => (i === axis ? kept : old)),
	);
}
