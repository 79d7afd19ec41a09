import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { ProgramCache, parseSolver, solverFor, solvers } from '../../inverter/index.ts';
import { engine, keys, measured, prior, solve } from './solving.ts';

const sensing = measured({ kind: 'compressed-sensing', ratio: 0.3 });

test('a cancelled solver throws the reason before the next step', async (t) => {
	const controller = new AbortController();
	const spec = parseSolver({ kind: 'ilo', steps: [1000] });
	const context = {
		engine,
		programs: new ProgramCache(),
		seed: 1,
		signal: controller.signal,
		progressEvery: 1,
	};
	const run = solverFor(spec).solve(prior, sensing, spec.options, context);
	await run.next();
	await run.next();
	controller.abort(new Error('enough'));
	await t.throwsAsync(() => run.next(), { message: 'enough' });
});

test('at the deadline the best so far is returned', async (t) => {
	let time = 0;
	const { result } = await solve({ kind: 'ilo', steps: [1000, 1000] }, sensing, {
		now: () => time++,
		deadline: 30,
	});
	t.deepEqual(result.reasons, ['deadline', 'deadline', 'deadline']);
	t.true(result.steps.every((steps) => steps > 0 && steps < 40));
	t.true(result.residual.every((residual) => residual < 1));
});

test('a layer ends when the held-out loss flattens', async (t) => {
	const { result } = await solve(
		{ kind: 'csgm', steps: 2000, restarts: 1, patience: 10, rate: 0.3 },
		sensing,
	);
	t.true(result.steps.every((steps) => steps < 2000));
	t.deepEqual(result.reasons, ['flat', 'flat', 'flat']);
	t.is(result.selectedBy, 'held-out');
});

for (const noise of [
	{ kind: 'gaussian', sigma: 0.3 },
	{ kind: 'snr', decibels: 5 },
	{ kind: 'poisson', photons: 20 },
]) {
	test(`the discrepancy principle stops at the noise level and later layers leave the image alone: ${noise.kind}`, async (t) => {
		const noisy = measured({ kind: 'denoising', noise });
		const solver = { kind: 'ilo', steps: [400, 50], misfit: 0.01, select: { by: 'discrepancy' } };
		const { result } = await solve(solver, noisy);
		for (const [i, reason] of result.reasons.entries()) {
			if (reason !== 'discrepancy') continue;
			const energy = noisy.y.data
				.subarray(i * 768, (i + 1) * 768)
				.reduce((sum, value) => sum + value * value, 0);
			t.true(Math.abs(result.residual[i]! / ((768 * noisy.sigma![i]! ** 2) / energy) - 1) < 0.1);
			t.true(result.steps[i]! < 450);
		}
		t.true(result.reasons.includes('discrepancy'), result.reasons.join());
		await t.throwsAsync(() => solve(solver, sensing), { message: /needs the noise level/ });
	});
}

test('too few measurements to hold any out: the loss selects', async (t) => {
	const few = measured({ kind: 'super-resolution', factor: 4 });
	const { result } = await solve({ kind: 'csgm', steps: 5, restarts: 1 }, few);
	t.is(result.selectedBy, 'loss');
	t.is(result.heldOut, null);
});

test('a step that diverges keeps the best iterate before it, or names the image', async (t) => {
	const { result } = await solve(
		{ kind: 'csgm', steps: 30, restarts: 1, patience: 0, select: { by: 'loss' } },
		sensing,
	);
	t.true(result.images.data.every(Number.isFinite));
	const broken = { ...sensing, y: { ...sensing.y, data: sensing.y.data.slice().fill(Number.NaN, 0, 10) } };
	await t.throwsAsync(() => solve({ kind: 'csgm', steps: 3, restarts: 1 }, broken), {
		message: `The objective of image ${keys[0]!.image} was not finite in any step.`,
	});
});

test('nothing is left on the engine', async (t) => {
	const programs = new ProgramCache();
	await solve({ kind: 'ilo', steps: [3, 3] }, sensing, { programs });
	const before = tf.memory().numTensors;
	await solve({ kind: 'ilo', steps: [3, 3] }, sensing, { programs });
	t.is(tf.memory().numTensors, before);
	programs.dispose();
});

for (const [json, message] of [
	[
		{ kind: 'ilio' },
		`Expected one of ${solvers.map(({ kind }) => kind).join(', ')} for solver.kind but received "ilio"`,
	],
	[
		{ kind: 'ilo', preset: 'slow' },
		'Expected one of quick, paper, paper-rtil, paper-perceptual, paper-rtil-perceptual, published-code, published-code-rtil, published-code-ilo for solver.preset but received "slow"',
	],
	[{ kind: 'ilo', step: 5 }, 'Unknown key "step" in solver.'],
	[{ kind: 'csgm', restarts: 0 }, 'Expected a value of at least 1 for solver.restarts but received 0'],
	[
		{ kind: 'csgm', select: { by: 'truth' } },
		'Expected a known by for solver.select.by but received "truth"',
	],
] as const) {
	test(`is refused: ${JSON.stringify(json)}`, (t) => {
		t.throws(() => parseSolver(json), { message });
	});
}
