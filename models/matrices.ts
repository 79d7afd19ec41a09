// Small dense matrices in double precision on the host: what set-up and theory need once, not what training repeats.
import type { RandomStream } from '../engine/index.ts';

/** Row-major. */
export interface Matrix {
	rows: number;
	columns: number;
	data: Float64Array;
}

/** A matrix whose entries are `entry(i, j)`. */
export function matrix(rows: number, columns: number, entry: (i: number, j: number) => number): Matrix {
	const data = new Float64Array(rows * columns);
	for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] = entry(i, j);
	return { rows, columns, data };
}

export function identity(n: number): Matrix {
	return matrix(n, n, (i, j) => (i === j ? 1 : 0));
}

/** Independent standard normals: draw `step` of a stream. */
export function normalMatrix(rows: number, columns: number, random: RandomStream, step = 0): Matrix {
	return { rows, columns, data: Float64Array.from(random.normals(step, rows * columns)) };
}

export function transposed(a: Matrix): Matrix {
	return matrix(a.columns, a.rows, (i, j) => a.data[j * a.columns + i]!);
}

export function product(a: Matrix, ...rest: Matrix[]): Matrix {
	const [b, ...more] = rest;
	if (!b) return a;
	if (a.columns !== b.rows) throw new RangeError(`${a.rows}×${a.columns} times ${b.rows}×${b.columns}`);
	const out = matrix(a.rows, b.columns, () => 0);
	for (let i = 0; i < a.rows; i++) {
		for (let k = 0; k < a.columns; k++) {
			const factor = a.data[i * a.columns + k]!;
			for (let j = 0; j < b.columns; j++) out.data[i * b.columns + j]! += factor * b.data[k * b.columns + j]!;
		}
	}
	return product(out, ...more);
}

/** a + factor·b. */
export function plus(a: Matrix, b: Matrix, factor = 1): Matrix {
	return matrix(
		a.rows,
		a.columns,
		(i, j) => a.data[i * a.columns + j]! + factor * b.data[i * b.columns + j]!,
	);
}

export function minus(a: Matrix, b: Matrix): Matrix {
	return plus(a, b, -1);
}

/** Sum of the squares of the entries: the squared Frobenius norm. */
export function squaredNorm(a: Matrix): number {
	return a.data.reduce((sum, value) => sum + value * value, 0);
}

/** Row-pivoted factors: row `order[i]` of the matrix is row i of L·U; L has ones on its diagonal. */
export interface LuFactors {
	order: number[];
	lower: Matrix;
	upper: Matrix;
}

/** LU factors of a square matrix with partial pivoting; throws RangeError when it is singular. */
export function luFactors(a: Matrix): LuFactors {
	const n = a.rows;
	const upper = { ...a, data: a.data.slice() };
	const lower = identity(n);
	const order = Array.from({ length: n }, (_, i) => i);
	const swap = (data: Float64Array, p: number, q: number, width: number): void => {
		for (let j = 0; j < width; j++) {
			const kept = data[p * n + j]!;
			data[p * n + j] = data[q * n + j]!;
			data[q * n + j] = kept;
		}
	};
	for (let k = 0; k < n; k++) {
		let pivot = k;
		for (let i = k + 1; i < n; i++) {
			if (Math.abs(upper.data[i * n + k]!) > Math.abs(upper.data[pivot * n + k]!)) pivot = i;
		}
		if (!(Math.abs(upper.data[pivot * n + k]!) > 0)) throw new RangeError('The matrix is singular');
		swap(upper.data, k, pivot, n);
		swap(lower.data, k, pivot, k);
		[order[k], order[pivot]] = [order[pivot]!, order[k]!];
		for (let i = k + 1; i < n; i++) {
			const factor = upper.data[i * n + k]! / upper.data[k * n + k]!;
			lower.data[i * n + k] = factor;
			for (let j = k; j < n; j++) upper.data[i * n + j]! -= factor * upper.data[k * n + j]!;
			upper.data[i * n + k] = 0;
		}
	}
	return { order, lower, upper };
}

/** log |det a|. */
export function logAbsDeterminant(a: Matrix): number {
	const { upper } = luFactors(a);
	let sum = 0;
	for (let i = 0; i < a.rows; i++) sum += Math.log(Math.abs(upper.data[i * a.rows + i]!));
	return sum;
}

/** The X with a·X = b for a square a. */
export function solve(a: Matrix, b: Matrix): Matrix {
	const { order, lower, upper } = luFactors(a);
	const [n, m] = [a.rows, b.columns];
	const x = matrix(n, m, (i, j) => b.data[order[i]! * m + j]!);
	for (let j = 0; j < m; j++) {
		for (let i = 0; i < n; i++) {
			for (let k = 0; k < i; k++) x.data[i * m + j]! -= lower.data[i * n + k]! * x.data[k * m + j]!;
		}
		for (let i = n - 1; i >= 0; i--) {
			for (let k = i + 1; k < n; k++) x.data[i * m + j]! -= upper.data[i * n + k]! * x.data[k * m + j]!;
			x.data[i * m + j]! /= upper.data[i * n + i]!;
		}
	}
	return x;
}

export function inverse(a: Matrix): Matrix {
	return solve(a, identity(a.rows));
}

/** Moore–Penrose inverse of a matrix of full rank. */
export function pseudoInverse(a: Matrix): Matrix {
	const t = transposed(a);
	return a.rows >= a.columns ? solve(product(t, a), t) : transposed(pseudoInverse(t));
}

/** Columns made orthonormal one after the other (Gram–Schmidt, twice for accuracy); rows ≥ columns, full rank. */
export function orthonormal(a: Matrix): Matrix {
	const q = { ...a, data: a.data.slice() };
	const at = (i: number, j: number): number => q.data[i * a.columns + j]!;
	for (let j = 0; j < a.columns; j++) {
		for (let pass = 0; pass < 2; pass++) {
			for (let k = 0; k < j; k++) {
				let overlap = 0;
				for (let i = 0; i < a.rows; i++) overlap += at(i, j) * at(i, k);
				for (let i = 0; i < a.rows; i++) q.data[i * a.columns + j]! -= overlap * at(i, k);
			}
		}
		let squares = 0;
		for (let i = 0; i < a.rows; i++) squares += at(i, j) ** 2;
		for (let i = 0; i < a.rows; i++) q.data[i * a.columns + j]! /= Math.sqrt(squares);
	}
	return q;
}
