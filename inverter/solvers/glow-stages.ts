// Two solves one after the other, as one: a synthesis finds the image that an analysis starts at.
import type { HostTensor } from '../../engine/index.ts';
import type { GlowPrior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { type GlowSchedule, solveGlow } from './glow-solve.ts';
import type { SolveSnapshot, SolveStore } from './resume.ts';
import type { Progress, Reconstruction, SolveContext } from './solver.ts';

/** What the result says of the first solve, when the second is at work. */
type Led = Pick<Reconstruction, 'history' | 'steps' | 'seconds' | 'oraclePsnr'>;

const ledIn = (snapshot: SolveSnapshot | null | undefined): Led | undefined =>
	snapshot?.values.led as Led | undefined;

/** Snapshots of the second solve, which know what the first was. */
const storeOf = (store: SolveStore, led: Led): SolveStore => ({
	every: store.every,
	load: async () => {
		const snapshot = await store.load();
		return ledIn(snapshot) ? snapshot : null;
	},
	save: ({ tensors, values }) => store.save({ tensors, values: { ...values, led } }),
});

/**
 * Runs `lead`, then `schedule` from its images (whatever start that names).
 *
 * @throws as `solveGlow`
 */
export async function* solveGlowFrom(
	lead: GlowSchedule,
	prior: GlowPrior,
	measurements: Measurements,
	schedule: GlowSchedule,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	const steps = lead.steps + schedule.steps;
	const within = (progress: Progress, layer: 0 | 1, before: number, seconds: number): Progress => {
		const step = before + progress.step;
		const taken = seconds + progress.seconds;
		return {
			...progress,
			layer,
			layers: 2,
			step,
			steps,
			seconds: taken,
			secondsLeft: (taken / step) * (steps - step),
		};
	};

	let led = ledIn(await context.resume?.load());
	let start: HostTensor | undefined;
	if (!led) {
		const run = solveGlow(prior, measurements, lead, context);
		let next = await run.next();
		for (; !next.done; next = await run.next()) yield within(next.value, 0, 0, 0);
		const { history, steps, seconds, oraclePsnr, images } = next.value;
		led = { history, steps, seconds, oraclePsnr };
		start = images;
	}

	const { resume, ...rest } = context;
	const run = solveGlow(
		prior,
		measurements,
		// A solve that goes on has its start behind it.
		{ ...schedule, start: start ?? 'mean' },
		{ ...rest, ...(resume ? { resume: storeOf(resume, led) } : {}) },
	);
	let next = await run.next();
	for (; !next.done; next = await run.next()) yield within(next.value, 1, lead.steps, led.seconds);
	const result = next.value;
	return {
		...result,
		history: [...led.history, ...result.history],
		steps: result.steps.map((value, n) => led.steps[n]! + value),
		seconds: led.seconds + result.seconds,
		oraclePsnr: result.oraclePsnr?.map((value, n) => Math.max(value, led.oraclePsnr![n]!)) ?? null,
	};
}
