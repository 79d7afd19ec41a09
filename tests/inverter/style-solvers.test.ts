// Solvers over w+ and over several codes: PULSE, BRGM, L-BRGM, mGANprior.
import test from 'ava';
import { engine, measured, prior, solve, truth } from './solving.ts';
import { tinyPggan } from './tiny-prior.ts';

const half = measured({ kind: 'compressed-sensing', ratio: 0.5 });
const small = measured({ kind: 'super-resolution', factor: 2 });

for (const solver of [
	{ kind: 'pulse' },
	{ kind: 'pulse', preset: 'paper', steps: 40 },
	{ kind: 'brgm', steps: 40 },
	{ kind: 'brgm', preset: 'paper', steps: 40 },
	{ kind: 'l-brgm', steps: 40, draws: 4 },
	{ kind: 'l-brgm', preset: 'paper', steps: 40, draws: 4 },
	{ kind: 'mgan', steps: 40 },
	{ kind: 'mgan', preset: 'paper', steps: 40 },
	{ kind: 'mgan', preset: 'paper-rtil', steps: 40, cut: 'b8' },
]) {
	test(`lowers its own objective: ${JSON.stringify(solver)}`, async (t) => {
		const { result, progress } = await solve(solver, half, { truth });
		const [{ objective, residual }] = result.history as [(typeof result.history)[0]];
		t.log(
			`objective ${objective[0]![0]!.toPrecision(3)} to ${objective.at(-1)![0]!.toPrecision(3)}, ` +
				`residual ${residual[0]![0]!.toPrecision(3)} to ${result.residual[0]!.toPrecision(3)}`,
		);
		for (const [i, first] of objective[0]!.entries()) {
			t.true(Math.min(...objective.map((row) => row[i]!)) < first);
		}
		t.true(progress.length > 0);
		t.true(result.images.data.every(Number.isFinite));
	});
}

test('PULSE stays on its spheres and lowers the data term no further than ε', async (t) => {
	const rest = { kind: 'pulse', steps: 10, select: { by: 'last' } };
	const start = (await solve({ ...rest, rate: 1e-9 }, small)).result;
	const { latents } = (await solve({ ...rest, epsilon: 0 }, small)).result;
	for (const name of ['latent', 'noise.0']) {
		const ratio = Math.hypot(...latents[name]!.data) / Math.hypot(...start.latents[name]!.data);
		t.true(Math.abs(ratio - 1) < 1e-4);
		t.notDeepEqual(latents[name]!.data, start.latents[name]!.data);
	}
	const { history } = (await solve({ ...rest, epsilon: 4, geodesic: 0 }, small)).result;
	t.true(history[0]!.objective.flat().every((value) => value === 4));
});

test('BRGM starts at the mean of w, where its priors are 0', async (t) => {
	const still = { kind: 'brgm', steps: 1, rate: 1e-9 };
	const start = async (options: object): Promise<number> =>
		(await solve({ ...still, ...options }, half)).result.history[0]!.objective[0]![0]!;
	const [light, heavy] = [await start({}), await start({ gaussian: 1e6, cosine: 1e4 })];
	t.true(Math.abs(light - heavy) < 1e-4 * light, `${light} and ${heavy}`);
});

test('the priors of BRGM hold w+ near its mean and its rows together', async (t) => {
	const run = async (options: object): Promise<Float32Array> =>
		(await solve({ kind: 'brgm', steps: 40, pixel: 0.1, select: { by: 'last' }, ...options }, half)).result
			.latents.latent!.data;
	const free = await run({ gaussian: 0, cosine: 0 });
	const near = await run({ gaussian: 10_000, cosine: 0 });
	t.true(
		Math.hypot(...near) < 0.5 * Math.hypot(...free),
		`${Math.hypot(...near)} and ${Math.hypot(...free)}`,
	);
	const together = await run({ gaussian: 0, cosine: 100 });
	t.true(rowSpread(together) < 0.5 * rowSpread(free), `${rowSpread(together)} and ${rowSpread(free)}`);
});

/** Mean squared distance of the rows of w+ to their mean, in units of the deviation of w. */
function rowSpread(latent: Float32Array): number {
	const { numStyles, wDim } = prior.generator;
	let sum = 0;
	for (let i = 0; i < 3; i++)
		for (let d = 0; d < wDim; d++) {
			const values = Array.from({ length: numStyles }, (_, r) => latent[(i * numStyles + r) * wDim + d]!);
			const mean = values.reduce((total, value) => total + value, 0) / numStyles;
			sum += values.reduce((total, value) => total + (value - mean) ** 2, 0);
		}
	return sum;
}

test('L-BRGM starts at M(z) of its best draw', async (t) => {
	const still = { kind: 'l-brgm', steps: 1, rate: 1e-9, select: { by: 'last' } };
	const few = (await solve({ ...still, draws: 1, latent: 0 }, half)).result;
	const many = (await solve({ ...still, draws: 20, latent: 0 }, half)).result;
	const pulled = (await solve({ ...still, draws: 20, latent: 0, map: 1e6 }, half)).result;
	for (let i = 0; i < 3; i++) {
		const [one, best, same] = [few, many, pulled].map(({ history }) => history[0]!.objective[0]![i]!);
		t.true(best! <= one!);
		t.true(Math.abs(same! - best!) < 1e-3 * best!, 'w+ is M(z), whatever the weight of their distance');
	}
	t.true(few.history[0]!.objective[0]!.some((one, i) => one > many.history[0]!.objective[0]![i]!));
	t.deepEqual(Object.keys(many.latents).sort(), ['latent', 'z']);
	let time = 0;
	const late = await solve({ kind: 'l-brgm', draws: 10_000 }, half, { now: () => time++, deadline: 30 });
	t.deepEqual(late.result.reasons, ['deadline', 'deadline', 'deadline']);
});

test('mGANprior starts with equal weights, and serves a PGGAN', async (t) => {
	const still = { kind: 'mgan', steps: 1, rate: 1e-9, codes: 4, select: { by: 'last' } };
	const { latents } = (await solve(still, half)).result;
	t.deepEqual(latents.codes!.shape, [3, 4, 16]);
	t.deepEqual(latents.channels!.shape, [3, 4, 16]);
	t.true(latents.channels!.data.every((value) => Math.abs(value - 0.25) < 1e-6));
	const pggan = tinyPggan(engine);
	const { result } = await solve({ kind: 'mgan', steps: 60 }, half, {}, pggan);
	const { residual } = result.history[0]!;
	for (let i = 0; i < 3; i++) t.true(result.residual[i]! < 0.7 * residual[0]![i]!);
	for (const kind of ['pulse', 'brgm', 'l-brgm']) {
		await t.throwsAsync(() => solve({ kind }, half, {}, pggan), {
			message: `The solver ${kind} needs the styles of a StyleGAN2, but the checkpoint has a generator of kind pggan.`,
		});
	}
	await t.throwsAsync(() => solve({ kind: 'mgan', cut: 'b32' }, half), {
		message: 'The generator has no cut "b32" but b4, b8.',
	});
});

for (const preset of ['quick', 'paper']) {
	test(`ILO serves a PGGAN: ${preset}`, async (t) => {
		const { result } = await solve({ kind: 'ilo', preset, steps: [30, 15, 15] }, half, {}, tinyPggan(engine));
		t.deepEqual(
			result.history.map(({ name }) => name),
			['latent', 'b4', 'b8'],
		);
		const first = result.history[0]!.residual[0]!;
		for (const [i, residual] of result.residual.entries()) t.true(residual < first[i]!);
	});
}
