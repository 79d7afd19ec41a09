// One attempt at a job: kept alive while it lasts, ended exactly once, and only by whoever still owns it.
//
// The attempt begins and ends by compare-and-set on the job's record. Beginning raises the epoch; so every later write
// of an earlier attempt, however late, names a revision that is gone and is refused.
import type { JsMsg } from '@nats-io/jetstream';
import { type ErrorCode, RtilError, toRecord } from '../errors/index.ts';
import { encode, type Failure, type Job, type JobRecord, type JobResult } from '../proto/index.ts';
import { backoff } from './clock.ts';
import type { Bus, JobDelivery, KvStore } from './contract.ts';
import { limits, refuseOver } from './limits.ts';
import { type Link, persist } from './link.ts';
import { subjects } from './topology.ts';

export interface CancelFlag {
	reason: string;
	at: number;
}

export interface JobStores {
	records: KvStore<JobRecord>;
	/** By `<run>.<id>.<epoch>`: written aside, made valid by the record that says `done` with that epoch. */
	results: KvStore<JobResult>;
	/** By `<run>.cancel`. */
	cancels: KvStore<CancelFlag>;
	publishEvent: Bus['publishEvent'];
}

export const keyOf = ({ run, id }: Pick<Job, 'run' | 'id'>) => `${run}.${id}`;

// Errors that the same attempt would meet again. What is not found (weights of a network, a blob) is for a person to add.
const hopeless = new Set<ErrorCode | 'DEFECT'>([
	'INVALID_INPUT',
	'NOT_FOUND',
	'MISMATCH',
	'CORRUPT',
	'DIVERGED',
]);

// The end of an attempt is worth waiting for, however long the server is away.
const forever = Number.POSITIVE_INFINITY;

/** Begins an attempt at the job of a message, or returns null if there is nothing to do for it. */
export async function beginAttempt(
	link: Link,
	stores: JobStores,
	job: Job,
	message: JsMsg,
	ackWait: number,
): Promise<(JobDelivery & { ended: Promise<void> }) | null> {
	for (;;) {
		const found = await stores.records.get(keyOf(job));
		const record = found?.value;
		// done with; or a second message for an attempt that another one began
		if (!record || record.state === 'done' || record.state === 'cancelled' || isDuplicate(record, message)) {
			message.ack();
			return null;
		}
		const wasLost = record.state === 'running';
		const losses = record.losses + (wasLost ? 1 : 0);
		const failure = wasLost ? lossOf(record) : record.failure;
		try {
			if (record.state === 'dead') {
				await bury(link, record);
				message.ack();
				return null;
			}
			if (await stores.cancels.get(`${job.run}.cancel`)) {
				await endRecord(link, stores, { ...record, state: 'cancelled' }, found.revision);
				message.ack();
				return null;
			}
			if (losses > limits.losses) {
				const dead: JobRecord = { ...record, state: 'dead', losses, failure };
				await endRecord(link, stores, dead, found.revision);
				message.ack();
				return null;
			}
			const begun: JobRecord = {
				...record,
				state: 'running',
				epoch: record.epoch + 1,
				node: link.name,
				losses,
				failure,
				updatedAt: link.clock.now(),
				sequence: message.seq,
			};
			const revision = await stores.records.update(keyOf(job), begun, found.revision);
			await announce(link, stores, begun);
			return makeDelivery(link, stores, begun, revision, message, ackWait);
		} catch (error) {
			if (!isConflict(error)) throw error; // else look again at what the record says now
		}
	}
}

function isDuplicate(record: JobRecord, message: JsMsg): boolean {
	return record.state === 'running' && record.sequence !== message.seq;
}

function lossOf(record: JobRecord): Failure {
	return {
		code: 'UNAVAILABLE',
		message: `The node ${record.node} was lost while it worked on ${record.job.kind} ${record.job.id}`,
		remedy: "Look at that node's log.",
	};
}

