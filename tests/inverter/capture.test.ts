// Captured and eager solving give the same reconstruction, to rounding.
import test from 'ava';
import { openEngine } from '../../engine/index.ts';
import { ProgramCache } from '../../inverter/index.ts';
import { measured, prior, solve, worst } from './solving.ts';

const eager = await openEngine({ capture: false });
const problem = { kind: 'inpainting', mask: 'random', ratio: 0.5 };
const few = { patience: 0, select: { by: 'held-out', fraction: 0.1 } };

for (const solver of [
	{ kind: 'csgm', steps: 6, restarts: 1, ...few },
	{ kind: 'ilo', steps: [4, 3, 3], ...few },
]) {
	test(`${solver.kind}: switching capture off changes nothing beyond rounding`, async (t) => {
		const measurements = measured(problem);
		const captured = await solve(solver, measurements);
		const plain = await solve(solver, measurements, { engine: eager, programs: new ProgramCache(1) });
		t.is(plain.result.images.data.length, prior.generator.resolution ** 2 * 3 * 3);
		t.true(worst(captured.result.images.data, plain.result.images.data) < 1e-4);
	});
}
