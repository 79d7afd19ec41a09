// A solve that is killed half-way is finished by another process: the result is that of an unbroken one, bit for bit.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import {
	type AnyPrior,
	InversionSession,
	type Measurements,
	ProgramCache,
	type Progress,
	type SessionContext,
} from '../../inverter/index.ts';
import { temporaryFolder } from './node-fixture.ts';
import { MemoryStore } from './solve-store.ts';
import { engine, glow, measured, prior, priorFor, solve, truth } from './solving.ts';
import { withDiscriminator } from './tiny-prior.ts';

const sensing = measured({ kind: 'compressed-sensing', ratio: 0.3 });
const noisy = measured({ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.2 } });

/** Every step is a snapshot: those of a solve that is killed after so many of them, and goes on until the next kill. */
async function interrupted(
	solver: object,
	problem: Measurements,
	stops: readonly number[],
	programs: ProgramCache,
	on: AnyPrior,
): Promise<{ result: object; snapshots: number }> {
	let store = new MemoryStore(0);
	let snapshots = 0;
	for (const stop of stops) {
		store = new MemoryStore(stop - snapshots, store.snapshot);
		const killed = await solve(solver, problem, { resume: store, programs }, on).catch(
			({ message }: Error) => message,
		);
		if (killed !== 'killed') throw new Error(`not killed at ${stop}: ${killed}`);
		snapshots = stop;
		// As in another process, nothing of the solve is left in the programs.
		await solve(solver, problem, { seed: 99, programs }, on);
	}
	store = new MemoryStore(Number.POSITIVE_INFINITY, store.snapshot);
	const { seconds: _, ...result } = (await solve(solver, problem, { resume: store, programs }, on)).result;
	return { result, snapshots: snapshots + store.saves };
}

const noisier = measured({ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.3 } });
const critic = withDiscriminator(prior);
const first = { steps: 4, rate: 0.1, ramp: { up: 0, down: 0 } };
const locality = { weight: 0.1, reach: 0.7 };
const perceptual = { weight: 0.1, network: 'discriminator' };
const tuning = { steps: 3, rate: 1e-3, until: 0 };
const stage = { steps: 3, share: 1, rate: 1e-3, latentRate: 0.02, features: 1, data: 5 };

for (const [solver, problem, stops, on = priorFor(solver)] of [
	// The first in the first layer, the second in a later one.
	[{ kind: 'ilo', steps: [12, 8, 6] }, sensing, [7, 16]],
	[{ kind: 'ilo', preset: 'published-code', steps: [6, 6] }, sensing, [8]],
	[{ kind: 'ilo', steps: [6, 6], stochastic: true }, noisy, [8]],
	[{ kind: 'robust', steps: [6, 4, 5] }, sensing, [9]],
	[{ kind: 'csgm', steps: 15, restarts: 2 }, sensing, [6]],
	// In the draws, and after them.
	[{ kind: 'l-brgm', steps: 10, draws: 4 }, sensing, [2, 9]],
	[{ kind: 'mgan', steps: 10, codes: 4 }, sensing, [5]],
	// In the synthesis, at its end, in the analysis.
	[{ kind: 'glow-analysis', steps: 9, start: { synthesis: 7 } }, noisy, [3, 8, 13]],
	[{ kind: 'tv', steps: 12 }, sensing, [3, 10]],
	[{ kind: 'bm3d', stages: 1 }, noisy, [1, 2]],
	// In the search for the pivot; after it; while the weights are tuned to the first image; after that; to the last.
	[{ kind: 'pti', pivot: { ...first, noise: 0.05 }, tuning, patience: 0 }, sensing, [2, 5, 7, 9, 15]],
	[
		{ kind: 'pti', pivot: { ...first, noise: 0 }, tuning, perceptual, patience: 2, select: { by: 'loss' } },
		noisy,
		[6, 8],
		critic,
	],
	// In the draws of centroids, too.
	[
		{
			kind: 'cri',
			samples: 100,
			clusters: 4,
			offset: { ...first, weight: 0.01 },
			tuning: { ...tuning, locality },
			patience: 0,
		},
		sensing,
		[2, 6, 10, 18],
	],
	// In the draws, in both stages of the first image and of the last.
	[
		{ kind: 'dgp', draws: 3, stages: [{ ...stage, share: 0.5 }, stage], patience: 0 },
		noisy,
		[2, 3, 5, 8, 22],
		critic,
	],
] as [object, Measurements, number[], AnyPrior?][]) {
	test(`killed and resumed: ${JSON.stringify(solver)}`, async (t) => {
		const programs = new ProgramCache();
		t.teardown(() => programs.dispose());
		const whole = await interrupted(solver, problem, [], programs, on);
		const resumed = await interrupted(solver, problem, stops, programs, on);
		t.deepEqual(resumed.result, whole.result);
		t.is(resumed.snapshots, whole.snapshots, 'no step is done twice, none is left out');
		t.true(whole.snapshots > stops.at(-1)!);
		// Nor do snapshots change what is found.
		const { seconds: _, ...alone } = (await solve(solver, problem, { programs }, on)).result;
		t.deepEqual(alone, whole.result);
	});
}