function makeDelivery(
	link: Link,
	stores: JobStores,
	record: JobRecord,
	revision: number,
	message: JsMsg,
	ackWait: number,
): JobDelivery & { ended: Promise<void> } {
	const { job, epoch } = record;
	const stopped = new AbortController(); // why the work should stop
	const over = new AbortController(); // the attempt has ended: stop watching it
	let settle = () => {};
	const ended = new Promise<void>((resolve) => {
		settle = resolve;
	});

	keepAlive(link, message, ackWait, over.signal);
	watchAttempt(stores, record, stopped, over.signal).catch((error) => {
		if (!over.signal.aborted) link.onStatus(`cannot watch job ${job.id} for cancellation: ${String(error)}`);
	});

	function abandon(): void {
		over.abort();
		settle();
	}

	// Ends the attempt: the record first (refused if stale), then the message.
	async function end(next: JobRecord, acknowledge: () => void): Promise<void> {
		if (over.signal.aborted) throw new Error(`The attempt at job ${job.id} has ended already`);
		try {
			await endRecord(link, stores, next, revision, forever);
			acknowledge();
		} catch (error) {
			if (!isConflict(error)) throw error;
			throw new RtilError('CONFLICT', `Another attempt at job ${job.id} has taken over from epoch ${epoch}`);
		} finally {
			abandon();
		}
	}

	async function retryOrDie(failure: Failure, counts: { errors: number; losses: number }, last: boolean) {
		const state = last ? 'dead' : 'queued';
		const wait = backoff(counts.errors + counts.losses - 1, limits.retry);
		await end({ ...record, ...counts, state, failure }, () => (last ? message.ack() : message.nak(wait)));
		return state;
	}

	return {
		job,
		epoch,
		errors: record.errors,
		losses: record.losses,
		signal: stopped.signal,
		ended,
		abandon,
		async complete(value) {
			const result = { job: job.id, run: job.run, epoch, node: link.name, value, at: link.clock.now() };
			refuseOver(limits.result, Buffer.byteLength(JSON.stringify(value) ?? ''), `the result of ${job.id}`);
			await stores.results.put(`${keyOf(job)}.${epoch}`, result, forever);
			await end({ ...record, state: 'done', failure: null }, () => message.ack());
		},
		fail(error) {
			const failure = failureOf(error);
			const errors = record.errors + 1;
			const last = errors >= limits.errors || hopeless.has(failure.code);
			return retryOrDie(failure, { errors, losses: record.losses }, last);
		},
		lose(error) {
			const losses = record.losses + 1;
			return retryOrDie(failureOf(error), { errors: record.errors, losses }, losses > limits.losses);
		},
		release: (delay = 0) => end({ ...record, state: 'queued' }, () => message.nak(delay)),
		cancelled: () => end({ ...record, state: 'cancelled' }, () => message.ack()),
	};
}

// The server gives the job to somebody else when it has heard nothing for `ackWait`.
async function keepAlive(link: Link, message: JsMsg, ackWait: number, over: AbortSignal): Promise<void> {
	const until = AbortSignal.any([over, link.closing]);
	while (!until.aborted) {
		try {
			message.working();
		} catch (error) {
			link.onStatus(`cannot keep a job alive: ${String(error)}`); // the connection is closed
			return;
		}
		await link.clock.sleep(ackWait / 3, until).catch(() => {});
	}
}

// Stops the work when the run is cancelled or another attempt has begun.
async function watchAttempt(
	stores: JobStores,
	record: JobRecord,
	stopped: AbortController,
	over: AbortSignal,
): Promise<void> {
	const { job, epoch } = record;
	const record_ = async () => {
		for await (const { value } of stores.records.watch(keyOf(job), { signal: over })) {
			if (value && value.epoch <= epoch) continue;
			stopped.abort(new RtilError('CONFLICT', `Another attempt at job ${job.id} has taken over`));
			return;
		}
	};
	const cancel = async () => {
		for await (const { value } of stores.cancels.watch(`${job.run}.cancel`, { signal: over })) {
			if (!value) continue;
			stopped.abort(new RtilError('CANCELLED', `The run ${job.run} was cancelled: ${value.reason}`));
			return;
		}
	};
	await Promise.all([record_(), cancel()]);
}

/** Writes the end of an attempt, or of a job nobody works on, and tells of it. Throws CONFLICT if it is stale. */
export async function endRecord(
	link: Link,
	stores: JobStores,
	record: JobRecord,
	revision: number,
	patience?: number,
): Promise<void> {
	const ended = { ...record, updatedAt: link.clock.now() };
	await stores.records.update(keyOf(record.job), ended, revision, patience);
	if (ended.state === 'dead') await bury(link, ended);
	await announce(link, stores, ended);
}

// Stored once, though it may be sent again by whoever finds the record dead and its message still queued.
async function bury(link: Link, { job, failure, errors, losses, generation }: JobRecord): Promise<void> {
	const letter = {
		job,
		failure: failure ?? failureOf(new Error('unknown')),
		errors,
		losses,
		at: link.clock.now(),
	};
	const msgID = `dead/${keyOf(job)}/${generation}`;
	await persist(link, () => link.js.publish(subjects.dead(job.run), encode('DeadLetter', letter), { msgID }));
}

/** Tells the run's events what has become of a job. The record is the truth: the news may fail. */
export async function announce(link: Link, { publishEvent }: JobStores, record: JobRecord): Promise<void> {
	const { job, state, epoch, node, errors, losses, failure } = record;
	const data = { type: 'job', job: job.id, kind: job.kind, state, epoch, node, errors, losses, failure };
	await publishEvent(job.run, data, { job: job.id }).catch((error) =>
		link.onStatus(`did not publish that job ${job.id} is ${state}: ${String(error)}`),
	);
}

function failureOf(error: unknown): Failure {
	const { code, message, remedy } = toRecord(error);
	return { code, message, remedy };
}

function isConflict(error: unknown): boolean {
	return error instanceof RtilError && error.code === 'CONFLICT';
}
