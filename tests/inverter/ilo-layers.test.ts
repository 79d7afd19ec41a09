import test from 'ava';
import { measured, solve, worst } from './solving.ts';

const inpainting = measured({ kind: 'inpainting', mask: 'random', ratio: 0.5 });

for (const solver of [
	{ kind: 'ilo', steps: [20, 10, 10] },
	{ kind: 'ilo', preset: 'paper', steps: [20, 10, 10] },
]) {
	test(`the first iterate of a layer is the last image of the one before: ${JSON.stringify(solver)}`, async (t) => {
		const { progress, result } = await solve({ ...solver, patience: 0 }, inpainting, {
			previewEvery: 1,
			progressEvery: 1,
		});
		t.deepEqual(
			result.history.map(({ name }) => name),
			['latent', 'b4', 'b8'],
		);
		for (const layer of [1, 2]) {
			const last = progress.findLast((entry) => entry.layer === layer - 1)!;
			const first = progress.find((entry) => entry.layer === layer)!;
			// A preview is the selected iterate: at the first step of a layer, that step's.
			t.true(worst(first.preview!.data, last.preview!.data) < 1e-4);
			const selected = result.history[layer - 1]!.heldOut;
			const start = result.history[layer]!.heldOut[0]!;
			for (const [i, value] of start.entries()) {
				const best = Math.min(...selected.map((row) => row[i]!));
				t.true(Math.abs(value - best) < 1e-4 * (1 + best), `held-out residual ${value} after ${best}`);
			}
		}
	});
}

test('the geodesic term acts in every layer', async (t) => {
	const options = { kind: 'ilo', preset: 'paper', steps: [15, 15], select: { by: 'last' } };
	const free = (await solve({ ...options, geodesic: 1e-9 }, inpainting)).result;
	const drawn = (await solve({ ...options, geodesic: 1 }, inpainting)).result;
	// Both schedules differ in the first layer already; the second's objective must hold the term, too.
	for (const layer of [0, 1]) {
		const [without, within] = [free, drawn].map(({ history }) => history[layer]!.objective[0]![0]!);
		t.true(within! > without! + 0.01, `layer ${layer}: ${within} and ${without}`);
	}
	t.true(drawn.history.flatMap(({ objective }) => objective.flat()).every(Number.isFinite));
});

test('cuts default to those of RTIL training and are refused when the generator lacks them', async (t) => {
	const { engine, prior } = await import('./solving.ts');
	const { tinyPrior } = await import('./tiny-prior.ts');
	const rtil = tinyPrior(engine, { cuts: ['b8'], sigmas: { b8: 1 } });
	const { result } = await solve({ kind: 'ilo', steps: [3, 3, 3] }, inpainting, {}, rtil);
	t.deepEqual(
		result.history.map(({ name }) => name),
		['latent', 'b8'],
	);
	await t.throwsAsync(() => solve({ kind: 'ilo', cuts: ['b32'] }, inpainting, {}, prior), {
		message: 'The generator has no cut "b32" but b4, b8.',
	});
});
