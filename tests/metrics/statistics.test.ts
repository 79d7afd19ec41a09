// Quantiles against closed forms, intervals by their coverage, and the sign test against hand-computed values.
import test from 'ava';
import { stream } from '../../engine/random.ts';
import {
	bootstrapInterval,
	meanInterval,
	normalQuantile,
	pairedDifference,
	signTest,
	studentQuantile,
} from '../../metrics/index.ts';

const probabilities = [1e-6, 0.005, 0.025, 0.3, 0.5, 0.6, 0.9, 0.975, 0.995, 1 - 1e-6];

const close = (got: number, wanted: number): boolean =>
	Math.abs(got - wanted) <= 1e-10 * Math.max(1, Math.abs(wanted));

test('Student quantiles match their closed forms for 1, 2 and 4 degrees of freedom', (t) => {
	for (const p of probabilities) {
		t.true(close(studentQuantile(p, 1), Math.tan(Math.PI * (p - 0.5))), `df 1, p ${p}`);
		const spread = 4 * p * (1 - p);
		t.true(close(studentQuantile(p, 2), (2 * p - 1) * Math.sqrt(2 / spread)), `df 2, p ${p}`);
		const q = Math.cos(Math.acos(Math.sqrt(spread)) / 3) / Math.sqrt(spread);
		t.true(
			close(studentQuantile(p, 4), 2 * Math.sign(p - 0.5) * Math.sqrt(Math.max(0, q - 1))),
			`df 4, p ${p}`,
		);
	}
});

test('Student quantiles approach the normal ones as their expansion says', (t) => {
	// Cornish–Fisher: t ≈ z + (z³ + z)/4ν + (5z⁵ + 16z³ + 3z)/96ν².
	for (const df of [5e3, 1e4, 1e5, 1.01e5, 1e6, 1e9])
		for (const p of [0.9, 0.975, 0.995]) {
			const z = normalQuantile(p);
			const expansion = z + (z ** 3 + z) / (4 * df) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * df ** 2);
			t.true(close(studentQuantile(p, df), expansion), `df ${df}, p ${p}`);
		}
	t.is(studentQuantile(0.975, Number.POSITIVE_INFINITY), normalQuantile(0.975));
});

test('normal quantiles have their known digits', (t) => {
	t.true(close(normalQuantile(0.975), 1.959963984540054));
	t.true(close(normalQuantile(0.9999), 3.719016485455709));
	t.true(close(normalQuantile(1e-10), -6.361340902404056));
	t.true(Number.isNaN(normalQuantile(1)));
});

test('a 95 % interval covers the mean in about 95 % of samples', (t) => {
	const source = stream(3, 'coverage');
	const trials = 2000;
	let covered = 0;
	for (let i = 0; i < trials; i++) {
		const { low, high } = meanInterval(source.normals(i, 8));
		if (low! <= 0 && high! >= 0) covered++;
	}
	t.true(Math.abs(covered / trials - 0.95) < 0.015, `${covered / trials}`);
});

test('one value has a mean and no interval; none, or NaN, is refused', (t) => {
	t.like(meanInterval([3]), { n: 1, mean: 3, low: null, high: null, halfWidth: null });
	t.throws(() => meanInterval([]), { message: /at least one value/ });
	t.throws(() => meanInterval([1, Number.NaN]), { message: /value 1/ });
	t.throws(() => meanInterval([1, 2], { confidence: 95 }), { message: /confidence/ });
});

test('the bootstrap repeats for a seed and comes close to the t interval', (t) => {
	const sample = stream(4, 'sample').normals(0, 60);
	const first = bootstrapInterval(sample, stream(5, 'bootstrap'), { resamples: 4000 });
	t.deepEqual(bootstrapInterval(sample, stream(5, 'bootstrap'), { resamples: 4000 }), first);
	const plain = meanInterval(sample);
	t.true(Math.abs(first.low! - plain.low!) < 0.1 * plain.halfWidth!);
	t.true(Math.abs(first.high! - plain.high!) < 0.1 * plain.halfWidth!);
});

test('a paired difference sees what two separate means would hide', (t) => {
	const difficulty = [10, 20, 30, 40, 25];
	const better = difficulty.map((d, i) => d + 1 + 0.1 * i);
	const result = pairedDifference(better, difficulty);
	t.true(result.low! > 0.9 && result.high! < 1.5);
	t.like(result, { wins: 5, losses: 0, ties: 0, winRate: 1, pSign: 2 / 32 });
	t.like(pairedDifference([1, 2, 3], [1, 3, 2]), { wins: 1, losses: 1, ties: 1, winRate: 0.5, pSign: 1 });
	t.throws(() => pairedDifference([1], [1, 2]), { message: /1 values/ });
});

test('the sign test is exact', (t) => {
	t.true(close(signTest(1, 9), (2 * 11) / 1024));
	t.true(close(signTest(8, 2), (2 * 56) / 1024));
	t.is(signTest(0, 0), 1);
});
