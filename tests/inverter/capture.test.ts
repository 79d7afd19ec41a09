// Captured and eager solving give the same reconstruction, to rounding.
import test from 'ava';
import { openEngine } from '../../engine/index.ts';
import { ProgramCache } from '../../inverter/index.ts';
import { measured, prior, solve, worst } from './solving.ts';
import { withDiscriminator } from './tiny-prior.ts';

const eager = await openEngine({ capture: false });
const critic = withDiscriminator(prior);
const problem = { kind: 'inpainting', mask: 'random', ratio: 0.5 };
const few = { patience: 0, select: { by: 'held-out', fraction: 0.1 } };

for (const solver of [
	{ kind: 'csgm', steps: 6, restarts: 1, ...few },
	{ kind: 'ilo', steps: [4, 3, 3], ...few },
	{
		kind: 'cri',
		samples: 600,
		offset: { steps: 3, rate: 0.1, ramp: { up: 0, down: 0 }, weight: 0.01 },
		tuning: { steps: 3, rate: 1e-3, until: 0, locality: { weight: 0.1, reach: 1 } },
		...few,
	},
]) {
	test(`${solver.kind}: switching capture off changes nothing beyond rounding`, async (t) => {
		const measurements = measured(problem);
		const captured = await solve(solver, measurements, {}, critic);
		const without = { engine: eager, programs: new ProgramCache(1) };
		const plain = await solve(solver, measurements, without, critic);
		t.is(plain.result.images.data.length, prior.generator.resolution ** 2 * 3 * 3);
		t.true(worst(captured.result.images.data, plain.result.images.data) < 1e-4);
	});
}
