// Resizing as a pair of constant matrices, one along each axis: exact, and differentiable to any order on every engine.
// (The bilinear kernels of tfjs have a wrong gradient at half-pixel centres.) Sample i of m lies at (i + ½)·n / m − ½ of
// the n it is made from, as in PyTorch with align_corners off.
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../contract.ts';

export type ResizeFilter = 'nearest' | 'bilinear' | 'bicubic' | 'area';

export interface ResizeOptions {
	/**
	 * Stretch bilinear and bicubic kernels when making smaller, so that nothing is skipped. Default true. The cubic is
	 * Keys' with a = −0.5 then, and with a = −0.75 otherwise, as PyTorch has it.
	 */
	antialias?: boolean;
}

/**
 * Resizes images [N, H, W, C] to [N, height, width, C].
 *
 * @param filter nearest; bilinear; bicubic; area: the mean of the interval that a sample covers
 */
export function resize(
	x: tf.Tensor,
	height: number,
	width: number,
	filter: ResizeFilter = 'bilinear',
	options: ResizeOptions = {},
): tf.Tensor {
	const [, h, w] = x.shape as [number, number, number, number];
	const matrix = (from: number, to: number): tf.Tensor => {
		const { shape, data } = resizeMatrix(from, to, filter, options);
		return tf.tensor2d(data, shape as [number, number]);
	};
	return alongAxes(x, matrix(h, height), matrix(w, width));
}

/** y = R·x·Cᵀ for each channel: x [N, H, W, C], rows [h, H], columns [w, W] → [N, h, w, C]. */
export function alongAxes(x: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	const [toHeight, toWidth] = [rows.shape[0]!, columns.shape[0]!];
	const byRow = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [n * c * h, w]);
	const narrow = tf.reshape(tf.matMul(byRow, columns, false, true), [n, c, h, toWidth]);
	const byColumn = tf.reshape(tf.transpose(narrow, [0, 1, 3, 2]), [n * c * toWidth, h]);
	const small = tf.reshape(tf.matMul(byColumn, rows, false, true), [n, c, toWidth, toHeight]);
	return tf.transpose(small, [0, 3, 2, 1]);
}

/** The matrix [to, from] of a resizing along one axis; its rows sum to 1. */
export function resizeMatrix(
	from: number,
	to: number,
	filter: ResizeFilter,
	{ antialias = true }: ResizeOptions = {},
): HostTensor {
	switch (filter) {
		case 'nearest':
			return fill(from, to, (i, scale) => [[Math.min(from - 1, Math.floor(i * scale)), 1]]);
		case 'area':
			return fill(from, to, coverage);
		case 'bilinear':
			return antialias ? stretched(from, to, 1, triangle) : sampled(from, to, 1, triangle);
		case 'bicubic':
			return antialias ? stretched(from, to, 2, keys(-0.5)) : sampled(from, to, 2, keys(-0.75));
	}
}

type Kernel = (distance: number) => number;

const triangle: Kernel = (x) => Math.max(0, 1 - Math.abs(x));

/** The cubic convolution kernel (Keys 1981) with its free parameter. */
const keys =
	(a: number): Kernel =>
	(x) => {
		const t = Math.abs(x);
		if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
		return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
	};

type Taps = [index: number, weight: number][];

function fill(from: number, to: number, taps: (i: number, scale: number) => Taps): HostTensor {
	const data = new Float64Array(to * from);
	for (let i = 0; i < to; i++) {
		for (const [j, weight] of taps(i, from / to)) data[i * from + j]! += weight;
	}
	return { shape: [to, from], data: Float32Array.from(data) };
}

function coverage(i: number, scale: number): Taps {
	const [begin, end] = [i * scale, (i + 1) * scale];
	const taps: Taps = [];
	for (let j = Math.floor(begin); j < Math.ceil(end - 1e-9); j++) {
		taps.push([j, (Math.min(j + 1, end) - Math.max(j, begin)) / scale]);
	}
	return taps;
}

/** The kernel as wide as a sample covers; the weights of the taps inside the signal are normalised. */
function stretched(from: number, to: number, support: number, kernel: Kernel): HostTensor {
	return fill(from, to, (i, scale) => {
		const width = Math.max(scale, 1);
		const centre = (i + 0.5) * scale;
		const first = Math.max(0, Math.floor(centre - support * width + 0.5));
		const last = Math.min(from, Math.floor(centre + support * width + 0.5));
		const taps: Taps = [];
		for (let j = first; j < last; j++) taps.push([j, kernel((j + 0.5 - centre) / width)]);
		const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
		return taps.map(([j, weight]) => [j, weight / total]);
	});
}

/** The kernel as it is, positions outside reading the edge. */
function sampled(from: number, to: number, support: number, kernel: Kernel): HostTensor {
	return fill(from, to, (i, scale) => {
		const position = (i + 0.5) * scale - 0.5;
		const left = Math.floor(position) - support + 1;
		return Array.from({ length: 2 * support }, (_, k) => {
			const j = left + k;
			return [Math.min(from - 1, Math.max(0, j)), kernel(position - j)] as [number, number];
		});
	});
}
