// Solvers that tune the generator's weights: PTI, DGP, CRI.
import test from 'ava';
import { stream } from '../../engine/index.ts';
import { ProgramCache, parseSolver, solverFor } from '../../inverter/index.ts';
import { kMeans } from '../../inverter/solvers/centroids.ts';
import { engine, measured, prior, solve, truth } from './solving.ts';
import { randomLpips, tinyPggan, withDiscriminator } from './tiny-prior.ts';

const critic = withDiscriminator(prior);
const blurred = measured({
	kind: 'deblurring',
	kernel: 'uniform',
	size: 3,
	noise: { kind: 'gaussian', sigma: 0.3 },
});
const holes = measured({ kind: 'inpainting', mask: 'random', ratio: 0.6 });
const sensing = measured({ kind: 'compressed-sensing', ratio: 0.5 });

const still = { up: 0, down: 0 };
const pti = {
	kind: 'pti',
	pivot: { steps: 30, rate: 0.1, ramp: still, noise: 0 },
	tuning: { steps: 25, rate: 0.003, until: 0 },
	patience: 0,
};
const cri = {
	kind: 'cri',
	samples: 1024,
	offset: { steps: 30, rate: 0.05, ramp: still, weight: 0.01 },
	tuning: { steps: 20, rate: 0.003, until: 0, locality: { weight: 0.1, reach: 0.7 } },
	patience: 0,
};
const stage = { steps: 15, share: 1, rate: 1e-3, latentRate: 0.02, features: 1, data: 5 };
const dgp = { kind: 'dgp', draws: 10, stages: [{ ...stage, share: 0.5 }, stage], patience: 0 };

for (const [solver, problem, names] of [
	[pti, blurred, ['latent', 'weights']],
	[{ ...pti, space: 'w+' }, sensing, ['latent', 'weights']],
	[cri, holes, ['latent', 'weights']],
	[cri, sensing, ['latent', 'weights']],
	[dgp, holes, ['latent', 'weights to b8', 'weights to b16']],
	[dgp, blurred, ['latent', 'weights to b8', 'weights to b16']],
] as const) {
	test(`lowers its own objective in every stage: ${solver.kind} on ${problem.problem.kind}`, async (t) => {
		const { result, progress } = await solve(solver, problem, { truth }, critic);
		t.deepEqual(
			result.history.map(({ name }) => name),
			[...names],
		);
		for (const { name, objective } of result.history) {
			if (solver.kind === 'dgp' && name === 'latent') continue;
			for (const [i, first] of objective[0]!.entries())
				t.true(Math.min(...objective.map((row) => row[i]!)) < first, name);
		}
		t.is(progress.at(-1)!.step, progress.at(-1)!.steps);
		t.true(progress.every(({ step }, i) => i === 0 || step >= progress[i - 1]!.step));
		t.true(result.images.data.every(Number.isFinite));
		t.is(result.perceptual, problem === sensing ? undefined : 'features of the discriminator');
	});
}

test('tuning begins at the pivot, and each image with the weights of the checkpoint', async (t) => {
	const frozen = { ...pti, tuning: { ...pti.tuning, steps: 3, rate: 1e-9 } };
	const { history } = (await solve(frozen, holes, {}, critic)).result;
	const [latent, weights] = history as [(typeof history)[0], (typeof history)[0]];
	for (let i = 0; i < 3; i++) {
		const best = Math.min(...latent.heldOut.map((row) => row[i]!));
		t.true(Math.abs(weights.heldOut[0]![i]! - best) < 1e-4 * best, `${weights.heldOut[0]![i]} and ${best}`);
	}
	// After others were tuned with a rate that changes everything, too.
	const wild = (await solve({ ...pti, tuning: { ...pti.tuning, rate: 0.05 } }, holes, {}, critic)).result;
	for (let i = 0; i < 3; i++) {
		const [one, other] = [weights.heldOut[0]![i]!, wild.history[1]!.heldOut[0]![i]!];
		t.true(Math.abs(one - other) < 1e-4 * one);
	}
});

test('the selected iterate is never worse on the held-out measurements than the pivot', async (t) => {
	const { result } = await solve({ ...pti, tuning: { ...pti.tuning, rate: 0.05 } }, holes, {}, critic);
	for (const [i, heldOut] of result.heldOut!.entries())
		t.true(heldOut <= Math.min(...result.history[0]!.heldOut.map((row) => row[i]!)) * 1.0001);
});

