// The coordinator: one leader, elected by a lease, that keeps every run moving. It has no memory of its own. Each
// change of a job, a submission or a cancellation makes it read the run anew, fold it (run-state.ts), queue what is
// ready and write the state. Killed anywhere in between, its successor reads the same facts and goes on.
import type { Bus, KvStore } from '../bus/index.ts';
import { RtilError } from '../errors/index.ts';
import type { Job, JobRecord } from '../proto/index.ts';
import { type PlannedJob, planOf, type RunSpec } from './plan.ts';
import { differs, foldRun, hasEnded, type RunState } from './run-state.ts';

export interface CoordinatorOptions {
	bus: Bus;
	/** Aborted: gives the lease back and returns. */
	signal: AbortSignal;
	onLog?: (level: 'info' | 'warn', text: string) => void;
}

/** Name of the lease that makes a coordinator the leader. */
export const coordinatorLease = 'coordinator';

/** Coordinates until the signal aborts; waits while another coordinator leads. */
export async function runCoordinator({
	bus,
	signal,
	onLog = () => undefined,
}: CoordinatorOptions): Promise<void> {
	while (!signal.aborted) {
		try {
			await using held = await holdLease(bus, signal);
			onLog('info', 'leads');
			await lead(bus, AbortSignal.any([signal, held.signal]), onLog);
		} catch (error) {
			if (signal.aborted) return;
			onLog('warn', `stands back: ${(error as Error).message}`);
			await bus.clock.sleep(retryDelay, signal).catch(() => undefined);
		}
	}
}

const retryDelay = 500;
/** Every run that has not ended is looked at this often even if nothing was heard of it. */
const sweepEvery = 10_000;

async function holdLease(bus: Bus, signal: AbortSignal): Promise<AsyncDisposable & { signal: AbortSignal }> {
	const lease = await bus.lease(coordinatorLease, { signal });
	return { signal: lease.signal, [Symbol.asyncDispose]: () => lease.release().catch(() => undefined) };
}

type Log = (level: 'info' | 'warn', text: string) => void;

/** Leads until the signal aborts (then returns) or something breaks (then throws). */
async function lead(bus: Bus, signal: AbortSignal, onLog: Log): Promise<void> {
	const failed = new AbortController();
	const stop = AbortSignal.any([signal, failed.signal]);
	const changed = new ChangedRuns();
	const ensured = new Set<string>();
	const watch = async (source: AsyncIterable<string>): Promise<void> => {
		for await (const run of source) changed.add(run);
	};
	const watchers = [
		watch(runsOf(bus.kv<RunSpec>('runs').watch('*.spec', { signal: stop }))),
		watch(runsOf(bus.kv<unknown>('runs').watch('*.cancel', { signal: stop }))),
		watch(runsOfJobs(bus.followJobs(undefined, { signal: stop }))),
		watch(sweep(bus, stop)),
	].map((watcher) => watcher.catch((error: unknown) => failed.abort(error)));
	try {
		for await (const run of changed.until(stop)) await reconcile(bus, run, ensured, stop, onLog);
		failed.signal.throwIfAborted();
	} finally {
		failed.abort();
		await Promise.all(watchers);
	}
}

/**
 * Brings one run to where its facts say it should be. `ensured` names the jobs that this leader knows to be in the
 * queue: the leader before may have died between making a job's record and queueing it.
 */
