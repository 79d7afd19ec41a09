import test from 'ava';
import { parseSolver, selectMeasurements, solverFor, solvers } from '../../inverter/index.ts';
import { measured, prior, priorFor, solve, truth, worst } from './solving.ts';
import { withDiscriminator } from './tiny-prior.ts';

const sensing = measured({ kind: 'compressed-sensing', ratio: 0.3 });

const holes = measured({ kind: 'inpainting', mask: 'random', ratio: 0.6 });
const critic = withDiscriminator(prior);
const stage = { steps: 6, share: 1, rate: 1e-3, latentRate: 0.01, features: 1, data: 1 };

/** Short runs of every solver that takes a prior; baselines.test.ts has the others. */
const runs = [
	{ kind: 'csgm', steps: 30 },
	{ kind: 'csgm', preset: 'paper', steps: 30, restarts: 2 },
	{ kind: 'ilo', steps: [25, 15] },
	// Few steps: at the published rate, from a random start, one leaky ReLU that rounding tips over is carried far.
	{ kind: 'ilo', preset: 'paper', steps: [5, 4] },
	{ kind: 'ilo', preset: 'published-code', steps: [5, 4] },
	{ kind: 'mgan', steps: 20, codes: 4 },
	{ kind: 'mgan', preset: 'paper', steps: 20, codes: 4 },
	{ kind: 'pulse', steps: 20 },
	{ kind: 'brgm', steps: 20 },
	{ kind: 'l-brgm', steps: 20, draws: 5 },
	{ kind: 'robust', steps: [12, 8, 8] },
	{ kind: 'pti', pivot: { steps: 15, rate: 0.1, ramp: { up: 0, down: 0.5 }, noise: 0.05 } },
	{ kind: 'dgp', draws: 5, stages: [{ ...stage, share: 0.5 }, stage] },
	{ kind: 'cri', samples: 600, offset: { steps: 15, rate: 0.1, ramp: { up: 0, down: 0.5 }, weight: 0.01 } },
	{ kind: 'glow-synthesis', steps: 20 },
	{ kind: 'glow-analysis', steps: 20, start: { synthesis: 15 } },
	{ kind: 'glow-analysis', preset: 'published-code', steps: 20 },
];
/** A problem that the solver serves: DGP needs images. */
const problemOf = ({ kind }: { kind: string }) => (kind === 'dgp' ? holes : sensing);
const priorOf = (solver: object) => (priorFor(solver) === prior ? critic : priorFor(solver));

test('every solver of the registry that takes a prior is held to this', (t) => {
	const kinds = new Set(runs.map((run) => solverFor(parseSolver(run)).kind));
	for (const { kind, needs } of solvers) t.true(kinds.has(kind) !== (needs === 'nothing'), kind);
});

for (const solver of runs) {
	test(`the result for an image does not depend on its batch: ${JSON.stringify(solver)}`, async (t) => {
		const problem = problemOf(solver);
		const together = (await solve(solver, problem, {}, priorOf(solver))).result;
		const swapped = (await solve(solver, selectMeasurements(problem, [2, 0]), {}, priorOf(solver))).result;
		const alone = (await solve(solver, selectMeasurements(problem, [2]), {}, priorOf(solver))).result;
		const each = truth.data.length / 3;
		const image = together.images.data.subarray(2 * each);
		// Rounding grows over the steps; images span [−1, 1].
		t.true(worst(image, alone.images.data) < 1e-3, `${worst(image, alone.images.data)}`);
		t.true(worst(image, swapped.images.data.subarray(0, each)) < 1e-3);
		t.true(Math.abs(together.residual[2]! - alone.residual[0]!) < 1e-3);
		// The first steps, before it has grown: nothing of the batch is in them.
		const firsts = (result: typeof alone, row: number): number[] =>
			result.history[0]!.objective.slice(0, 4).map((values) => values[row]!);
		firsts(together, 2).forEach((value, step) => {
			const own = firsts(alone, 0)[step]!;
			t.true(Math.abs(value - own) < 2e-5 * (1 + Math.abs(own)), `step ${step}: ${value} and ${own}`);
		});
		t.is(together.reasons[2], alone.reasons[0]);
	});
}

test('an image that ends early keeps its result while the others go on', async (t) => {
	const solver = { kind: 'csgm', steps: 80, restarts: 1, patience: 4, rate: 0.3, misfit: 0.01 };
	const together = (await solve(solver, sensing)).result;
	for (let i = 0; i < 3; i++) {
		const alone = (await solve(solver, selectMeasurements(sensing, [i]))).result;
		t.is(alone.steps[0], together.steps[i]);
		t.is(alone.reasons[0], together.reasons[i]);
	}
	t.true(
		new Set(together.steps).size > 1,
		`the case has images that end at different steps: ${together.steps}`,
	);
});

for (const solver of [
	...runs.filter(({ kind }) => ['pti', 'dgp', 'cri'].includes(kind)),
	{ kind: 'ilo', steps: [20, 10] },
	{ kind: 'glow-synthesis', steps: 20 },
	{ kind: 'glow-analysis', steps: 20, start: { synthesis: 15 } },
])
	test(`a truth changes nothing but the oracle figure: ${solver.kind}`, async (t) => {
		const problem = problemOf(solver);
		const blind = (await solve(solver, problem, {}, priorOf(solver))).result;
		const seen = (await solve(solver, problem, { truth }, priorOf(solver))).result;
		t.is(blind.oraclePsnr, null);
		t.is(seen.oraclePsnr!.length, 3);
		t.true(worst(blind.images.data, seen.images.data) < 1e-4);
	});
