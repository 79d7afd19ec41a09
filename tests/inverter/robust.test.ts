// W, W+, W++ by normalised steps.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { pyramid } from '../../inverter/solvers/terms.ts';
import { engine, measured, prior, solve, truth, worst } from './solving.ts';
import { tinyPggan } from './tiny-prior.ts';

const half = measured({ kind: 'compressed-sensing', ratio: 0.5 });
const small = measured({ kind: 'super-resolution', factor: 2 });
const { numStyles, wDim } = prior.generator;

for (const [name, problem] of Object.entries({ half, small })) {
	for (const preset of ['quick', 'paper']) {
		test(`lowers its own objective, phase by phase: ${preset}, ${name}`, async (t) => {
			const { result } = await solve({ kind: 'robust', preset, steps: [40, 30, 30] }, problem, { truth });
			t.deepEqual(
				result.history.map((layer) => layer.name),
				['w', 'w+', 'w++'],
			);
			const residual = result.history.map((layer) => layer.residual.map((row) => row[0]!.toPrecision(2)));
			t.log(residual.map((course) => `${course[0]} to ${course.at(-1)}`).join(', '));
			for (const { objective } of result.history)
				for (const [i, first] of objective[0]!.entries())
					t.true(Math.min(...objective.map((row) => row[i]!)) < first);
			// A phase goes on from the selected iterate of the one before, which is the same image.
			for (const [phase, { heldOut }] of result.history.slice(1).entries()) {
				const { heldOut: last } = result.history[phase]!;
				for (const [i, value] of heldOut[0]!.entries()) {
					const best = Math.min(...last.map((row) => row[i]!));
					t.true(Math.abs(value - best) < 1e-4 * (1 + best));
				}
			}
		});
	}
}

test('steps have the length of the rate: rows move as one in w, each by itself in w+', async (t) => {
	const options = {
		kind: 'robust',
		rate: [0.1, 0.1, 1e-9],
		ramp: { up: 0, down: 0 },
		select: { by: 'last' },
	};
	const { wStd } = prior.latent;
	const radius = Math.hypot(...wStd);
	const lengths = ({ latent }: Record<string, { data: Float32Array }>): number[] =>
		Array.from({ length: numStyles }, (_, row) => {
			const part = latent!.data.subarray(row * wDim, (row + 1) * wDim);
			return Math.hypot(...part.map((value, k) => value * wStd[k]!)) / radius;
		});
	const one = (await solve({ ...options, steps: [1, 1, 1], rate: [0.1, 1e-9, 1e-9] }, half)).result.latents;
	for (const length of lengths(one)) t.true(Math.abs(length - 0.1) < 1e-4, `${length}`);
	for (let row = 1; row < numStyles; row++)
		t.true(
			worst(one.latent!.data.subarray(0, wDim), one.latent!.data.subarray(row * wDim, (row + 1) * wDim)) <
				1e-6,
		);
	const rows = (await solve({ ...options, steps: [1, 1, 1], rate: [1e-9, 0.1, 1e-9] }, half)).result.latents;
	for (const length of lengths(rows)) t.true(Math.abs(length - 0.1) < 1e-4, `${length}`);
	t.true(worst(rows.latent!.data.subarray(0, wDim), rows.latent!.data.subarray(wDim, 2 * wDim)) > 1e-3);
	const filters = (await solve({ ...options, steps: [1, 1, 1], rate: [1e-9, 1e-9, 0.1] }, half)).result
		.latents;
	for (const [name, { data }] of Object.entries(filters)) {
		if (!name.startsWith('shift.')) continue;
		const affine = prior.params[`${name.slice(6)}.conv.modulation.weight`]!;
		const [W, I] = affine.shape as [number, number];
		for (const [k, value] of data.entries()) {
			let squares = 0;
			for (let d = 0; d < W; d++) squares += affine.data[d * I + (k % I)]! ** 2;
			const reach = 0.1 * radius * Math.sqrt(squares / W);
			t.true(value === 0 || Math.abs(Math.abs(value) / reach - 1) < 1e-3, `${name}: ${value} of ${reach}`);
		}
	}
});

test('a scale of a filter moves as if it had a w of its own', (t) => {
	// s = m · w / √W: a step −r g / ‖g‖ in w with g = (dL/ds) m / √W changes s by −r sign(dL/ds) ‖m‖ / √W.
	const [m, w, r] = [[3, -4, 12], [0.5, 1, -1], 0.25];
	const scale = (at: number[]): number => m.reduce((sum, value, k) => sum + value * at[k]!, 0) / Math.sqrt(3);
	const gradient = m.map((value) => (-7 * value) / Math.sqrt(3));
	const moved = w.map((value, k) => value - (r * gradient[k]!) / Math.hypot(...gradient));
	t.true(Math.abs(scale(moved) - scale(w) - (r * Math.hypot(...m)) / Math.sqrt(3)) < 1e-12);
});

test('the pyramid of a constant residual counts it at every scale', (t) => {
	const sums = tf.tidy(() => pyramid(tf.fill([2, 64, 64, 3], 0.5), tf.scalar(0.1)).dataSync());
	const pixels = 64 * 64 * 3;
	for (const sum of sums) t.true(Math.abs(sum / (pixels * (3 * 0.25 + 0.05)) - 1) < 1e-5, `${sum}`);
});

test('a PGGAN is refused: it has no styles', async (t) => {
	await t.throwsAsync(() => solve({ kind: 'robust' }, half, {}, tinyPggan(engine)), {
		message: /^The solver robust needs the styles of a StyleGAN2/,
	});
});
