import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { maxPool, openEngine, stream, vectorJacobian } from '../../engine/index.ts';

await openEngine();

const [n, h, w, c] = [2, 7, 10, 3] as const;
const values = stream(1, 'pooling').normals(0, n * h * w * c);
const x = tf.tensor(values, [n, h, w, c]);

for (const rounding of ['floor', 'ceil'] as const) {
	for (const [size, stride] of [
		[2, 2],
		[3, 2],
		[3, 3],
	] as const) {
		test(`maxPool ${size}×${size} stride ${stride} ${rounding} and its gradient equal plain loops`, (t) => {
			const pool = () => maxPool(x, { size, stride, rounding });
			const y = pool();
			const sides = [h, w].map((side) => Math[rounding]((side - size) / stride) + 1) as [number, number];
			t.deepEqual(y.shape, [n, ...sides, c]);
			const cotangent = stream(2, 'cotangent').normals(0, y.size);
			const gradient = new Float32Array(x.size);
			const got = y.dataSync();
			let at = 0;
			for (let b = 0; b < n; b++)
				for (let i = 0; i < sides[0]; i++)
					for (let j = 0; j < sides[1]; j++)
						for (let k = 0; k < c; k++, at++) {
							let most = -1;
							for (let p = i * stride; p < Math.min(h, i * stride + size); p++)
								for (let q = j * stride; q < Math.min(w, j * stride + size); q++) {
									const from = ((b * h + p) * w + q) * c + k;
									if (most < 0 || values[from]! > values[most]!) most = from;
								}
							t.is(got[at], values[most]);
							gradient[most]! += cotangent[at]!;
						}
			const [dx] = vectorJacobian(pool, [x], tf.tensor(cotangent, y.shape));
			t.true(dx!.dataSync().every((value, i) => Math.abs(value - gradient[i]!) < 1e-6));
		});
	}
}

test('the second order is refused, not wrong', (t) => {
	const twice = () =>
		vectorJacobian(
			() => tf.square(vectorJacobian(() => tf.square(maxPool(x, { size: 2, stride: 2 })), [x])[0]!),
			[x],
		);
	t.throws(twice, { message: /gradient/i });
});