test('a perceptual term that has another network by now is solved from its beginning', async (t) => {
	const solver = { kind: 'ilo', steps: [5, 4], perceptual: { weight: 0.1 } };
	const { seconds: _, ...whole } = (await solve(solver, noisy, {}, critic)).result;
	t.is(whole.perceptual, 'features of the discriminator');
	let store = new MemoryStore(4);
	// Nothing is known yet: the data term alone.
	await t.throwsAsync(() => solve(solver, noisy, { resume: store }), { message: 'killed' });
	store = new MemoryStore(Number.POSITIVE_INFINITY, store.snapshot);
	const { seconds: __, ...resumed } = (await solve(solver, noisy, { resume: store }, critic)).result;
	t.deepEqual(resumed, whole);
});

for (const [cost, every] of [
	[0, 0.5],
	[0.2, 2],
] as const) {
	test(`snapshots that take ${cost} s are ${every} s or more apart, and not much more`, async (t) => {
		let seconds = 0;
		const times: number[] = [];
		const resume = {
			every: 0.5,
			load: () => Promise.resolve(null),
			save: () => {
				times.push(seconds);
				seconds += cost;
				return Promise.resolve();
			},
		};
		const now = () => 1000 * (seconds += 0.01);
		const solver = { kind: 'csgm', steps: 900, restarts: 1, patience: 0 };
		await solve(solver, sensing, { resume, now });
		const apart = times.slice(1).map((time, i) => time - times[i]! - cost);
		t.true(apart.length > 1);
		t.true(
			apart.every((gap) => gap >= every && gap < 1.2 * every),
			apart.join(),
		);
	});
}

const kept = [
	[prior, { kind: 'ilo', steps: [8, 6], select: { by: 'discrepancy' } }, noisy],
	[glow, { kind: 'glow-analysis', steps: 12, start: 'degraded' }, noisy],
	[critic, { kind: 'pti', pivot: { ...first, noise: 0.05 }, tuning, perceptual, patience: 0 }, noisy],
] as const;
for (const [on, solver, problem] of kept) {
	test(`a session keeps snapshots in a folder until the solve has ended: ${solver.kind}`, async (t) => {
		const dir = await temporaryFolder(t);
		const resume = { dir, every: 0 };
		let session = new InversionSession(engine);
		t.teardown(() => session.dispose());
		const run = (more: Partial<SessionContext>, by: object = solver, of = problem) =>
			session.solve(on, of, by, { seed: 3, progressEvery: 1, ...more });
		const { seconds: _, ...whole } = await run({});
		const killed = new AbortController();
		let seen = 0;
		const onProgress = (): void => {
			if (++seen === 9) killed.abort(new Error('killed'));
		};
		await t.throwsAsync(run({ resume, onProgress, signal: killed.signal }), { message: 'killed' });
		session.dispose();
		session = new InversionSession(engine);
		const [name, ...others] = await readdir(dir);
		t.deepEqual(others, []);
		await writeFile(path.join(dir, `${name}.1234.part`), 'killed while it was written');

		// Another seed, problem, truth or option is another solve: it begins at its own beginning.
		const firstStep = async (more: Partial<SessionContext>, by: object = solver, of = problem) => {
			const begin = new AbortController();
			let first = 0;
			const onProgress = ({ step }: Progress): void => {
				first = step;
				begin.abort(new Error('seen'));
			};
			const context = { resume: { dir, every: 60 }, signal: begin.signal, onProgress, ...more };
			await t.throwsAsync(run(context, by, of), { message: 'seen' });
			return first;
		};
		t.is(await firstStep({ seed: 4 }), 1);
		t.is(await firstStep({}, solver, noisier), 1);
		t.is(await firstStep({ truth }), 1);
		t.is(await firstStep({}, { ...solver, patience: 7 }), 1);
		t.is(await firstStep({}, { kind: on === glow ? 'glow-synthesis' : 'csgm' }), 1);
		t.true((await firstStep({})) > 7);
		// One that is damaged is none.
		const file = path.join(dir, name!);
		const bytes = await readFile(file);
		await writeFile(file, bytes.subarray(0, bytes.length - 5));
		t.is(await firstStep({}), 1);
		await writeFile(file, bytes);

		const { seconds: __, ...result } = await run({ resume });
		t.deepEqual(result, whole);
		t.deepEqual(await readdir(dir), []);
	});
}
