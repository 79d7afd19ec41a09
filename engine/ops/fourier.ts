// Circular convolution by FFT.
import * as tf from '@tensorflow/tfjs-core';
import { withGradients } from '../gradients.ts';
import { CircularConvolution } from '../kernels.ts';

/**
 * Circular convolution of each row with a kernel: out[i] = Σ_j kernel[j]·x[(i − j) mod n]. Linear in x, differentiable
 * in x to any order; the kernel is a constant (its gradient is zero).
 *
 * @param x [N, n]
 * @param kernel [n], or [N, n] for a kernel of its own for each row
 * @returns [N, n]
 */
export function circularConvolve(x: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
	return apply(x, kernel.rank === 1 ? tf.reshape(kernel, [1, kernel.shape[0]!]) : kernel, false);
}

/** The kernel goes in as an input, so that the tape keeps it for the way back. */
function apply(x: tf.Tensor, kernel: tf.Tensor, adjoint: boolean): tf.Tensor {
	return withGradients(
		[x, kernel],
		([input, rows]) =>
			tf.engine().runKernel(CircularConvolution, { x: input!, kernel: rows! }, { adjoint }) as tf.Tensor,
		(dy, [, rows]) => [apply(dy, rows!, !adjoint), tf.fill(kernel.shape, 0)],
	);
}