async function reconcile(
	bus: Bus,
	run: string,
	ensured: Set<string>,
	signal: AbortSignal,
	onLog: Log,
): Promise<void> {
	const runs = bus.kv<unknown>('runs');
	const spec = (await runs.get(`${run}.spec`))?.value as RunSpec | undefined;
	if (!spec) return;
	const written = await (runs as KvStore<RunState>).get(`${run}.state`);
	const previous = written?.value ?? null;
	if (previous && previous.generation < spec.generation) await takeUpAgain(bus, run);

	const plan = planOf(spec);
	const records = new Map((await bus.jobs(run)).map((record) => [record.job.id, record]));
	const { state, ready, again, stop } = foldRun({
		run,
		generation: spec.generation,
		submittedAt: spec.submittedAt,
		plan,
		records,
		// Read after the records: a job that was cancelled means that the flag is up, unless it was taken down again.
		cancelled: await bus.isCancelled(run),
		previous,
		now: new Date(bus.clock.now()).toISOString(),
	});
	for (const job of ready) {
		signal.throwIfAborted();
		const payload = await payloadFor(bus, run, job);
		if (payload instanceof Error) {
			const reason = `${job.title} cannot start: ${payload.message}`;
			Object.assign(state, { status: 'failed', reason, endedAt: state.updatedAt });
			break;
		}
		await queue(bus, { run, id: job.id, kind: job.kind, class: job.class, payload });
		ensured.add(`${run}.${job.id}`);
		onLog('info', `${run}: queued ${job.title}`);
	}
	for (const { job, state: at, epoch } of records.values()) {
		if (at !== 'queued' || epoch > 0 || ensured.has(`${run}.${job.id}`)) continue;
		await queue(bus, job);
		ensured.add(`${run}.${job.id}`);
	}
	for (const job of again) await bus.resubmit(run, job.id);
	if (stop !== undefined) await bus.cancelRun(run, stop);
	if (!differs(previous, state)) return;
	signal.throwIfAborted();
	// The event goes first: a follower that waits for it must not wait for ever if we die between the two.
	if (previous?.status !== state.status || previous.generation !== state.generation) {
		const { status, reason, generation } = state;
		await bus.publishEvent(run, { type: 'run', status, reason, generation });
		onLog('info', `${run}: ${status}${reason ? ` (${reason})` : ''}`);
	}
	if (written) await runs.update(`${run}.state`, state, written.revision);
	else await runs.create(`${run}.state`, state);
}

/** A run that ended is wanted again: what failed or was stopped is queued anew; what is done stays done. */
async function takeUpAgain(bus: Bus, run: string): Promise<void> {
	await bus.uncancelRun(run);
	for (const { job, state } of await bus.jobs(run)) {
		if (state === 'dead' || state === 'cancelled') await bus.resubmit(run, job.id);
	}
}

/** Queues a job, unless its run was cancelled a moment ago: the next look at the run sees that. */
async function queue(bus: Bus, job: Job): Promise<void> {
	try {
		await bus.submit(job);
	} catch (error) {
		if (!(error instanceof RtilError && error.code === 'CANCELLED')) throw error;
	}
}

/** The job's payload from the results of what it needs, or why there can be none: that ends the run, not the coordinator. */
async function payloadFor(bus: Bus, run: string, job: PlannedJob): Promise<Record<string, unknown> | Error> {
	const results = new Map<string, unknown>();
	for (const id of job.needs) results.set(id, (await bus.result(run, id))?.value);
	try {
		return job.payload(results);
	} catch (error) {
		return error as Error;
	}
}

async function* runsOf(changes: AsyncIterable<{ key: string }>): AsyncIterable<string> {
	for await (const { key } of changes) yield key.split('.', 1)[0]!;
}

async function* runsOfJobs(records: AsyncIterable<JobRecord>): AsyncIterable<string> {
	for await (const { job } of records) yield job.run;
}

async function* sweep(bus: Bus, signal: AbortSignal): AsyncIterable<string> {
	while (!signal.aborted) {
		await bus.clock.sleep(sweepEvery, signal).catch(() => undefined);
		if (signal.aborted) return;
		for (const { value } of await bus.kv<RunState>('runs').entries('*.state')) {
			if (!hasEnded(value.status)) yield value.run;
		}
	}
}

/** Runs to look at, each once however often it changed meanwhile. */
class ChangedRuns {
	readonly #waiting = new Set<string>();
	#wake = (): void => undefined;

	add(run: string): void {
		this.#waiting.add(run);
		this.#wake();
	}

	async *until(signal: AbortSignal): AsyncIterable<string> {
		const wake = (): void => this.#wake();
		signal.addEventListener('abort', wake);
		try {
			while (!signal.aborted) {
				const [run] = this.#waiting;
				if (run === undefined) {
					await new Promise<void>((resolve) => {
						this.#wake = resolve;
						if (signal.aborted) resolve();
					});
					continue;
				}
				this.#waiting.delete(run);
				yield run;
			}
		} finally {
			signal.removeEventListener('abort', wake);
		}
	}
}
