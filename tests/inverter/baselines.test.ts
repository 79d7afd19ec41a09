import test from 'ava';
import { InversionSession, selectMeasurements } from '../../inverter/index.ts';
import { engine, measured, psnr, solve, truth, worst } from './solving.ts';

const sigma = 0.2;
const noise = { kind: 'gaussian', sigma };
const noisy = measured({ kind: 'denoising', noise });
const small = measured({ kind: 'super-resolution', factor: 2 });
const holes = measured({ kind: 'inpainting', mask: 'random', ratio: 0.7 });

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

for (const [name, measurements] of [
	['denoising', noisy],
	['super-resolution', small],
	['inpainting', holes],
	['compressed sensing', measured({ kind: 'compressed-sensing', ratio: 0.5 })],
	['deblurring', measured({ kind: 'deblurring', kernel: 'uniform', size: 3 })],
	['colorization', measured({ kind: 'colorization' })],
] as const) {
	test(`TV lowers its objective to a minimum and beats the constant image: ${name}`, async (t) => {
		const { result } = await solve({ kind: 'tv' }, measurements);
		const longer = (await solve({ kind: 'tv', steps: 1000 }, measurements)).result;
		const [rows] = result.history;
		for (const [i, last] of rows!.objective.at(-1)!.entries()) {
			t.true(last < rows!.objective[0]![i]!);
			const least = longer.history[0]!.objective.at(-1)![i]!;
			t.true(last < 1.02 * least + 1e-3, `${last}, at the minimum ${least}`);
		}
		const constant = (await solve({ kind: 'mean' }, measurements)).result;
		const [reached, floor] = [mean(psnr(result.images, truth)), mean(psnr(constant.images, truth))];
		t.log(`${reached.toFixed(2)} dB, constant ${floor.toFixed(2)} dB`);
		t.true(reached > floor, `${reached} and ${floor} dB`);
	});
}

test('BM3D and TV take noise away', async (t) => {
	const before = mean(psnr(noisy.y, truth));
	for (const kind of ['bm3d', 'tv']) {
		const { result, progress } = await solve({ kind }, noisy);
		const after = mean(psnr(result.images, truth));
		t.true(after > before + 1, `${kind}: ${after} dB after ${before} dB`);
		t.true(progress.length > 0);
		// What is taken away is about the noise.
		const energy = mean(Array.from(noisy.y.data, (value) => value ** 2));
		const share = (mean(result.residual) * energy) / sigma ** 2;
		t.true(Math.abs(share - 1) < 0.5, `${kind}: ${share}`);
	}
});

test('bicubic enlargement of a constant is that constant, and fits a smooth image', async (t) => {
	const flat = { ...small, y: { ...small.y, data: small.y.data.map(() => 0.25) } };
	const { result } = await solve({ kind: 'bicubic' }, flat);
	t.true(
		worst(
			result.images.data,
			result.images.data.map(() => 0.25),
		) < 1e-6,
	);
	t.true(Math.max(...result.residual) < 1e-9);
	t.true(mean((await solve({ kind: 'bicubic' }, small)).result.residual) < 0.1);
});

test('the constant image keeps what is observed and finds a constant exactly', async (t) => {
	const { result } = await solve({ kind: 'mean' }, holes);
	t.true(Math.max(...result.residual) < 1e-12);
	const blurred = measured({ kind: 'compressed-sensing', ratio: 0.5 });
	const none = { ...blurred, y: { ...blurred.y, data: blurred.y.data.map(() => 0) } };
	const black = (await solve({ kind: 'mean' }, none)).result;
	t.true(black.images.data.every((value) => Math.abs(value) < 1e-6));
});

for (const [solver, measurements] of [
	[{ kind: 'tv', steps: 50 }, noisy],
	[{ kind: 'bm3d' }, noisy],
	[{ kind: 'bicubic' }, small],
	[{ kind: 'mean' }, holes],
] as const) {
	test(`the result for an image does not depend on its batch: ${solver.kind}`, async (t) => {
		const together = (await solve(solver, measurements)).result;
		const alone = (await solve(solver, selectMeasurements(measurements, [2]))).result;
		const each = truth.data.length / 3;
		t.true(worst(together.images.data.subarray(2 * each), alone.images.data) < 1e-5);
	});
}

test('a baseline refuses a problem that it does not serve, and takes no prior', async (t) => {
	await t.throwsAsync(() => solve({ kind: 'bicubic' }, holes), {
		message: 'The solver bicubic serves super-resolution, not inpainting.',
	});
	await t.throwsAsync(() => solve({ kind: 'bm3d' }, small), {
		message: 'The solver bm3d serves denoising and identity, not super-resolution.',
	});
	await t.throwsAsync(() => solve({ kind: 'bm3d' }, measured({ kind: 'identity' })), {
		message: /BM3D needs the noise level/,
	});
	const { result } = await solve({ kind: 'tv', steps: 3 }, holes, {}, null);
	t.is(result.selectedBy, 'last');
	const session = new InversionSession(engine);
	t.deepEqual(
		(await session.solve(null, holes, { kind: 'tv', steps: 3 }, { seed: 0 })).residual,
		result.residual,
	);
	await t.throwsAsync(session.solve(null, holes, { kind: 'ilo' }, { seed: 0 }), {
		message: 'The solver ilo needs a prior.',
	});
	session.dispose();
});

test('at the deadline baselines return what they have', async (t) => {
	for (const kind of ['tv', 'bm3d']) {
		let time = 0;
		const { result } = await solve({ kind }, noisy, { now: () => time++, deadline: 3 });
		t.true(result.reasons.includes('deadline'));
		t.true(result.residual.every(Number.isFinite));
	}
});
