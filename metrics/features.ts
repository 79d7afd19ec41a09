// Distances between sets of features: FID (Heusel et al. 2017) and KID (Bińkowski et al. 2018).
import { expected } from '../errors/index.ts';
import { centred, covariance, type Matrix, nuclearNorm, timesTransposed, triangular } from './linear.ts';

/** One row a sample: shape [N, d]. */
export interface Features {
	readonly shape: readonly number[];
	readonly data: ArrayLike<number>;
}

/** Mean [d] and unbiased covariance [d, d] of features. */
export function featureStatistics(features: Features): { mean: Float64Array; covariance: Float64Array } {
	requireFeatures(features, features);
	const { mean, rows } = centred(features);
	return { mean, covariance: covariance(rows).data };
}

/**
 * FID = ‖m₁ − m₂‖² + tr C₁ + tr C₂ − 2 ‖X Yᵀ‖_*, where X and Y are the centred features over √(N − 1) and ‖·‖_* the sum
 * of singular values. Equal to the usual form with (C₁C₂)^½, but needs no root of a matrix and is exact for singular
 * covariances (fewer samples than features). Below about 10 000 samples FID is biased upwards: compare equal counts.
 */
export function fid(real: Features, fake: Features): number {
	requireFeatures(real, fake);
	const a = centred(real);
	const b = centred(fake);
	const x = scaled(a.rows);
	const y = scaled(b.rows);
	const mean = a.mean.reduce((sum, value, i) => sum + (value - (b.mean[i] as number)) ** 2, 0);
	const cross = nuclearNorm(timesTransposed(triangular(x), triangular(y)));
	return mean + squares(x.data) + squares(y.data) - 2 * cross;
}

/**
 * KID: the unbiased estimate of the squared maximum mean discrepancy with kernel (x·y / d + 1)³ over all samples.
 * May be negative for sets of one distribution.
 */
export function kid(real: Features, fake: Features): number {
	const { within, across } = kernelMeans(real, fake);
	return within - 2 * across;
}

/** The biased (V-statistic) form of the same discrepancy; never negative. */
export function kidBiased(real: Features, fake: Features): number {
	requireFeatures(real, fake);
	const n = real.shape[0] as number;
	const m = fake.shape[0] as number;
	const sums = kernelSums(real, fake, range(n), range(m));
	return (
		(sums.real + sums.realDiagonal) / n ** 2 +
		(sums.fake + sums.fakeDiagonal) / m ** 2 -
		(2 * sums.across) / (n * m)
	);
}

/** What random subsets are drawn from: `engine`'s `stream(seed, name)` is one. */
export interface PermutationSource {
	/** A permutation of 0 … n − 1. */
	permutation(step: number, n: number): ArrayLike<number>;
}

/** Index lists [subsets][size] for `kidOfSubsets`, without repetition inside a subset. */
export function drawSubsets(
	source: PermutationSource,
	options: { count: number; size: number; subsets: number; firstStep?: number },
): number[][] {
	const { count, size, subsets, firstStep = 0 } = options;
	if (size < 2 || size > count) throw expected(`a size from 2 to ${count}`, 'KID subsets', size);
	return Array.from({ length: subsets }, (_, i) =>
		Array.from(source.permutation(firstStep + i, count)).slice(0, size),
	);
}

/** Mean of the unbiased estimate over pairs of subsets of one size, as KID is published (100 subsets of 1000). */
export function kidOfSubsets(
	real: Features,
	fake: Features,
	subsets: { real: ArrayLike<number>[]; fake: ArrayLike<number>[] },
): number {
	requireFeatures(real, fake);
	if (subsets.real.length !== subsets.fake.length || subsets.real.length === 0)
		throw expected('as many subsets of either set, at least one', 'KID subsets', [
			subsets.real.length,
			subsets.fake.length,
		]);
	const total = subsets.real.reduce((sum, chosen, i) => {
		const { within, across } = kernelMeans(real, fake, chosen, subsets.fake[i]);
		return sum + within - 2 * across;
	}, 0);
	return total / subsets.real.length;
}

function kernelMeans(
	real: Features,
	fake: Features,
	chosenReal: ArrayLike<number> = range(real.shape[0] as number),
	chosenFake: ArrayLike<number> = range(fake.shape[0] as number),
): { within: number; across: number } {
	requireFeatures(real, fake);
	const n = chosenReal.length;
	const m = chosenFake.length;
	const sums = kernelSums(real, fake, chosenReal, chosenFake);
	return { within: sums.real / (n * (n - 1)) + sums.fake / (m * (m - 1)), across: sums.across / (n * m) };
}

/** Sums of the kernel inside either set (without and on the diagonal) and across. */
function kernelSums(real: Features, fake: Features, a: ArrayLike<number>, b: ArrayLike<number>) {
	const sum = (x: Features, ix: ArrayLike<number>, y: Features, iy: ArrayLike<number>) => {
		let total = 0;
		for (let i = 0; i < ix.length; i++)
			for (let j = 0; j < iy.length; j++) total += kernel(x, ix[i] as number, y, iy[j] as number);
		return total;
	};
	const diagonal = (x: Features, ix: ArrayLike<number>) =>
		Array.from(ix).reduce((total, i) => total + kernel(x, i, x, i), 0);
	const realDiagonal = diagonal(real, a);
	const fakeDiagonal = diagonal(fake, b);
	return {
		real: sum(real, a, real, a) - realDiagonal,
		realDiagonal,
		fake: sum(fake, b, fake, b) - fakeDiagonal,
		fakeDiagonal,
		across: sum(real, a, fake, b),
	};
}

function kernel(x: Features, i: number, y: Features, j: number): number {
	const d = x.shape[1] as number;
	let product = 0;
	for (let k = 0; k < d; k++) product += (x.data[i * d + k] as number) * (y.data[j * d + k] as number);
	return (product / d + 1) ** 3;
}

function scaled(rows: Matrix): Matrix {
	const factor = 1 / Math.sqrt(rows.rows - 1);
	return { ...rows, data: rows.data.map((value) => value * factor) };
}

const squares = (data: Float64Array): number => data.reduce((sum, value) => sum + value * value, 0);

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function requireFeatures(real: Features, fake: Features): void {
	for (const [name, features] of [
		['the real features', real],
		['the generated features', fake],
	] as const) {
		const [count = 0, size = 0] = features.shape;
		if (features.shape.length !== 2 || count < 2 || size < 1 || features.data.length !== count * size)
			throw expected('a shape [N, d] with N ≥ 2 and as many values', name, features.shape);
	}
	if (real.shape[1] !== fake.shape[1])
		throw expected(`${real.shape[1]} features a sample`, 'the generated features', fake.shape[1]);
}
