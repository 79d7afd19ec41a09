// Circular convolution by FFT.
import type * as tf from '@tensorflow/tfjs-core';
import * as core from '@tensorflow/tfjs-core';
import { linear } from '../gradients.ts';
import { CircularConvolution } from '../kernels.ts';

/**
 * Circular convolution of each row with a kernel: out[i] = Σ_j kernel[j]·x[(i − j) mod n]. Linear in x, differentiable
 * in x to any order; the kernel is a constant (it gets no gradient).
 *
 * @param x [N, n]
 * @param kernel [n], or [N, n] for a kernel of its own for each row
 * @returns [N, n]
 */
export function circularConvolve(x: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
	const run = (input: tf.Tensor, adjoint: boolean): tf.Tensor => {
		// Reshaped here: what is made outside is gone when the tape walks back.
		const rows = kernel.rank === 1 ? core.reshape(kernel, [1, kernel.shape[0]!]) : kernel;
		return core.engine().runKernel(CircularConvolution, { x: input, kernel: rows }, { adjoint }) as tf.Tensor;
	};
	return linear(
		(input) => run(input, false),
		(output) => run(output, true),
	)(x);
}
