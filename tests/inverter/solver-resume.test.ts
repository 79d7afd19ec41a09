// A solve that is killed half-way is finished by another process: the result is that of an unbroken one, bit for bit.
import { readdir } from 'node:fs/promises';
import test from 'ava';
import { InversionSession } from '../../inverter/index.ts';
import { temporaryFolder } from './node-fixture.ts';
import { MemoryStore } from './solve-store.ts';
import { engine, glow, measured, prior, solve } from './solving.ts';
import { withDiscriminator } from './tiny-prior.ts';

const sensing = measured({ kind: 'compressed-sensing', ratio: 0.3 });
const noisy = measured({ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.2 } });

const first = { steps: 10, rate: 0.1, ramp: { up: 0, down: 0 } };
const tuning = { steps: 3, rate: 1e-3, until: 0 };

for (const [solver, problem, stops] of [
	// The first in the first layer, the second in a later one.
	[{ kind: 'ilo', steps: [12, 8, 6] }, sensing, [7, 16]],
	[{ kind: 'ilo', preset: 'published-code', steps: [6, 6] }, sensing, [8]],
	[{ kind: 'ilo', steps: [6, 6], stochastic: true }, noisy, [8]],
	[{ kind: 'robust', steps: [6, 4, 5] }, sensing, [9]],
	[{ kind: 'csgm', steps: 15, restarts: 2 }, sensing, [6]],
	[{ kind: 'l-brgm', steps: 10, draws: 4 }, sensing, [5]],
	[{ kind: 'mgan', steps: 10, codes: 4 }, sensing, [5]],
	// Resumed in the search for the pivot or the offset; the weights are tuned anew.
	[{ kind: 'pti', pivot: { ...first, noise: 0.05 }, tuning }, sensing, [5]],
	[{ kind: 'cri', samples: 600, offset: { ...first, weight: 0.01 }, tuning }, sensing, [5]],
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

test('a perceptual term that has another network by now is solved from its beginning', async (t) => {
	const solver = { kind: 'ilo', steps: [5, 4], perceptual: { weight: 0.1 } };
	const critic = withDiscriminator(prior);
	const { seconds: _, ...whole } = (await solve(solver, noisy, {}, critic)).result;
	t.is(whole.perceptual, 'features of the discriminator');
	let store = new MemoryStore(4);
	// Nothing is known yet: the data term alone.
	await t.throwsAsync(() => solve(solver, noisy, { resume: store }), { message: 'killed' });
	store = new MemoryStore(Number.POSITIVE_INFINITY, store.snapshot);
	const { seconds: __, ...resumed } = (await solve(solver, noisy, { resume: store }, critic)).result;
	t.deepEqual(resumed, whole);
});

for (const [on, solver] of [
	[prior, { kind: 'ilo', steps: [8, 6], select: { by: 'discrepancy' } }],
	[glow, { kind: 'glow-analysis', steps: 12 }],
] as const) {
	test(`a session keeps snapshots in a folder until the solve has ended: ${solver.kind}`, async (t) => {
		const dir = await temporaryFolder(t);
		const { seconds: _, ...whole } = await new InversionSession(engine).solve(on, noisy, solver, { seed: 3 });
		const killed = new AbortController();
		const resume = { dir, every: 0 };
		let seen = 0;
		const onProgress = (): void => {
			if (++seen === 9) killed.abort(new Error('killed'));
		};
		const context = { seed: 3, resume, progressEvery: 1, onProgress, signal: killed.signal };
		await t.throwsAsync(() => new InversionSession(engine).solve(on, noisy, solver, context), {
			message: 'killed',
		});
		t.is((await readdir(dir)).length, 1);

		// Another seed is another solve: it begins at its own beginning.
		const steps = async (seed: number) => {
			let first = 0;
			const { seconds: __, ...result } = await new InversionSession(engine).solve(on, noisy, solver, {
				seed,
				resume,
				progressEvery: 1,
				onProgress: ({ step }) => {
					first ||= step;
				},
			});
			return { first, result };
		};
		t.is((await steps(4)).first, 1);
		const { first, result } = await steps(3);
		t.true(first > 7);
		t.deepEqual(result, whole);
		t.deepEqual(await readdir(dir), []);
	});
}
