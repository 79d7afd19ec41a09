// Convolutions, differentiable to any order: forward, transposed and filter-gradient convolution are each other's
// gradients, so the three close under differentiation (TensorFlow's Conv2D, Conv2DBackpropInput, Conv2DBackpropFilter).
import * as tf from '@tensorflow/tfjs-core';
import { withGradients } from '../gradients.ts';

/** `same` keeps the size (stride 1, odd kernels, zeros outside); `valid` uses no outside at all. */
export type Padding = 'same' | 'valid';

const kernelAttributes = (strides: number, pad: Padding) => ({
	strides: [strides, strides],
	pad,
	dataFormat: 'NHWC',
	dilations: [1, 1],
	dimRoundingMode: undefined,
});

function run(kernel: string, inputs: Record<string, tf.Tensor>, attrs: Record<string, unknown>): tf.Tensor {
	return tf.engine().runKernel(kernel, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as tf.Tensor;
}

/**
 * Cross-correlation, as in every deep-learning library.
 *
 * @param x [N, H, W, I]
 * @param filter [kh, kw, I, O]
 * @returns [N, H', W', O]; H' = H for `same`, ⌊(H − kh) / stride⌋ + 1 for `valid`
 */
export function conv2d(
	x: tf.Tensor,
	filter: tf.Tensor,
	stride = 1,
	pad: Padding = stride === 1 ? 'same' : 'valid',
): tf.Tensor {
	if (pad === 'same' && (stride !== 1 || filter.shape[0]! % 2 === 0 || filter.shape[1]! % 2 === 0)) {
		throw new RangeError(
			`Padding "same" needs stride 1 and an odd kernel, not stride ${stride}, kernel [${filter.shape}]`,
		);
	}
	return withGradients(
		[x, filter],
		([input, weight]) => run('Conv2D', { x: input!, filter: weight! }, kernelAttributes(stride, pad)),
		(dy, [input, weight]) => [
			conv2dTranspose(dy, weight!, x.shape, stride, pad),
			conv2dFilterGradient(input!, dy, filter.shape, stride, pad),
		],
	);
}

/**
 * Adjoint of `conv2d` in its input: transposed convolution.
 *
 * @param y [N, H', W', O]
 * @param filter [kh, kw, I, O], the filter of the forward convolution
 * @param shape [N, H, W, I], the input shape of the forward convolution
 */
export function conv2dTranspose(
	y: tf.Tensor,
	filter: tf.Tensor,
	shape: number[],
	stride: number,
	pad: Padding,
): tf.Tensor {
	if (stride === 1 && pad === 'same') {
		// As a forward convolution with the turned kernel: half the time of the transposed kernel on a CPU.
		return conv2d(y, tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]), 1, pad);
	}
	return withGradients(
		[y, filter],
		([output, weight]) =>
			run(
				'Conv2DBackpropInput',
				{ dy: output!, filter: weight! },
				{ ...kernelAttributes(stride, pad), inputShape: shape },
			),
		(dx, [output, weight]) => [
			conv2d(dx, weight!, stride, pad),
			conv2dFilterGradient(dx, output!, filter.shape, stride, pad),
		],
	);
}

/** Adjoint of `conv2d` in its filter: x [N, H, W, I] and dy [N, H', W', O] give [kh, kw, I, O]. */
function conv2dFilterGradient(
	x: tf.Tensor,
	dy: tf.Tensor,
	filterShape: number[],
	stride: number,
	pad: Padding,
): tf.Tensor {
	return withGradients(
		[x, dy],
		([input, output]) =>
			run(
				'Conv2DBackpropFilter',
				{ x: input!, dy: output! },
				{ ...kernelAttributes(stride, pad), filterShape },
			),
		(dw, [input, output]) => [
			conv2dTranspose(output!, dw, x.shape, stride, pad),
			conv2d(input!, dw, stride, pad),
		],
	);
}
