// The little dense linear algebra that FID and NIQE need, in float64, row-major.
import { RtilError } from '../errors/index.ts';

export interface Matrix {
	readonly rows: number;
	readonly columns: number;
	readonly data: Float64Array;
}

/** Mean of the rows, and the rows less their mean. */
export function centred(samples: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }): {
	mean: Float64Array;
	rows: Matrix;
} {
	const [rows = 0, columns = 0] = samples.shape;
	const mean = new Float64Array(columns);
	for (let r = 0; r < rows; r++)
		for (let c = 0; c < columns; c++) mean[c]! += (samples.data[r * columns + c] as number) / rows;
	const data = Float64Array.from(samples.data, (value, i) => value - (mean[i % columns] as number));
	return { mean, rows: { rows, columns, data } };
}

/** Covariance with divisor N − 1 of centred rows: [columns, columns]. */
export function covariance({ rows, columns, data }: Matrix): Matrix {
	const result = new Float64Array(columns * columns);
	for (let r = 0; r < rows; r++)
		for (let i = 0; i < columns; i++) {
			const value = (data[r * columns + i] as number) / (rows - 1);
			for (let j = 0; j < columns; j++) result[i * columns + j]! += value * (data[r * columns + j] as number);
		}
	return { rows: columns, columns, data: result };
}

/** A Bᵀ. */
export function timesTransposed(a: Matrix, b: Matrix): Matrix {
	const data = new Float64Array(a.rows * b.rows);
	for (let i = 0; i < a.rows; i++)
		for (let j = 0; j < b.rows; j++) {
			let sum = 0;
			for (let k = 0; k < a.columns; k++)
				sum += (a.data[i * a.columns + k] as number) * (b.data[j * b.columns + k] as number);
			data[i * b.rows + j] = sum;
		}
	return { rows: a.rows, columns: b.rows, data };
}

/** R of A = QR with at most as many rows as columns: what is left of a tall matrix when rotations do not matter. */
export function triangular(a: Matrix): Matrix {
	if (a.rows <= a.columns) return a;
	const work = { ...a, data: a.data.slice() };
	for (let k = 0; k < a.columns; k++) reflectColumn(work, k, k);
	return { rows: a.columns, columns: a.columns, data: work.data.slice(0, a.columns ** 2) };
}

/** Sum of singular values. */
export function nuclearNorm(a: Matrix): number {
	return singularValues(a).reduce((sum, value) => sum + value, 0);
}

/**
 * Singular values, largest first: Householder bidiagonalisation, then the eigenvalues ±σ of the tridiagonal matrix with
 * zero diagonal that interleaves the two bands (Golub and Kahan 1965). Absolute error is a few ulp of the largest.
 */
export function singularValues(a: Matrix): Float64Array {
	const n = Math.min(a.rows, a.columns);
	const work = a.rows >= a.columns ? { ...a, data: a.data.slice() } : transposed(a);
	const band = new Float64Array(2 * n - 1);
	for (let k = 0; k < n; k++) {
		band[2 * k] = reflectColumn(work, k, k);
		if (k + 1 < n) band[2 * k + 1] = reflectRow(work, k, k + 1);
	}
	const eigenvalues = tridiagonalEigenvalues(new Float64Array(2 * n), band);
	return eigenvalues
		.map(Math.abs)
		.sort()
		.reverse()
		.filter((_, i) => i % 2 === 0);
}

function transposed({ rows, columns, data }: Matrix): Matrix {
	const result = Float64Array.from(
		data,
		(_, i) => data[(i % rows) * columns + Math.floor(i / rows)] as number,
	);
	return { rows: columns, columns: rows, data: result };
}

/** Reflects rows ≥ `from` so that column `k` becomes zero below row `from`; returns the entry left there. */
function reflectColumn({ rows, columns, data }: Matrix, k: number, from: number): number {
	let norm = 0;
	for (let r = from; r < rows; r++) norm = Math.hypot(norm, data[r * columns + k] as number);
	const first = data[from * columns + k] as number;
	if (norm === 0) return 0;
	const alpha = first > 0 ? -norm : norm;
	const vector = new Float64Array(rows);
	for (let r = from; r < rows; r++) vector[r] = data[r * columns + k] as number;
	vector[from] = first - alpha;
	const scale = 1 / (alpha * (alpha - first)); // 2 / vᵀv
	const products = new Float64Array(columns);
	for (let r = from; r < rows; r++)
		for (let c = k; c < columns; c++)
			products[c]! += (vector[r] as number) * (data[r * columns + c] as number);
	for (let r = from; r < rows; r++)
		for (let c = k; c < columns; c++)
			data[r * columns + c]! -= scale * (vector[r] as number) * (products[c] as number);
	return alpha;
}

