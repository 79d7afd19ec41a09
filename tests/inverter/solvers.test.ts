import test from 'ava';
import { measured, psnr, solve, truth } from './solving.ts';

const half = measured({ kind: 'compressed-sensing', ratio: 0.5 });

for (const [name, solver] of [
	['CSGM in w', { kind: 'csgm', steps: 200, restarts: 8 }],
	['CSGM in w+', { kind: 'csgm', steps: 250, space: 'w+', restarts: 1 }],
	['ILO', { kind: 'ilo', steps: [150, 50, 50] }],
] as const) {
	test(`${name} recovers images of the prior itself above 30 dB`, async (t) => {
		const { result } = await solve({ ...solver, patience: 0, misfit: 0.001 }, half, { truth });
		const values = psnr(result.images, truth);
		t.true(Math.min(...values) > 30, values.join(', '));
		for (const residual of result.residual) t.true(residual < 1e-2);
		// The oracle sees every iterate that the selection saw.
		for (const [i, value] of values.entries()) t.true(result.oraclePsnr![i]! >= value - 0.01);
	});
}

for (const solver of [
	{ kind: 'csgm', steps: 40, restarts: 1 },
	{ kind: 'csgm', preset: 'paper', steps: 40, restarts: 2 },
	{ kind: 'ilo', steps: [40, 30, 30], rate: 0.05 },
	{ kind: 'ilo', preset: 'paper', steps: [40, 20, 20] },
	{ kind: 'ilo', steps: [40, 30], rate: 0.05, offset: { prior: 'l1-ball', radius: [50] } },
]) {
	test(`lowers its own objective in every layer: ${JSON.stringify(solver)}`, async (t) => {
		const { result } = await solve(solver, half);
		for (const { objective } of result.history) {
			for (const [i, first] of objective[0]!.entries()) {
				t.true(Math.min(...objective.map((row) => row[i]!)) < first);
			}
		}
	});
}

test('ILO fits what CSGM in the same space cannot', async (t) => {
	const rest = { patience: 0, misfit: 0, select: { by: 'loss' } };
	const target = measured({
		kind: 'deblurring',
		kernel: 'uniform',
		size: 3,
		noise: { kind: 'gaussian', sigma: 0.5 },
	});
	const latent = await solve({ kind: 'csgm', space: 'w+', restarts: 1, steps: 100, ...rest }, target);
	const layers = await solve({ kind: 'ilo', steps: [100, 50, 50], ...rest }, target);
	for (const [i, residual] of layers.result.residual.entries())
		t.true(residual < 0.8 * latent.result.residual[i]!);
});

test('an ℓ1 ball holds the offset', async (t) => {
	const offset = { prior: 'l1-ball', radius: [3] };
	const { result } = await solve({ kind: 'ilo', steps: [10, 20], offset, select: { by: 'last' } }, half);
	const { data } = result.latents['offset.b4']!;
	for (let i = 0; i < 3; i++) {
		const size = data
			.subarray((i * data.length) / 3, ((i + 1) * data.length) / 3)
			.reduce((s, v) => s + Math.abs(v), 0);
		t.true(size < 3.001 && size > 1, `${size}`);
	}
});

test('spheres hold latents and noises', async (t) => {
	const { result } = await solve({ kind: 'ilo', preset: 'paper', steps: [20], select: { by: 'last' } }, half);
	const start = await solve(
		{ kind: 'ilo', preset: 'paper', steps: [2], rate: 1e-9, select: { by: 'last' } },
		half,
	);
	const norm = (values: Float32Array): number => Math.hypot(...values);
	for (const name of ['latent', 'noise.0']) {
		const [end, first] = [result.latents[name]!.data, start.result.latents[name]!.data];
		t.true(Math.abs(norm(end) / norm(first) - 1) < 1e-4);
		t.notDeepEqual(end, first);
	}
});
