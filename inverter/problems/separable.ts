// Separable linear maps y = R x Cᵀ, channel by channel, with R [h', H] over rows and C [w', W] over columns. Reductions
// and separable blurs are of this form; the boundary is a part of the matrix, so the adjoint is its transpose.
import * as tf from '@tensorflow/tfjs-core';
import { alongAxes, type HostTensor, type TensorMap } from '../../engine/index.ts';

/** What a sampling position outside the signal reads. */
export type Boundary = 'zero' | 'reflect' | 'symmetric' | 'replicate' | 'circular';

export function applySeparable({ rows, columns }: TensorMap, x: tf.Tensor4D): tf.Tensor4D {
	return alongAxes(x, rows!, columns!) as tf.Tensor4D;
}

export function adjointSeparable({ rows, columns }: TensorMap, y: tf.Tensor): tf.Tensor4D {
	return alongAxes(y, tf.transpose(rows!), tf.transpose(columns!)) as tf.Tensor4D;
}

/** Index that position `i` reads in a signal of length n, or −1 for zero. */
function wrap(i: number, n: number, boundary: Boundary): number {
	if (i >= 0 && i < n) return i;
	if (boundary === 'zero') return -1;
	if (boundary === 'replicate') return i < 0 ? 0 : n - 1;
	if (boundary === 'circular') return ((i % n) + n) % n;
	// reflect leaves the edge out (c b | a b c), symmetric repeats it (b a | a b c).
	const period = boundary === 'symmetric' ? 2 * n : Math.max(1, 2 * (n - 1));
	const at = ((i % period) + period) % period;
	return at < n ? at : boundary === 'symmetric' ? period - 1 - at : period - at;
}

/** [n, n]: correlation with an odd number of taps. */
export function filterMatrix(n: number, taps: ArrayLike<number>, boundary: Boundary): HostTensor {
	const data = new Float64Array(n * n);
	const radius = (taps.length - 1) / 2;
	for (let i = 0; i < n; i++) {
		for (let k = 0; k < taps.length; k++) {
			const j = wrap(i + k - radius, n, boundary);
			if (j >= 0) data[i * n + j]! += taps[k]!;
		}
	}
	return { shape: [n, n], data: Float32Array.from(data) };
}

/** [n + 2 · margin, n]: a signal continued beyond both ends. */
export function marginMatrix(n: number, margin: number, boundary: Boundary): HostTensor {
	const data = new Float32Array((n + 2 * margin) * n);
	for (let i = 0; i < n + 2 * margin; i++) {
		const j = wrap(i - margin, n, boundary);
		if (j >= 0) data[i * n + j] = 1;
	}
	return { shape: [n + 2 * margin, n], data };
}
