// Problems whose operators are unlike the others in structure are solved as any.
import test from 'ava';
import { packMask, selectMeasurements } from '../../inverter/index.ts';
import { measured, psnr, solve, truth, worst } from './solving.ts';

const blur = { kind: 'deblurring', kernel: 'motion', length: 3, angle: 30 };
const grey = { kind: 'colorization', grey: 'mean' };
const left = packMask(Array.from({ length: 256 }, (_, i) => Number(i % 16 < 8)));

const problems: object[] = [
	{ kind: 'compressed-sensing', ratio: 0.3, matrix: 'gaussian' },
	{ kind: 'inpainting', mask: 'custom', height: 16, width: 16, bits: left },
	{ kind: 'deblurring', kernel: 'shake', length: 4, noise: { kind: 'snr', decibels: 20 } },
	{ kind: 'denoising', noise: { kind: 'poisson', photons: 20 } },
	// Parameters of the same shapes, and another operator: programs are kept between solves.
	{ kind: 'composition', steps: [blur, grey] },
	{ kind: 'composition', steps: [grey, blur] },
];

for (const problem of problems) {
	test(`CSGM comes nearer to the measurement of each image: ${JSON.stringify(problem)}`, async (t) => {
		const solver = { kind: 'csgm', space: 'w', steps: 20, restarts: 1, select: { by: 'loss' } };
		const { result } = await solve(solver, measured(problem));
		const { residual } = result.history[0]!;
		for (const [i, last] of result.residual.entries()) t.true(last < 0.9 * residual[0]![i]!);
	});
}

test('an image measured by a dense matrix or a composition is solved alone as in a batch', async (t) => {
	for (const problem of [problems[0]!, problems[4]!]) {
		const measurements = measured(problem);
		const solver = { kind: 'csgm', space: 'w', steps: 20, restarts: 1, select: { by: 'loss' } };
		const together = (await solve(solver, measurements)).result.images.data;
		const alone = (await solve(solver, selectMeasurements(measurements, [1]))).result.images.data;
		t.true(worst(alone, together.subarray(alone.length, 2 * alone.length)) < 1e-3);
	}
});

test('a black image under Poisson noise is what BM3D leaves', async (t) => {
	const black = measured({ kind: 'denoising', noise: { kind: 'poisson', photons: 20 } });
	const y = { ...black.y, data: black.y.data.slice().fill(-1, 0, 768) };
	const { result } = await solve({ kind: 'bm3d' }, { ...black, y, sigma: [0, ...black.sigma!.slice(1)] });
	t.true(result.images.data.subarray(0, 768).every((value) => value === -1));
	t.true(psnr(result.images, truth)[1]! > psnr(black.y, truth)[1]!);
});
