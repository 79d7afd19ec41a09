// How far apart images are from each other.
import test from 'ava';
import { stream } from '../../engine/index.ts';
import { meanDistance } from '../../trainer/diversity.ts';

test('the distance is that of all pairs, one by one', (t) => {
	const [n, size] = [5, 12];
	const data = stream(1, 'images').normals(0, n * size);
	let total = 0;
	for (let a = 0; a < n; a++) {
		for (let b = 0; b < a; b++) {
			for (let i = 0; i < size; i++) total += (data[a * size + i]! - data[b * size + i]!) ** 2;
		}
	}
	const wanted = Math.sqrt(total / (size * 10));
	t.true(Math.abs(meanDistance({ shape: [n, size], data }) - wanted) < 1e-6 * wanted);
});

test('equal images are not apart at all', (t) => {
	t.true(
		meanDistance({
			shape: [4, 3],
			data: Float32Array.from({ length: 12 }, (_, i) => [0.1, 0.7, -0.3][i % 3]!),
		}) < 1e-6,
	);
});
