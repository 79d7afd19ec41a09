// Max pooling. Its gradient is that of tfjs, right at first order on every engine; the second order throws, because no
// engine has a gradient of MaxPoolGrad: use it in networks that are differentiated once, such as perceptual losses.
import * as tf from '@tensorflow/tfjs-core';

/** The lowest float32: what lies outside an image never wins. */
const LOWEST = -3.4028234663852886e38;

export interface MaxPoolOptions {
	/** Side of the square window, in pixels. */
	size: number;
	/** Step from window to window, 1 … size. */
	stride: number;
	/** `floor`: windows lie inside the image (default); `ceil`: the last one may reach over the edge. */
	rounding?: 'floor' | 'ceil';
}

/**
 * The largest value of each window, channel by channel.
 *
 * @param x [N, H, W, C]
 * @returns [N, H', W', C]; H' = ⌊(H − size) / stride⌋ + 1, with `ceil` ⌈(H − size) / stride⌉ + 1
 */
export function maxPool(x: tf.Tensor, { size, stride, rounding = 'floor' }: MaxPoolOptions): tf.Tensor {
	const [, height, width] = x.shape as [number, number, number, number];
	const over = (side: number): number =>
		rounding === 'floor' ? 0 : Math.max(0, Math.ceil((side - size) / stride) * stride + size - side);
	const [below, right] = [over(height), over(width)];
	const padded =
		below + right === 0
			? x
			: tf.pad(
					x,
					[
						[0, 0],
						[0, below],
						[0, right],
						[0, 0],
					],
					LOWEST,
				);
	return tf.maxPool(padded as tf.Tensor4D, size, stride, 'valid');
}
