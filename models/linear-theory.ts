// The theory of RTIL (Gunn, Cocola, Hand, TMLR 2023, §5): why training with intermediate latents helps an inversion that
// optimises them, in the one case that can be solved, two linear layers trained with supervision on infinite data.
//
// Signals are x = W1·(W0·z0 + z1) with z0, z1 standard normal; W0 is known, W1 is learnt. Vanilla training ignores z1
// (equation 6), RTIL does not (equation 7, λ = 0). An unknown signal is then recovered from y = A·x by ILO: first z0,
// then z1 (equation 5).
import { type RandomStream, stream } from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import {
	type Matrix,
	matrix,
	minus,
	normalMatrix,
	plus,
	product,
	pseudoInverse,
	squaredNorm,
	transposed,
} from './matrices.ts';

export { normalMatrix } from './matrices.ts';

/** The true two-layer model of signals. */
export interface LinearModel {
	/** [n1, n0], known. */
	w0: Matrix;
	/** [nd, n1], what training estimates. */
	w1: Matrix;
}

export interface Signal {
	x: Matrix;
	y: Matrix;
}

export type LinearTraining = 'vanilla' | 'rtil';

/** A model with normal weights; n0 < n1 < nd as in §5.1. */
export function linearModel(n0: number, n1: number, nd: number, seed: number): LinearModel {
	if (!(n0 < n1 && n1 < nd)) throw expected('n0 < n1 < nd', 'the sizes', [n0, n1, nd]);
	const random = stream(seed, 'linear model');
	return { w0: normalMatrix(n1, n0, random, 0), w1: normalMatrix(nd, n1, random, 1) };
}

/** A signal x [nd, 1] of the model and its measurements y = A·x; latents are draw `draw` of a stream. */
export function signal({ w0, w1 }: LinearModel, a: Matrix, random: RandomStream, draw: number): Signal {
	const latents = normalMatrix(w0.rows + w0.columns, 1, random, draw);
	const z1 = matrix(w0.rows, 1, (i) => latents.data[i]!);
	const z0 = matrix(w0.columns, 1, (i) => latents.data[w0.rows + i]!);
	const x = product(w1, plus(product(w0, z0), z1));
	return { x, y: product(a, x) };
}

/** The expected loss of an estimate of W1 (equations 6 and 7 with the expectations taken, proof of lemma 5.1). */
export function trainingLoss({ w0, w1 }: LinearModel, estimate: Matrix, training: LinearTraining): number {
	const difference = minus(w1, estimate);
	const onRange = squaredNorm(product(difference, w0));
	return onRange + squaredNorm(training === 'vanilla' ? w1 : difference);
}

/**
 * What training finds: for RTIL the true W1, the only minimiser; for vanilla training W1·W0·W0†, the minimiser of least
 * norm (lemmas 5.1 and A.1).
 */
export function trained({ w0, w1 }: LinearModel, training: LinearTraining): Matrix {
	return training === 'rtil' ? w1 : product(w1, w0, pseudoInverse(w0));
}

/** The same by gradient descent from zero, which never leaves the minimiser of least norm. */
export function trainedByDescent(model: LinearModel, training: LinearTraining, steps: number): Matrix {
	const { w0, w1 } = model;
	// ∇ = 2·(W − W1)·(W0·W0ᵀ + R), R = 0 or the identity.
	const gram = product(w0, transposed(w0));
	const metric =
		training === 'vanilla'
			? gram
			: plus(
					gram,
					matrix(gram.rows, gram.rows, (i, j) => (i === j ? 1 : 0)),
				);
	const rate = 1 / (2 * largestEigenvalue(metric));
	let estimate = matrix(w1.rows, w1.columns, () => 0);
	for (let step = 0; step < steps; step++) {
		estimate = plus(estimate, product(minus(estimate, w1), metric), -2 * rate);
	}
	return estimate;
}

/**
 * The signal that ILO recovers from y = A·x with a trained W1, both least-squares problems solved exactly (equation 5).
 *
 * @param a [m, nd]
 * @param y [m, 1]
 * @param start where the search for z1 begins, [n1, 1]; it ends at the solution nearest to it
 */
export function recover({ w0 }: LinearModel, w1: Matrix, a: Matrix, y: Matrix, start: Matrix): Matrix {
	const second = product(a, w1);
	const first = product(second, w0);
	const z0 = leastSquares(
		first,
		y,
		matrix(w0.columns, 1, () => 0),
	);
	const reached = product(w0, z0);
	const z1 = leastSquares(second, minus(y, product(second, reached)), start);
	return product(w1, plus(reached, z1));
}

/** E‖x − x̂‖² over signals for a vanilla W1 under measurements A: ‖W1 − W1·W0·(A·W1·W0)†·A·W1‖² (proof of lemma 5.2). */
export function vanillaError({ w0, w1 }: LinearModel, a: Matrix): number {
	const range = product(w1, w0);
	const found = product(range, pseudoInverse(product(a, range)), a, w1);
	return squaredNorm(minus(w1, found));
}

/** What no vanilla W1 gets below, whatever A is: max ‖(I − P)·W1·h‖² over unit h ⊥ range W0, P onto range W1·W0 (equation 8). */
export function vanillaBound({ w0, w1 }: LinearModel): number {
	const range = product(w1, w0);
	const rest = minus(w1, product(range, pseudoInverse(range), w1));
	// It vanishes on the range of W0, so its largest singular value is the one sought.
	return largestEigenvalue(product(transposed(rest), rest));
}

/** Of a symmetric positive semidefinite matrix, by power iteration. */
function largestEigenvalue(a: Matrix): number {
	let v = matrix(a.rows, 1, (i) => 1 + i / a.rows);
	let value = 0;
	for (let i = 0; i < 500; i++) {
		const next = product(a, v);
		value = Math.sqrt(squaredNorm(next) / squaredNorm(v));
		v = matrix(a.rows, 1, (k) => next.data[k]! / Math.sqrt(squaredNorm(next)));
	}
	return value;
}

/** The minimiser of ‖a·x − b‖ nearest to `start`, for a of any rank: conjugate gradients on the normal equations. */
function leastSquares(a: Matrix, b: Matrix, start: Matrix): Matrix {
	const t = transposed(a);
	let x = start;
	let residual = minus(b, product(a, x));
	let gradient = product(t, residual);
	let direction = gradient;
	let energy = squaredNorm(gradient);
	const enough = energy * 1e-28;
	for (let i = 0; i < 4 * a.columns && energy > enough; i++) {
		const moved = product(a, direction);
		const length = energy / squaredNorm(moved);
		x = plus(x, direction, length);
		residual = plus(residual, moved, -length);
		gradient = product(t, residual);
		const next = squaredNorm(gradient);
		direction = plus(gradient, direction, next / energy);
		energy = next;
	}
	return x;
}
