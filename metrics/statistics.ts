// Means with confidence intervals, and paired comparisons. Randomness is an argument.
import { expected } from '../errors/index.ts';
import { binomialHalfCdf, normalQuantile, studentQuantile } from './special.ts';

/** A mean and its confidence interval. `null`: fewer than two values say nothing about spread. */
export interface Interval {
	n: number;
	mean: number;
	/** Standard deviation with divisor n − 1. */
	sd: number | null;
	/** Standard error of the mean, sd / √n. */
	sem: number | null;
	low: number | null;
	high: number | null;
	/** (high − low) / 2: the number after ±. */
	halfWidth: number | null;
	confidence: number;
}

export interface IntervalOptions {
	/** In (0, 1); default 0.95. */
	confidence?: number;
	/** `t` (default): Student with n − 1 degrees of freedom. `normal`: for comparison with papers that use 1.96. */
	quantile?: 't' | 'normal';
}

/** Mean ± quantile · s/√n. Throws INVALID_INPUT without values or when one is not finite. */
export function meanInterval(values: ArrayLike<number>, options: IntervalOptions = {}): Interval {
	const { confidence = 0.95, quantile = 't' } = options;
	requireSample(values, confidence);
	const n = values.length;
	const mean = meanOf(values);
	const none = { sd: null, sem: null, low: null, high: null, halfWidth: null };
	if (n < 2) return { n, mean, ...none, confidence };
	let squares = 0;
	for (let i = 0; i < n; i++) squares += ((values[i] as number) - mean) ** 2;
	const sd = Math.sqrt(squares / (n - 1));
	const sem = sd / Math.sqrt(n);
	const p = (1 + confidence) / 2;
	const halfWidth = sem * (quantile === 't' ? studentQuantile(p, n - 1) : normalQuantile(p));
	return { n, mean, sd, sem, low: mean - halfWidth, high: mean + halfWidth, halfWidth, confidence };
}

/** What a bootstrap draws from: `engine`'s `stream(seed, name)` is one. */
export interface IntegerSource {
	/** `n` integers in [0, below). */
	integers(step: number, n: number, below: number): ArrayLike<number>;
}

/** Percentile bootstrap of the mean; makes no assumption of normality, but is optimistic below about 20 values. */
export function bootstrapInterval(
	values: ArrayLike<number>,
	source: IntegerSource,
	options: { confidence?: number; resamples?: number } = {},
): Interval {
	const { confidence = 0.95, resamples = 10_000 } = options;
	const plain = meanInterval(values, { confidence });
	if (plain.n < 2) return plain;
	const means = Float64Array.from({ length: resamples }, (_, step) => {
		const drawn = source.integers(step, plain.n, plain.n);
		let sum = 0;
		for (let i = 0; i < plain.n; i++) sum += values[drawn[i] as number] as number;
		return sum / plain.n;
	}).sort();
	const low = sortedQuantile(means, (1 - confidence) / 2);
	const high = sortedQuantile(means, (1 + confidence) / 2);
	return { ...plain, low, high, halfWidth: (high - low) / 2 };
}

/** A paired difference a − b: its interval, who wins how often, and the sign test. */
export interface PairedDifference extends Interval {
	/** Pairs with a > b, a < b, a = b. */
	wins: number;
	losses: number;
	ties: number;
	/** (wins + ties / 2) / n. */
	winRate: number;
	/** Two-sided exact sign test over the pairs that are no ties. */
	pSign: number;
}

/** Compares two samples pair by pair: a[i] and b[i] belong to the same image. */
export function pairedDifference(
	a: ArrayLike<number>,
	b: ArrayLike<number>,
	options: IntervalOptions = {},
): PairedDifference {
	if (a.length !== b.length) throw expected(`${a.length} values`, 'the second sample of a pair', b.length);
	const differences = Float64Array.from({ length: a.length }, (_, i) => (a[i] as number) - (b[i] as number));
	const wins = differences.filter((d) => d > 0).length;
	const losses = differences.filter((d) => d < 0).length;
	const ties = differences.length - wins - losses;
	return {
		...meanInterval(differences, options),
		wins,
		losses,
		ties,
		winRate: (wins + ties / 2) / differences.length,
		pSign: signTest(wins, losses),
	};
}

/** Two-sided exact sign test: the chance of a split at least as uneven when both sides are equally likely. */
export function signTest(wins: number, losses: number): number {
	return Math.min(1, 2 * binomialHalfCdf(Math.min(wins, losses), wins + losses));
}

function requireSample(values: ArrayLike<number>, confidence: number): void {
	if (!(confidence > 0 && confidence < 1)) throw expected('a confidence in (0, 1)', 'confidence', confidence);
	if (values.length === 0) throw expected('at least one value', 'a mean', 'none');
	for (let i = 0; i < values.length; i++)
		if (!Number.isFinite(values[i]))
			throw expected('finite numbers', `value ${i} of a mean`, String(values[i]));
}

function meanOf(values: ArrayLike<number>): number {
	let sum = 0;
	for (let i = 0; i < values.length; i++) sum += values[i] as number;
	return sum / values.length;
}

/** Linear interpolation between order statistics (type 7). */
function sortedQuantile(sorted: Float64Array, p: number): number {
	const at = p * (sorted.length - 1);
	const below = Math.floor(at);
	const low = sorted[below] as number;
	const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
	return low + (at - below) * (high - low);
}
