// A dense Gaussian matrix for compressed sensing, as of CSGM (Bora et al. 2017, §6.1: entries N(0, 1/m)). One matrix a
// seed: images of one seed are measured by the same, and share it in memory.
import * as tf from '@tensorflow/tfjs-core';
import { type HostTensor, stream } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import type { MeasurementKey } from './operator.ts';

/** Entries of all matrices of a batch: 128 MiB of float32. */
const MOST_ENTRIES = 2 ** 25;

/** Throws INVALID_INPUT when `count` matrices of m × n are more than memory is given to. */
export function requireRoom(m: number, n: number, count = 1): void {
	if (count * m * n <= MOST_ENTRIES) return;
	const many = count > 1 ? `${count} dense matrices` : 'A dense matrix';
	throw new RtilError(
		'INVALID_INPUT',
		`${many} of ${m} × ${n} would need ${Math.ceil((count * m * n) / 2 ** 18)} MiB; at most ${MOST_ENTRIES / 2 ** 18} MiB are taken.`,
		'Take `matrix: circulant`, a smaller ratio or smaller images.',
	);
}

/** The matrix [m, n] of the batch's seed; [N, m, n] where seeds differ. */
export function denseMatrix(
	m: number,
	n: number,
	factor: number,
	keys: readonly MeasurementKey[],
): HostTensor {
	const draw = (seed: number): Float32Array => {
		const entries = stream(seed, 'gaussian.matrix').normals(0, m * n);
		for (let i = 0; i < entries.length; i++) entries[i]! *= factor;
		return entries;
	};
	const seeds = new Set(keys.map(({ seed }) => seed));
	if (seeds.size === 1) return { shape: [m, n], data: draw(keys[0]!.seed) };
	requireRoom(m, n, keys.length);
	const data = new Float32Array(keys.length * m * n);
	for (const seed of seeds) {
		const entries = draw(seed);
		for (const [i, key] of keys.entries()) if (key.seed === seed) data.set(entries, i * m * n);
	}
	return { shape: [keys.length, m, n], data };
}

/** x [N, from] → [N, to]: each row by the matrix [to, from] or by its own of [N, to, from], or by the transposed one. */
export function multiplyRows(x: tf.Tensor2D, matrix: tf.Tensor, transposed: boolean): tf.Tensor2D {
	if (matrix.rank === 2) return tf.matMul(x, matrix as tf.Tensor2D, false, !transposed);
	const [N, from] = x.shape;
	const rows = tf.reshape(x, [N, 1, from]);
	return tf.reshape(tf.matMul(rows, matrix as tf.Tensor3D, false, !transposed), [N, -1]);
}
