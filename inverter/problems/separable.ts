// Separable linear maps y = R x Cᵀ, channel by channel, with R [h', H] over rows and C [w', W] over columns. Resampling
// and separable blurs are of this form; the boundary is a part of the matrix, so the adjoint is its transpose.
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor, TensorMap } from '../../engine/index.ts';

/** What a sampling position outside the signal reads. */
export type Boundary = 'zero' | 'reflect' | 'symmetric' | 'replicate' | 'circular';

/** x [N, H, W, C] → [N, h', w', C]. */
function along(x: tf.Tensor4D, rows: tf.Tensor2D, columns: tf.Tensor2D): tf.Tensor4D {
	const [N, H, W, C] = x.shape;
	const [h, w] = [rows.shape[0], columns.shape[0]];
	const byRow = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [N * C * H, W]); // [N·C·H, W]
	const narrow = tf.reshape(tf.matMul(byRow, columns, false, true), [N, C, H, w]);
	const byColumn = tf.reshape(tf.transpose(narrow, [0, 1, 3, 2]), [N * C * w, H]); // [N·C·w', H]
	const small = tf.reshape(tf.matMul(byColumn, rows, false, true), [N, C, w, h]);
	return tf.transpose(small, [0, 3, 2, 1]) as tf.Tensor4D; // [N, h', w', C]
}

export function applySeparable({ rows, columns }: TensorMap, x: tf.Tensor4D): tf.Tensor4D {
	return along(x, rows as tf.Tensor2D, columns as tf.Tensor2D);
}

export function adjointSeparable({ rows, columns }: TensorMap, y: tf.Tensor): tf.Tensor4D {
	return along(y as tf.Tensor4D, tf.transpose(rows as tf.Tensor2D), tf.transpose(columns as tf.Tensor2D));
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

/** Keys' cubic with a = −0.5; support 2. */
function cubic(x: number): number {
	const t = Math.abs(x);
	if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
	return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

/**
 * [m, n]: antialiased bicubic reduction; the kernel is stretched by n / m and the weights of the taps inside the image
 * are normalised to 1 (as PyTorch with antialias and Pillow do).
 */
export function bicubicMatrix(n: number, m: number): HostTensor {
	return reduction(n, m, 2, cubic);
}

/** [m, n]: each output is the mean of the input interval it covers; box average where m divides n. */
export function areaMatrix(n: number, m: number): HostTensor {
	const data = new Float32Array(m * n);
	const scale = n / m;
	for (let i = 0; i < m; i++) {
		for (let j = Math.floor(i * scale); j < Math.min(n, Math.ceil((i + 1) * scale)); j++) {
			const covered = Math.min(j + 1, (i + 1) * scale) - Math.max(j, i * scale);
			data[i * n + j] = Math.max(0, covered) / scale;
		}
	}
	return { shape: [m, n], data };
}

function reduction(n: number, m: number, support: number, kernel: (x: number) => number): HostTensor {
	const data = new Float32Array(m * n);
	const scale = n / m;
	for (let i = 0; i < m; i++) {
		const centre = (i + 0.5) * scale;
		const first = Math.max(0, Math.floor(centre - support * scale + 0.5));
		const last = Math.min(n, Math.floor(centre + support * scale + 0.5));
		const weights: number[] = [];
		for (let j = first; j < last; j++) weights.push(kernel((j + 0.5 - centre) / scale));
		const total = weights.reduce((sum, w) => sum + w, 0);
		for (const [k, weight] of weights.entries()) data[i * n + first + k] = weight / total;
	}
	return { shape: [m, n], data };
}
