// Convolution with any kernel, channel by channel: y = k ∗ (B x), where B continues the image beyond its edges. B is a
// matrix along each axis, as in separable.ts, so the adjoint is exact at every boundary.
import * as tf from '@tensorflow/tfjs-core';
import { alongAxes, conv2d, conv2dTranspose, type HostTensors, type TensorMap } from '../../engine/index.ts';
import type { Kernel } from './kernels.ts';
import { type Boundary, marginMatrix } from './separable.ts';

/** `taps` [kh, kw, 1, 1] as a correlation takes them, and the margins `above` [H + kh − 1, H], `beside` [W + kw − 1, W]. */
export function convolutionParameters(
	kernel: Kernel,
	{ height, width }: { height: number; width: number },
	boundary: Boundary,
): HostTensors {
	const [rows, columns] = [kernel.length, kernel[0]!.length];
	return {
		taps: { shape: [rows, columns, 1, 1], data: Float32Array.from(kernel.flat().reverse()) },
		above: marginMatrix(height, (rows - 1) / 2, boundary),
		beside: marginMatrix(width, (columns - 1) / 2, boundary),
	};
}

/** [N, H, W, C] → [N · C, H, W, 1]. */
function planes(x: tf.Tensor): tf.Tensor4D {
	const [N, H, W, C] = x.shape as [number, number, number, number];
	return tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [N * C, H, W, 1]);
}

/** [N · C, H, W, 1] → [N, H, W, C]. */
function channels(x: tf.Tensor, C: number): tf.Tensor4D {
	const [NC, H, W] = x.shape as [number, number, number, number];
	return tf.transpose(tf.reshape(x, [NC / C, C, H, W]), [0, 2, 3, 1]) as tf.Tensor4D;
}

export function applyConvolution({ taps, above, beside }: TensorMap, x: tf.Tensor4D): tf.Tensor4D {
	const continued = alongAxes(x, above!, beside!);
	return channels(conv2d(planes(continued), taps!, 1, 'valid'), x.shape[3]);
}

export function adjointConvolution({ taps, above, beside }: TensorMap, y: tf.Tensor): tf.Tensor4D {
	const [N, , , C] = y.shape as [number, number, number, number];
	const shape = [N * C, above!.shape[0]!, beside!.shape[0]!, 1];
	const continued = channels(conv2dTranspose(planes(y), taps!, shape, 1, 'valid'), C);
	return alongAxes(continued, tf.transpose(above!), tf.transpose(beside!)) as tf.Tensor4D;
}
