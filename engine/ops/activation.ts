// Pointwise non-linearities and normalisations.
import * as tf from '@tensorflow/tfjs-core';
import { withGradients } from '../gradients.ts';
import { LeakyReluGradient } from '../kernels.ts';

/**
 * Leaky ReLU, differentiable to any order (its second derivative is zero almost everywhere); slope in (0, 1].
 *
 * Its gradient looks at the sign of the result, which is that of x: the next layer keeps the result anyway, and
 * TensorFlow can fuse what comes before when nothing else reads it.
 */
export function leakyRelu(x: tf.Tensor, slope = 0.2): tf.Tensor {
	return tf.customGrad((input, save) => {
		const value = tf.leakyRelu(input as tf.Tensor, slope);
		(save as unknown as (tensors: tf.Tensor[]) => void)([value]);
		return {
			value,
			gradFunc: (dy: tf.Tensor, [result]: tf.Tensor[]) => leakyReluGradient(dy, result!, slope),
		};
	})(x);
}

/** dy·(x > 0 ? 1 : slope): linear in dy, and its own adjoint there. */
function leakyReluGradient(dy: tf.Tensor, x: tf.Tensor, slope: number): tf.Tensor {
	return withGradients(
		[dy, x],
		([cotangent, input]) =>
			tf.engine().runKernel(LeakyReluGradient, { dy: cotangent!, x: input! }, { alpha: slope }) as tf.Tensor,
		(d, [, input]) => [leakyReluGradient(d, input!, slope), tf.fill(x.shape, 0)],
	);
}

/** `leakyRelu(x + bias)·√2`, slope 0.2: the activation of StyleGAN2. `bias` [C] adds to the last axis. */
export function biasLeakyRelu(x: tf.Tensor, bias: tf.Tensor): tf.Tensor {
	return tf.mul(leakyRelu(tf.add(x, bias)), Math.SQRT2);
}

/** x / √(mean over the last axis of x² + 1e-8): PixelNorm of PGGAN, and of StyleGAN2's z. */
export function pixelNorm(x: tf.Tensor, epsilon = 1e-8): tf.Tensor {
	return tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon)));
}