/** Reflects columns ≥ `from` so that row `k` becomes zero right of column `from`; returns the entry left there. */
function reflectRow({ rows, columns, data }: Matrix, k: number, from: number): number {
	let norm = 0;
	for (let c = from; c < columns; c++) norm = Math.hypot(norm, data[k * columns + c] as number);
	const first = data[k * columns + from] as number;
	if (norm === 0) return 0;
	const alpha = first > 0 ? -norm : norm;
	const vector = data.slice(k * columns, (k + 1) * columns);
	vector[from] = first - alpha;
	const scale = 1 / (alpha * (alpha - first));
	for (let r = k; r < rows; r++) {
		let product = 0;
		for (let c = from; c < columns; c++) product += (vector[c] as number) * (data[r * columns + c] as number);
		for (let c = from; c < columns; c++) data[r * columns + c]! -= scale * product * (vector[c] as number);
	}
	return alpha;
}

/** Eigenvalues of a symmetric tridiagonal matrix by implicit QL with Wilkinson's shift; overwrites its arguments. */
function tridiagonalEigenvalues(diagonal: Float64Array, band: Float64Array): Float64Array {
	const n = diagonal.length;
	const d = (i: number) => diagonal[i] as number;
	const e = (i: number) => band[i] as number;
	// With a zero diagonal, neighbours say nothing about the scale of a band entry: take it from the whole.
	const scale = band.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
	const negligible = (i: number) =>
		Math.abs(e(i)) <= Number.EPSILON * Math.max(Math.abs(d(i)) + Math.abs(d(i + 1)), 1e-3 * scale);
	for (let l = 0; l < n; l++) {
		for (let sweep = 0; ; sweep++) {
			let m = l;
			while (m < n - 1 && !negligible(m)) m++;
			if (m === l) break;
			if (sweep === 60) throw new RtilError('DIVERGED', 'Singular values do not converge', 'Check for NaN.');
			const half = (d(l + 1) - d(l)) / (2 * e(l));
			const root = Math.hypot(half, 1);
			let g = d(m) - d(l) + e(l) / (half + (half < 0 ? -root : root));
			let sine = 1;
			let cosine = 1;
			let shift = 0;
			let i = m - 1;
			for (; i >= l; i--) {
				const f = sine * e(i);
				const b = cosine * e(i);
				const r = Math.hypot(f, g);
				if (i + 1 < n - 1) band[i + 1] = r;
				if (r === 0) {
					diagonal[i + 1]! -= shift;
					if (m < n - 1) band[m] = 0;
					break;
				}
				sine = f / r;
				cosine = g / r;
				g = d(i + 1) - shift;
				const t = (d(i) - g) * sine + 2 * cosine * b;
				shift = sine * t;
				diagonal[i + 1] = g + shift;
				g = cosine * t - b;
			}
			if (i >= l) continue;
			diagonal[l]! -= shift;
			band[l] = g;
			if (m < n - 1) band[m] = 0;
		}
	}
	return diagonal;
}

/** Eigenvalues and eigenvectors (rows of `vectors`) of a small symmetric matrix by cyclic Jacobi rotations. */
export function symmetricEigen(a: Matrix): { values: Float64Array; vectors: Matrix } {
	const n = a.rows;
	const m = a.data.slice();
	const v = new Float64Array(n * n);
	for (let i = 0; i < n; i++) v[i * n + i] = 1;
	const at = (i: number, j: number) => m[i * n + j] as number;
	const total = m.reduce((sum, value) => sum + value * value, 0);
	for (let sweep = 0; sweep < 60; sweep++) {
		let off = 0;
		for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) off += at(i, j) ** 2;
		if (off <= 1e-32 * total) break;
		for (let p = 0; p < n - 1; p++)
			for (let q = p + 1; q < n; q++) {
				if (at(p, q) === 0) continue;
				const theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
				const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
				const cosine = 1 / Math.hypot(tangent, 1);
				const sine = tangent * cosine;
				for (let k = 0; k < n; k++) rotate(m, k * n + p, k * n + q, cosine, sine);
				for (let k = 0; k < n; k++) rotate(m, p * n + k, q * n + k, cosine, sine);
				for (let k = 0; k < n; k++) rotate(v, p * n + k, q * n + k, cosine, sine);
			}
	}
	const values = Float64Array.from({ length: n }, (_, i) => at(i, i));
	return { values, vectors: { rows: n, columns: n, data: v } };
}

function rotate(data: Float64Array, i: number, j: number, cosine: number, sine: number): void {
	const x = data[i] as number;
	const y = data[j] as number;
	data[i] = cosine * x - sine * y;
	data[j] = sine * x + cosine * y;
}
