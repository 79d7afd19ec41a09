// What a client does with runs: submit, look, follow, cancel. Everything is in the cluster, so any machine may ask.
import type { Bus, FollowedEvent } from '../bus/index.ts';
import { RtilError } from '../errors/index.ts';
import type { RunSpec } from './plan.ts';
import { hasEnded, type RunState, type RunStatus } from './run-state.ts';

/** What a submission came to: a new run, one taken up again, one that is under way, or one that is complete. */
export type Submission = 'new' | 'resumed' | 'attached' | 'complete';

/**
 * Submits a run, or joins the one of that name if it is the same experiment on the same images; throws
 * ALREADY_EXISTS if it is another.
 */
export async function submitRun(
	bus: Bus,
	wanted: Omit<RunSpec, 'submittedAt' | 'generation'>,
): Promise<{ spec: RunSpec; submission: Submission }> {
	const specs = bus.kv<RunSpec>('runs');
	const key = `${wanted.run}.spec`;
	const fresh: RunSpec = { ...wanted, submittedAt: new Date(bus.clock.now()).toISOString(), generation: 1 };
	try {
		await specs.create(key, fresh);
		return { spec: fresh, submission: 'new' };
	} catch (error) {
		if (!(error instanceof RtilError) || error.code !== 'ALREADY_EXISTS') throw error;
	}
	const existing = await specs.get(key);
	if (!existing)
		throw new RtilError('CONFLICT', `Run ${wanted.run} was removed while it was submitted`, 'Try again.');
	const spec = existing.value;
	const different = difference(spec, wanted);
	if (different) {
		throw new RtilError(
			'ALREADY_EXISTS',
			`Run ${wanted.run} exists already with ${different}`,
			'Give another name with --name, or --fresh to start over under a new one.',
		);
	}
	const state = await runState(bus, wanted.run);
	if (state?.status === 'complete') return { spec, submission: 'complete' };
	const wasStopped = state !== null && state.generation === spec.generation && hasEnded(state.status);
	if (!wasStopped && !(await bus.isCancelled(wanted.run))) return { spec, submission: 'attached' };
	const next = { ...spec, generation: spec.generation + 1 };
	await specs.update(key, next, existing.revision);
	return { spec: next, submission: 'resumed' };
}

function difference(a: RunSpec, b: Omit<RunSpec, 'submittedAt' | 'generation'>): string | undefined {
	if (a.hash !== b.hash) return 'another experiment';
	if (a.data.fingerprint !== b.data.fingerprint) return 'other training images';
	if (a.test?.fingerprint !== b.test?.fingerprint) return 'other test images';
	return undefined;
}

/** The state the coordinator wrote last; null while it has not seen the run. */
export async function runState(bus: Bus, run: string): Promise<RunState | null> {
	return (await bus.kv<RunState>('runs').get(`${run}.state`))?.value ?? null;
}

/** What was submitted under a name; throws NOT_FOUND. */
export async function runSpec(bus: Bus, run: string): Promise<RunSpec> {
	const entry = await bus.kv<RunSpec>('runs').get(`${run}.spec`);
	if (!entry) {
		throw new RtilError(
			'NOT_FOUND',
			`Expected the name of a run of this cluster but received "${run}"`,
			'List them with: rtil runs',
		);
	}
	return entry.value;
}

/** All runs of the cluster, the newest last; one that no coordinator has seen yet is `waiting`. */
export async function listRuns(bus: Bus): Promise<RunState[]> {
	const specs = await bus.kv<RunSpec>('runs').entries('*.spec');
	const states = new Map(
		(await bus.kv<RunState>('runs').entries('*.state')).map(({ value }) => [value.run, value]),
	);
	const runs = specs.map(({ value: spec }): RunState => {
		const { run, generation, submittedAt } = spec;
		const known = states.get(run);
		if (known) return known;
		return {
			run,
			status: 'waiting',
			reason: '',
			generation,
			jobs: [],
			submittedAt,
			updatedAt: submittedAt,
			endedAt: '',
		};
	});
	return runs.sort((a, b) => a.submittedAt.localeCompare(b.submittedAt));
}

/** Asks a run to stop; its jobs save what is worth saving. Throws NOT_FOUND, and CONFLICT if it has ended. */
export async function cancelRun(bus: Bus, run: string): Promise<void> {
	await runSpec(bus, run);
	const state = await runState(bus, run);
	if (state && hasEnded(state.status)) {
		throw new RtilError('CONFLICT', `Run ${run} is ${state.status} already`, 'Nothing is left to cancel.');
	}
	await bus.cancelRun(run, 'cancelled by the user');
}

/** How a `run` event reads. */
export interface RunEventData {
	type: 'run';
	status: RunStatus;
	reason: string;
	generation: number;
}

/** The events of a run from a position on, up to and with the one that says that it ended. */
export async function* followRun(
	bus: Bus,
	{
		run,
		generation,
		from,
		signal,
	}: { run: string; generation: number; from: number | 'start'; signal: AbortSignal },
): AsyncIterable<FollowedEvent> {
	for await (const event of bus.followEvents(run, { from, signal })) {
		yield event;
		if (event.kind !== 'run') continue;
		const data = event.data as unknown as RunEventData;
		if (data.generation >= generation && hasEnded(data.status)) return;
	}
}