test('the locality term holds the other images: more of it, less is fitted', async (t) => {
	const last = async (locality: object): Promise<number> => {
		const tuning = { steps: 25, rate: 0.003, until: 0, ...locality };
		const { history } = (await solve({ ...pti, tuning }, holes, {}, critic)).result;
		return history[1]!.residual.at(-1)![0]!;
	};
	const free = await last({});
	t.true((await last({ locality: { weight: 100, reach: 0.05 } })) > 1.05 * free);
});

test('PTI ends at an LPIPS, and not at a distance of the discriminator', async (t) => {
	const solver = {
		...pti,
		pivot: { ...pti.pivot, steps: 5 },
		tuning: { steps: 5, rate: 1e-3, until: 10 },
		perceptual: { weight: 0.1 },
	};
	const { reasons } = (await solve(solver, holes, { lpips: randomLpips })).result;
	t.deepEqual(reasons, ['threshold', 'threshold', 'threshold']);
	t.deepEqual((await solve(solver, holes, {}, critic)).result.reasons, ['steps', 'steps', 'steps']);
});

test('more draws never make the start of DGP worse', async (t) => {
	const start = async (draws: number): Promise<number[]> =>
		(await solve({ ...dgp, draws, stages: [{ ...stage, steps: 1 }] }, holes, {}, critic)).result.history[0]!
			.objective[0]!;
	const [few, many] = [await start(1), await start(20)];
	t.true(many.some((value, i) => value < few[i]!));
});

test('DGP tunes a PGGAN; what cannot be served is refused and says which solvers can', async (t) => {
	const pggan = withDiscriminator(tinyPggan(engine));
	const { result } = await solve(dgp, holes, {}, pggan);
	t.deepEqual(result.history.at(-1)!.name, 'weights to b16');
	const refusal = (solver: object, problem: typeof holes, on: typeof prior) => {
		const spec = parseSolver(solver);
		return t.throws(() => solverFor(spec).check(on, spec.options, problem.problem), {
			code: 'MISMATCH',
		}) as unknown as { message: string; remedy: string };
	};
	const alone = refusal(dgp, holes, prior);
	t.regex(alone.message, /^The solver dgp compares images .* the checkpoint has none that fits/u);
	t.regex(refusal(dgp, sensing, critic).message, /a measurement of compressed-sensing is no image/u);
	t.regex(alone.remedy, /csgm, ilo and mgan .* pti and cri/u);
	for (const kind of ['pti', 'cri']) t.regex(refusal({ kind }, holes, pggan).remedy, /csgm, ilo and mgan/u);
	t.throws(
		() =>
			solverFor(parseSolver(cri)).check(prior, parseSolver({ ...cri, samples: 5 }).options, holes.problem),
		{
			message: /at most 5 clusters/u,
		},
	);
});

test('a deadline leaves every image its pivot or better, and a cancelled tuning throws the reason', async (t) => {
	let time = 0;
	const late = await solve({ ...pti, tuning: { ...pti.tuning, steps: 1000 } }, holes, {
		now: () => time++,
		deadline: 400,
	});
	t.deepEqual(late.result.reasons, ['deadline', 'deadline', 'deadline']);
	t.true(
		late.result.steps.every((steps) => steps > 30 && steps < 400),
		late.result.steps.join(),
	);
	const controller = new AbortController();
	const spec = parseSolver(pti);
	const context = {
		engine,
		programs: new ProgramCache(),
		seed: 1,
		signal: controller.signal,
		progressEvery: 1,
	};
	const run = solverFor(spec).solve(prior, holes, spec.options, context);
	for (;;) {
		const { value } = await run.next();
		if (value && 'layer' in value && value.layer === 1) break;
	}
	controller.abort(new Error('enough'));
	await t.throwsAsync(() => run.next(), { message: 'enough' });
});

test('k-means finds clusters that are apart', (t) => {
	const noise = stream(1, 'k-means').normals(0, 300 * 2);
	const middles = [
		[0, 0],
		[10, 0],
		[0, 10],
	];
	const points = noise.map((value, i) => 0.3 * value + middles[(i >> 1) % 3]![i % 2]!);
	const centroids = kMeans(points, 2, 3, stream(2, 'start'));
	for (const [x, y] of middles) {
		const least = Math.min(
			...[0, 1, 2].map((k) => Math.hypot(centroids[2 * k]! - x!, centroids[2 * k + 1]! - y!)),
		);
		t.true(least < 0.2, `${x}, ${y}: ${least}`);
	}
});
