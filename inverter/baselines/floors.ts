// Floors that a solver with a prior must beat: bicubic enlargement, and the constant image that fits best.
import { z } from 'zod';
import type { HostTensor } from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import { type Measurements, pixels } from '../problems/index.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from '../solvers/solver.ts';
import { directResult, imageShape, residuals, servesOnly, withOperator } from './direct.ts';

const schema = z.strictObject({});

/** A solver that computes its images at once. */
function floor(
	kind: string,
	summary: string,
	kinds: readonly string[] | null,
	compute: (measurements: Measurements, apply: (x: Float32Array) => Float32Array) => HostTensor,
): Solver<typeof schema, Prior | null> {
	return {
		kind,
		summary,
		needs: 'nothing',
		schema,
		presets: { plain: {} },
		check: (_prior, _options, problem) => kinds && servesOnly(kind, kinds, problem),
		async *solve(
			_prior: Prior | null,
			measurements: Measurements,
			_options: object,
			context: SolveContext,
		): AsyncGenerator<Progress, Reconstruction> {
			context.signal?.throwIfAborted();
			if (kinds) servesOnly(kind, kinds, measurements.problem);
			const now = context.now ?? (() => performance.now());
			const startedAt = now();
			return withOperator(context, measurements, (apply) => {
				const images = compute(measurements, apply);
				const residual = residuals(measurements, apply(images.data));
				return directResult(images, residual, (now() - startedAt) / 1000);
			});
		},
	};
}

/** Keys' cubic with a = −0.5. */
function cubic(x: number): number {
	const t = Math.abs(x);
	if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
	return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

/** [n, m]: enlarges m samples to n ≥ m, pixel centres at (i + ½) m / n; beyond the border its last sample. */
function enlargement(n: number, m: number): Float64Array {
	const matrix = new Float64Array(n * m);
	for (let i = 0; i < n; i++) {
		const centre = ((i + 0.5) * m) / n - 0.5;
		for (let j = Math.floor(centre) - 1; j <= Math.floor(centre) + 2; j++)
			matrix[i * m + Math.min(m - 1, Math.max(0, j))]! += cubic(centre - j);
	}
	return matrix;
}

/** [n, count · inner] = matrix [n, m] × values [m, count · inner], for each of `outer` blocks of values. */
function multiply(
	matrix: Float64Array,
	values: Float32Array,
	m: number,
	inner: number,
	outer: number,
): Float32Array {
	const n = matrix.length / m;
	const out = new Float32Array(outer * n * inner);
	for (let block = 0; block < outer; block++)
		for (let i = 0; i < n; i++)
			for (let j = 0; j < m; j++) {
				const weight = matrix[i * m + j]!;
				if (weight === 0) continue;
				const [to, from] = [(block * n + i) * inner, (block * m + j) * inner];
				for (let k = 0; k < inner; k++) out[to + k]! += weight * values[from + k]!;
			}
	return out;
}

export const bicubic = floor(
	'bicubic',
	'bicubic enlargement, for super-resolution; needs no prior',
	['super-resolution'],
	(measurements) => {
		const { image, y } = measurements;
		const [N, h, w, C] = y.shape as [number, number, number, number];
		const tall = multiply(enlargement(image.height, h), y.data, h, w * C, N);
		const whole = multiply(enlargement(image.width, w), tall, w, C, N * image.height);
		return { shape: imageShape(measurements), data: whole };
	},
);

export const mean = floor(
	'mean',
	'the constant colour that fits best (inpainting: in the missing pixels); needs no prior',
	null,
	(measurements, apply) => {
		const { image, y, support, keys, problem } = measurements;
		const { channels } = image;
		const size = keys.length * pixels(image);
		const flat = (one: (channel: number) => number): Float32Array =>
			Float32Array.from({ length: size }, (_, i) => one(i % channels));
		const grey = apply(flat(() => 1));
		const single = Array.from({ length: channels }, (_, c) =>
			apply(flat((channel) => Number(channel === c))),
		);
		const data = new Float32Array(size);
		const each = y.data.length / keys.length;
		keys.forEach((_, n) => {
			const part = (values: Float32Array): Float32Array => values.subarray(n * each, (n + 1) * each);
			// A grey level first: what the measurement does not tell of the colour stays grey.
			const level = dot(part(grey), part(y.data)) / Math.max(dot(part(grey), part(grey)), 1e-12);
			const rest = part(y.data).map((value, i) => value - level * part(grey)[i]!);
			const columns = single.map(part);
			const gram = columns.map((a) => columns.map((b) => dot(a, b)));
			const ridge = 1e-6 * gram.reduce((sum, row, c) => sum + row[c]!, 1e-9);
			for (let c = 0; c < channels; c++) gram[c]![c]! += ridge;
			const colour = solveSymmetric(
				gram,
				columns.map((a) => dot(a, rest)),
			).map((offset) => level + offset);
			for (let i = 0; i < pixels(image); i++) {
				const at = n * pixels(image) + i;
				data[at] =
					problem.kind === 'inpainting' && support.data[at] === 1 ? y.data[at]! : colour[i % channels]!;
			}
		});
		return { shape: imageShape(measurements), data };
	},
);

function dot(a: Float32Array, b: Float32Array): number {
	let sum = 0;
	for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
	return sum;
}

/** Solution of a small positive definite system, by elimination; changes its arguments. */
function solveSymmetric(matrix: number[][], right: number[]): number[] {
	const n = right.length;
	for (let k = 0; k < n; k++)
		for (let i = k + 1; i < n; i++) {
			const factor = matrix[i]![k]! / matrix[k]![k]!;
			for (let j = k; j < n; j++) matrix[i]![j]! -= factor * matrix[k]![j]!;
			right[i]! -= factor * right[k]!;
		}
	for (let i = n - 1; i >= 0; i--) {
		for (let j = i + 1; j < n; j++) right[i]! -= matrix[i]![j]! * right[j]!;
		right[i]! /= matrix[i]![i]!;
	}
	return right;
}
