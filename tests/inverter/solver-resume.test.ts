// A solve that is killed half-way is finished by another process: the result is that of an unbroken one, bit for bit.
import test from 'ava';
import { MemoryStore } from './solve-store.ts';
import { measured, solve } from './solving.ts';

const sensing = measured({ kind: 'compressed-sensing', ratio: 0.3 });
const noisy = measured({ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.2 } });

for (const [solver, problem, stops] of [
	// The first in the first layer, the second in a later one.
	[{ kind: 'ilo', steps: [12, 8, 6] }, sensing, [7, 16]],
	[{ kind: 'ilo', preset: 'published-code', steps: [6, 6] }, sensing, [8]],
	[{ kind: 'ilo', steps: [6, 6], stochastic: true }, noisy, [8]],
	[{ kind: 'csgm', steps: 15, restarts: 2 }, sensing, [6]],
	[{ kind: 'l-brgm', steps: 10, draws: 4 }, sensing, [5]],
	[{ kind: 'mgan', steps: 10, codes: 4 }, sensing, [5]],
] as const) {
	test(`killed and resumed: ${JSON.stringify(solver)}`, async (t) => {
		const { seconds: _, ...whole } = (await solve(solver, problem)).result;
		let store = new MemoryStore(Number.POSITIVE_INFINITY);
		let done = 0;
		for (const stop of stops) {
			store = new MemoryStore(stop - done, store.snapshot);
			await t.throwsAsync(() => solve(solver, problem, { resume: store }), { message: 'killed' });
			done = stop;
		}
		store = new MemoryStore(Number.POSITIVE_INFINITY, store.snapshot);
		const { seconds: __, ...resumed } = (await solve(solver, problem, { resume: store })).result;
		t.deepEqual(resumed, whole);
		const steps = whole.history.reduce((sum, { objective }) => sum + objective.length, 0);
		t.true(store.saves < steps - done, `${store.saves} snapshots after ${done} of ${steps} evaluations`);
	});
}
