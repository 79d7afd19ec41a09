// Random streams: the published generator, and what is made of its words.
import test from 'ava';
import { philox, stream } from '../../engine/random.ts';

/** Random123 1.14, tests/kat_vectors: `philox4x32 10`, counter, key, result. */
const published = [
	['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
	['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
	['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
] as const;

test('Philox4x32-10 equals its published vectors', (t) => {
	const words = (text: string): number[] => text.split(' ').map((word) => Number.parseInt(word, 16));
	for (const [counter, key, result] of published) {
		const [c0, c1, c2, c3] = words(counter) as [number, number, number, number];
		const [k0, k1] = words(key) as [number, number];
		const out = new Uint32Array(6);
		philox(c0, c1, c2, c3, k0, k1, out, 1);
		t.deepEqual([...out], [0, ...words(result), 0]);
	}
});

const count = 100_000;

function moments(values: ArrayLike<number>): number[] {
	const n = values.length;
	const list = Array.from(values);
	const mean = list.reduce((a, b) => a + b, 0) / n;
	return [mean, ...[2, 3, 4].map((power) => list.reduce((a, b) => a + (b - mean) ** power, 0) / n)];
}

test('normals have the moments of the standard normal', (t) => {
	const [mean, variance, third, fourth] = moments(stream(1, 'test').normals(0, count)) as [
		number,
		number,
		number,
		number,
	];
	// Five standard errors: √(1/n), √(2/n), √(15/n), √(96/n).
	const error = (variance: number): number => 5 * Math.sqrt(variance / count);
	t.true(Math.abs(mean) < error(1));
	t.true(Math.abs(variance - 1) < error(2));
	t.true(Math.abs(third) < error(15));
	t.true(Math.abs(fourth - 3) < error(96));
});

test('uniforms lie in the open interval and have its moments', (t) => {
	const values = stream(1, 'test').uniforms(0, count);
	t.true(values.every((value) => value > 0 && value < 1));
	const [mean, variance] = moments(values) as [number, number];
	t.true(Math.abs(mean - 0.5) < 5 * Math.sqrt(1 / 12 / count));
	t.true(Math.abs(variance - 1 / 12) < 5 * Math.sqrt(1 / 180 / count));
});

test('integers stay below the bound and reach every value equally often', (t) => {
	const bins = new Uint32Array(7);
	for (const value of stream(2, 'test').integers(3, count, 7)) bins[value]!++;
	t.is(
		bins.reduce((a, b) => a + b, 0),
		count,
	);
	const wanted = count / 7;
	t.true(bins.every((n) => Math.abs(n - wanted) < 5 * Math.sqrt(wanted)));
});

function correlation(a: Float32Array, b: Float32Array): number {
	return a.reduce((sum, value, i) => sum + value * b[i]!, 0) / a.length;
}

test('streams of other names, seeds and steps are independent, of equal ones equal', (t) => {
	const base = stream(5, 'z').normals(3, count);
	t.deepEqual(stream(5, 'z').normals(3, count), base);
	for (const other of [
		stream(5, 'w').normals(3, count),
		stream(6, 'z').normals(3, count),
		stream(5 + 2 ** 32, 'z').normals(3, count),
		stream(5, 'z').normals(4, count),
		stream(5, 'z').normals(3 + 2 ** 32, count),
	]) {
		t.true(Math.abs(correlation(base, other)) < 5 / Math.sqrt(count));
		t.notDeepEqual(other.subarray(0, 8), base.subarray(0, 8));
	}
});

test('a longer draw begins with the shorter one', (t) => {
	const { normals } = stream(5, 'z');
	t.deepEqual(normals(0, 1001).subarray(0, 999), normals(0, 999));
});

test('a permutation holds every index once, and every index goes everywhere', (t) => {
	const n = 6;
	const draws = 6000;
	const { permutation } = stream(1, 'order');
	const hits = new Uint32Array(n * n);
	for (let step = 0; step < draws; step++) {
		const order = permutation(step, n);
		t.deepEqual([...order].sort(), [0, 1, 2, 3, 4, 5]);
		order.forEach((value, place) => {
			hits[place * n + value]!++;
		});
	}
	const wanted = draws / n;
	t.true(hits.every((times) => Math.abs(times - wanted) < 5 * Math.sqrt(wanted)));
});

test('flat Dirichlet draws sum to one, with the mean and variance of Dir(1)', (t) => {
	const n = 4;
	const rows = 20_000;
	const values = stream(1, 'mixture').dirichlet(0, rows, n);
	for (let row = 0; row < rows; row++) {
		const own = values.subarray(row * n, (row + 1) * n);
		if (Math.abs(own.reduce((a, b) => a + b, 0) - 1) > 1e-6) t.fail(`row ${row} sums to something else`);
	}
	for (let k = 0; k < n; k++) {
		const [mean, variance] = moments(values.filter((_, i) => i % n === k)) as [number, number];
		const exact = (n - 1) / (n * n * (n + 1));
		t.true(Math.abs(mean - 1 / n) < 5 * Math.sqrt(exact / rows));
		t.true(Math.abs(variance - exact) < 0.05 * exact);
	}
});

test('a seed that is no whole number in range is refused', (t) => {
	for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) {
		t.throws(() => stream(seed, 'z'), { instanceOf: RangeError, message: /\[0, 2\^53\) for seed/ });
	}
});
