import test from 'ava';
import { selectMeasurements } from '../../inverter/index.ts';
import { measured, solve, worst } from './solving.ts';
import { ownImages, tinyPggan } from './tiny-prior.ts';

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

test('a PGGAN, which has no running image, is gone through to its last cut', async (t) => {
	const { engine } = await import('./solving.ts');
	const pggan = tinyPggan(engine, 32);
	const images = ownImages(engine, pggan, 3);
	const { progress, result } = await solve(
		{ kind: 'ilo', steps: [20, 8, 8, 8], patience: 0 },
		measured({ kind: 'inpainting', mask: 'random', ratio: 0.5 }, images),
		{ previewEvery: 1, progressEvery: 1 },
		pggan,
	);
	t.deepEqual(
		result.history.map(({ name }) => name),
		['latent', 'b4', 'b8', 'b16'],
	);
	for (const layer of [1, 2, 3]) {
		const last = progress.findLast((entry) => entry.layer === layer - 1)!;
		const first = progress.find((entry) => entry.layer === layer)!;
		t.true(worst(first.preview!.data, last.preview!.data) < 1e-4, `into layer ${layer}`);
	}
});

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

test('the published slips: without the RGB image so far, a layer starts elsewhere than the last one ended', async (t) => {
	const options = { kind: 'ilo', preset: 'published-code', steps: [10, 5] };
	const dropped = (await solve(options, inpainting)).result.history;
	const published = { dropRgb: false, geodesicFirst: false, proxy: true, lateRate: true };
	const kept = (await solve({ ...options, published }, inpainting)).result.history;
	const jump = (history: typeof kept): number =>
		Math.abs(history[1]!.residual[0]![0]! - history[0]!.residual.at(-1)![0]!);
	t.true(jump(kept) < 1e-4, `${jump(kept)}`);
	t.true(jump(dropped) > 1e-2, `${jump(dropped)}`);
	// The geodesic term, in the first layer alone: afterwards the objective is the mean squared residual.
	const weigh = async (geodesic: number) =>
		(await solve({ ...options, geodesic }, inpainting)).result.history;
	const [light, heavy] = [await weigh(1e-9), await weigh(1e-3)];
	t.true(heavy[0]!.objective[0]![0]! > light[0]!.objective[0]![0]!);
	const ratio = heavy[1]!.objective[0]!.map((value, i) => value / heavy[1]!.residual[0]![i]!);
	const same = light[1]!.objective[0]!.map((value, i) => value / light[1]!.residual[0]![i]!);
	for (const [i, value] of ratio.entries()) t.true(Math.abs(value / same[i]! - 1) < 1e-4);
});

test('stochastic addition of noise: the objective has it, the report has not, an image has its own', async (t) => {
	const noisy = measured({ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.5 } });
	const options = { kind: 'ilo', steps: [8, 4], misfit: 0, geodesic: 0, fit: 'mean' };
	const plain = (await solve(options, noisy)).result.history[0]!;
	const { result } = await solve({ ...options, stochastic: true }, noisy);
	const [first] = result.history;
	for (const i of [0, 1, 2]) {
		t.true(Math.abs(first!.residual[0]![i]! / plain.residual[0]![i]! - 1) < 1e-5);
		const added = first!.objective[0]![i]! - plain.objective[0]![i]!;
		t.true(Math.abs(added - 0.25) < 0.08, `σ² = 0.25 is added to the mean of squares: ${added}`);
	}
	const alone = (await solve({ ...options, stochastic: true }, selectMeasurements(noisy, [2]))).result;
	t.true(Math.abs(alone.history[0]!.objective[0]![0]! - first!.objective[0]![2]!) < 1e-5);
	await t.throwsAsync(() => solve({ ...options, stochastic: true }, inpainting), {
		message: 'Stochastic addition of noise needs the noise level, but the problem has no noise.',
	});
});
