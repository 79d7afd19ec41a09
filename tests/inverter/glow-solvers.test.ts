// Glow synthesis and analysis on a tiny Glow.
import test from 'ava';
import { MemoryStore } from './solve-store.ts';
import { measured, psnr, solve, truth } from './solving.ts';

const half = measured({ kind: 'compressed-sensing', ratio: 0.5 });
const holes = measured({ kind: 'inpainting', mask: 'random', ratio: 0.5 });
const small = measured({ kind: 'super-resolution', factor: 2 });
const adam = { kind: 'adam', rate: 0.02, ramp: { up: 0, down: 0.5 } };

for (const [solver, problem] of [
	[{ kind: 'glow-synthesis', steps: 60 }, half],
	[{ kind: 'glow-synthesis', preset: 'published-code-inpainting', steps: 30 }, holes],
	[{ kind: 'glow-synthesis', preset: 'paper', steps: 30 }, small],
	[{ kind: 'glow-analysis', steps: 60, start: { synthesis: 20 } }, half],
	[{ kind: 'glow-analysis', steps: 60, start: 'degraded' }, half],
	[{ kind: 'glow-analysis', preset: 'noisy', steps: 60, start: 'degraded' }, half],
	[{ kind: 'glow-analysis', steps: 60, regulariser: 'eps', optimiser: adam }, holes],
	[{ kind: 'glow-analysis', preset: 'paper', steps: 30 }, half],
	[{ kind: 'glow-analysis', preset: 'published-code-super-resolution', steps: 30 }, small],
] as const) {
	test(`lowers its own objective: ${problem.problem.kind} by ${JSON.stringify(solver)}`, async (t) => {
		const { result, progress } = await solve(solver, problem, { truth });
		const { objective, residual } = result.history.at(-1)!;
		t.log(
			`objective ${objective[0]![0]!.toPrecision(3)} to ${objective.at(-1)![0]!.toPrecision(3)}, ` +
				`residual ${residual[0]![0]!.toPrecision(3)} to ${result.residual[0]!.toPrecision(3)}, ` +
				`${psnr(result.images, truth).map((value) => value.toFixed(1))} dB`,
		);
		for (const [i, first] of objective[0]!.entries())
			t.true(Math.min(...objective.map((row) => row[i]!)) < first);
		t.true(progress.length > 0);
		t.true(result.images.data.every(Number.isFinite));
		// The oracle sees every iterate that the selection saw.
		for (const [i, value] of psnr(result.images, truth).entries())
			t.true(result.oraclePsnr![i]! >= value - 0.01);
	});
}

test('an iterate of L-BFGS is never above the one before it', async (t) => {
	const { result } = await solve(
		{ kind: 'glow-analysis', preset: 'noisy', steps: 40, start: 'degraded' },
		half,
	);
	const { objective } = result.history[0]!;
	for (const [k, row] of objective.slice(1).entries())
		for (const [i, value] of row.entries())
			t.true(value <= objective[k]![i]! + 1e-5 * Math.abs(objective[k]![i]!), `evaluation ${k + 1}`);
});

test('the degraded start of the analysis has not seen what is held out', async (t) => {
	const solver = { kind: 'glow-analysis', steps: 1, start: 'degraded', select: { by: 'held-out' } };
	const { result } = await solve(solver, holes);
	const { residual, heldOut } = result.history[0]!;
	for (const [i, fitted] of residual[0]!.entries()) {
		t.true(fitted < 1e-10, 'the fitted pixels are as measured');
		t.true(heldOut[0]![i]! > 0.001);
	}
});

test('both formulations take noise away, with λ from its σ', async (t) => {
	const noisy = measured({ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.3 } });
	const before = psnr({ shape: truth.shape, data: noisy.y.data }, truth);
	for (const solver of [{ kind: 'glow-synthesis' }, { kind: 'glow-analysis', preset: 'noisy' }]) {
		const { result } = await solve({ ...solver, steps: 40 }, noisy);
		const after = psnr(result.images, truth);
		t.log(
			`${solver.kind}: ${before.map((value) => value.toFixed(1))} dB to ${after.map((value) => value.toFixed(1))} dB`,
		);
		for (const [i, value] of after.entries()) t.true(value > before[i]! + 1);
	}
});

test('an analysis goes on where the synthesis before it ended', async (t) => {
	const alone = (await solve({ kind: 'glow-synthesis', steps: 12 }, half, { truth })).result;
	const solver = { kind: 'glow-analysis', steps: 6, start: { synthesis: 12 } };
	const { result, progress } = await solve(solver, half, { truth, progressEvery: 1 });
	const [synthesis, analysis, ...others] = result.history;
	t.deepEqual([synthesis!.name, analysis!.name, others], ['synthesis', 'analysis', []]);
	t.deepEqual(synthesis!.objective, alone.history[0]!.objective);
	// The analysis fits all measurements, the synthesis held some out.
	for (const [i, value] of analysis!.residual[0]!.entries())
		t.true(Math.abs(value - alone.residual[i]!) < 1e-4 * (1 + value));
	t.deepEqual(
		result.steps,
		alone.steps.map((taken) => taken + 6),
	);
	for (const [i, value] of alone.oraclePsnr!.entries()) t.true(result.oraclePsnr![i]! >= value);
	const steps = progress.map(({ step }) => step);
	t.true(steps.every((step, i) => i === 0 || step >= steps[i - 1]!));
	t.deepEqual(
		new Set(progress.map((p) => `${p.layer} of ${p.layers}, ${p.steps}`)),
		new Set(['0 of 2, 18', '1 of 2, 18']),
	);
});

for (const solver of [
	{ kind: 'glow-synthesis', steps: 20 },
	{ kind: 'glow-analysis', steps: 20, start: 'mean', optimiser: adam },
]) {
	test(`killed half-way and resumed, the result is that of an unbroken solve: ${JSON.stringify(solver)}`, async (t) => {
		const whole = (await solve(solver, half)).result;
		const store = new MemoryStore(9);
		await t.throwsAsync(() => solve(solver, half, { resume: store }), { message: 'killed' });
		const rest = new MemoryStore(1000, store.snapshot);
		const { result } = await solve(solver, half, { resume: rest });
		t.true(rest.saves > 0 && rest.saves < 14, `${rest.saves} steps were left`);
		const { seconds: _, ...expected } = whole;
		const { seconds: __, ...got } = result;
		t.deepEqual(got, expected);
	});
}

test('the reconstruction names what was optimised, one row an image', async (t) => {
	const synthesis = (await solve({ kind: 'glow-synthesis', steps: 2 }, half)).result;
	t.deepEqual(synthesis.latents.eps!.shape, [3, 768]);
	const analysis = (await solve({ kind: 'glow-analysis', steps: 2 }, half)).result;
	for (const [i, value] of analysis.latents.x!.data.entries())
		t.true(Math.abs(2 * value - analysis.images.data[i]!) < 1e-5);
});
