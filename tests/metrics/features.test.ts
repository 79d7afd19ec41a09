// FID and KID beyond the fixtures: known values, symmetry, subsets, bad input.
import test from 'ava';
import { stream } from '../../engine/random.ts';
import { drawSubsets, type Features, fid, kid, kidBiased, kidOfSubsets } from '../../metrics/index.ts';
import { singularValues } from '../../metrics/linear.ts';

const normals = (name: string, n: number, d: number, shift = 0): Features => ({
	shape: [n, d],
	data: stream(1, name)
		.normals(0, n * d)
		.map((v) => v + shift),
});

test('a shift of the features adds its squared length to FID', (t) => {
	const a = normals('a', 50, 6);
	const shifted = { shape: a.shape, data: Float64Array.from(a.data, (v) => v + 0.5) };
	t.true(Math.abs(fid(a, shifted) - 6 * 0.25) < 1e-9);
	t.true(Math.abs(fid(a, a)) < 1e-9);
});

test('FID is symmetric, also with fewer samples than features', (t) => {
	const a = normals('a', 9, 20);
	const b = normals('b', 31, 20, 0.3);
	t.true(Math.abs(fid(a, b) - fid(b, a)) < 1e-9);
	t.true(fid(a, b) > 0);
});

test('singular values agree with their invariants', (t) => {
	const data = Float64Array.from(stream(2, 'm').normals(0, 7 * 5));
	const values = singularValues({ rows: 7, columns: 5, data });
	t.is(values.length, 5);
	t.deepEqual(
		[...values],
		[...values].sort((x, y) => y - x),
	);
	const squares = (list: Float64Array) => list.reduce((sum, v) => sum + v * v, 0);
	t.true(Math.abs(squares(values) - squares(data)) < 1e-12);
	const known = singularValues({ rows: 2, columns: 3, data: Float64Array.of(3, 2, 2, 2, 3, -2) });
	t.true(Math.abs(known[0]! - 5) < 1e-12 && Math.abs(known[1]! - 3) < 1e-12);
	t.deepEqual([...singularValues({ rows: 2, columns: 2, data: new Float64Array(4) })], [0, 0]);
});

test('KID is near 0 for one distribution and the mean over one full subset is KID itself', (t) => {
	const a = normals('a', 60, 8);
	const b = normals('b', 60, 8);
	t.true(Math.abs(kid(a, b)) < 0.3);
	t.true(kidBiased(a, b) >= 0);
	t.true(kid(a, normals('c', 60, 8, 1)) > 1);
	const whole = drawSubsets(stream(3, 'subsets'), { count: 60, size: 60, subsets: 1 });
	t.true(Math.abs(kidOfSubsets(a, b, { real: whole, fake: whole }) - kid(a, b)) < 1e-10);
});

test('subsets repeat for a seed and hold no sample twice', (t) => {
	const options = { count: 30, size: 10, subsets: 4 };
	const subsets = drawSubsets(stream(3, 'subsets'), options);
	t.deepEqual(drawSubsets(stream(3, 'subsets'), options), subsets);
	for (const subset of subsets) t.is(new Set(subset).size, 10);
	t.throws(() => drawSubsets(stream(3, 'subsets'), { ...options, size: 31 }), { message: /from 2 to 30/ });
});

test('features that do not fit are refused', (t) => {
	t.throws(() => fid(normals('a', 9, 4), normals('b', 9, 5)), { message: /4 features a sample/ });
	t.throws(() => kid(normals('a', 1, 4), normals('b', 9, 4)), { message: /N ≥ 2/ });
});
