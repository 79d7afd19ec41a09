// Jobs: queued once, delivered to one node at a time, ended exactly once. A job's record in the key-values is the truth;
// the message in the work queue only says that there is something to do.

import { JetStreamApiError, type JsMsg } from '@nats-io/jetstream';
import { RtilError } from '../errors/index.ts';
import { decode, encode, type Job, type JobRecord } from '../proto/index.ts';
import type { Bus, FollowOptions, JobDelivery } from './contract.ts';
import { announce, beginAttempt, endRecord, type JobStores, keyOf } from './delivery.ts';
import { limits, refuseOver } from './limits.ts';
import {
	isClosed,
	type Link,
	persist,
	requirePath,
	requireToken,
	startConsumer,
	unavailable,
} from './link.ts';
import { ensureConsumer, ensureStreams, subjects } from './topology.ts';

type JobsOfBus = Pick<
	Bus,
	| 'submit'
	| 'resubmit'
	| 'job'
	| 'jobs'
	| 'followJobs'
	| 'result'
	| 'pullJobs'
	| 'deadLetters'
	| 'cancelRun'
	| 'uncancelRun'
	| 'isCancelled'
>;

export function makeJobs(link: Link, stores: JobStores): JobsOfBus {
	const { records, results, cancels } = stores;
	const isCancelled = async (run: string) => (await cancels.get(`${run}.cancel`)) !== null;

	async function submit(job: Job): Promise<void> {
		requireToken('run', job.run);
		requirePath('job', job.id);
		requireToken('kind', job.kind);
		requireToken('class', job.class);
		const bytes = encode('Job', job);
		refuseOver(limits.payload, bytes.length, `the payload of job ${job.id}`);
		await refuseCancelled(job.run);
		const now = link.clock.now();
		const record: JobRecord = {
			job,
			state: 'queued',
			generation: 0,
			epoch: 0,
			node: '',
			errors: 0,
			losses: 0,
			failure: null,
			submittedAt: now,
			updatedAt: now,
			sequence: 0,
		};
		try {
			const revision = await records.create(keyOf(job), record);
			await enqueue(record, revision);
		} catch (error) {
			if (!(error instanceof RtilError && error.code === 'ALREADY_EXISTS')) throw error;
			const there = await records.get(keyOf(job));
			if (!there || !Buffer.from(encode('Job', there.value.job)).equals(bytes)) {
				throw new RtilError(
					'ALREADY_EXISTS',
					`There is another job "${job.id}" in the run ${job.run}`,
					'Give the job another id, or the run another name.',
				);
			}
			// whoever made the record may have died before it was queued
			if (there.value.state === 'queued' && there.value.epoch === 0) await enqueue(there.value, null);
		}
	}

	async function enqueue(record: JobRecord, revision: number | null): Promise<void> {
		const { job, generation } = record;
		const msgID = `${keyOf(job)}/${generation}`;
		try {
			const { duplicate } = await persist(link, () =>
				link.js.publish(subjects.job(job.class, job.kind), encode('Job', job), { msgID }),
			);
			if (!duplicate) await announce(link, stores, record);
		} catch (error) {
			if (!(error instanceof JetStreamApiError && /maximum messages exceeded/.test(error.message)))
				throw error;
			if (revision) await records.delete(keyOf(job), revision);
			throw new RtilError('EXHAUSTED', `The queue holds ${limits.jobs} jobs`, 'Start more nodes, or wait.');
		}
	}

	async function resubmit(run: string, id: string): Promise<void> {
		await refuseCancelled(run);
		const there = await records.get(keyOf({ run, id }));
		if (!there) throw new RtilError('NOT_FOUND', `There is no job "${id}" in the run ${run}`);
		const { state, generation } = there.value;
		if (state !== 'dead' && state !== 'cancelled') {
			throw new RtilError(
				'CONFLICT',
				`The job "${id}" is ${state}: only a dead or cancelled one can be resubmitted`,
			);
		}
		const record: JobRecord = {
			...there.value,
			state: 'queued',
			generation: generation + 1,
			errors: 0,
			losses: 0,
			failure: null,
			updatedAt: link.clock.now(),
		};
		await records.update(keyOf({ run, id }), record, there.revision);
		await enqueue(record, null);
	}

	async function refuseCancelled(run: string): Promise<void> {
		if (await isCancelled(run)) throw new RtilError('CANCELLED', `The run ${run} is cancelled`);
	}

	async function jobs(run?: string): Promise<JobRecord[]> {
		const found = (await records.entries(run && `${run}.>`)).map(({ value }) => value);
		return found.sort((a, b) => a.submittedAt - b.submittedAt);
	}

	async function* followJobs(
		run: string | undefined,
		options: FollowOptions = {},
	): AsyncGenerator<JobRecord> {
		for await (const { value } of records.watch(run && `${run}.>`, options)) if (value) yield value;
	}

	async function result(run: string, id: string) {
		const record = (await records.get(keyOf({ run, id })))?.value;
		if (record?.state !== 'done') return null;
		return (await results.get(`${keyOf({ run, id })}.${record.epoch}`))?.value ?? null;
	}

	async function cancelRun(run: string, reason = 'by request'): Promise<void> {
		requireToken('run', run);
		await cancels.put(`${run}.cancel`, { reason, at: link.clock.now() });
		for (const { value, revision } of await records.entries(`${run}.>`)) {
			if (value.state !== 'queued') continue; // whoever works on it sees the flag
			await endRecord(link, stores, { ...value, state: 'cancelled' }, revision).catch((error) => {
				if (!(error instanceof RtilError && error.code === 'CONFLICT')) throw error; // just begun: likewise
			});
		}
	}

	async function deadLetters(run?: string) {
		const letters = [];
		for (let seq = 1; ; ) {
			const query = { seq, next_by_subj: subjects.dead(run) };
			const message = await persist(link, () => link.jsm.streams.getMessage('DLQ', query));
			if (!message) return letters;
			letters.push(decode('DeadLetter', message.data));
			seq = message.seq + 1;
		}
	}

	return {
		submit,
		resubmit,
		job: async (run, id) => (await records.get(keyOf({ run, id })))?.value ?? null,
		jobs,
		followJobs,
		result,
		pullJobs: (jobClass, options) => pullJobs(link, stores, jobClass, options),
		deadLetters,
		cancelRun,
		uncancelRun: (run) => cancels.delete(`${run}.cancel`),
		isCancelled,
	};
}

async function* pullJobs(
	link: Link,
	stores: JobStores,
	jobClass: string,
	{ signal }: FollowOptions = {},
): AsyncGenerator<JobDelivery> {
	requireToken('class', jobClass);
	while (!signal?.aborted) {
		const next = await pullOne(link, jobClass, signal);
		if (!next) continue;
		const { message, ackWait } = next;
		let job: Job;
		try {
			job = decode('Job', message.data);
		} catch (error) {
			link.onStatus(`dropped a message of the queue that is no job: ${String(error)}`);
			message.term('not a job');
			continue;
		}
		const delivery = await beginAttempt(link, stores, job, message, ackWait).catch((error) => {
			if (link.closing.aborted || !(error instanceof RtilError && error.code === 'UNAVAILABLE')) throw error;
			link.onStatus(`could not begin job ${job.id}: ${error.message}`);
			return null; // it will be delivered again
		});
		if (!delivery) continue;
		try {
			yield delivery;
			await delivery.ended;
		} finally {
			delivery.abandon(); // a caller that left without ending it: the job goes to another node in time
		}
	}
}

// One message, or null when there was none for a while, the server is away, or the signal aborted. One at a time:
// a second one waiting here would grow stale, and be delivered again elsewhere.
async function pullOne(
	link: Link,
	jobClass: string,
	signal: AbortSignal | undefined,
): Promise<{ message: JsMsg; ackWait: number } | null> {
	try {
		const ackWait = await ensureConsumer(link, jobClass);
		const consumer = await link.js.consumers.get('JOBS', jobClass);
		const messages = await startConsumer(link, () => consumer.fetch({ max_messages: 1, expires: 30_000 }));
		const stop = () => messages.stop();
		signal?.addEventListener('abort', stop, { once: true });
		if (signal?.aborted) stop();
		try {
			for await (const message of messages) {
				if (!signal?.aborted) return { message, ackWait };
				message.nak();
			}
		} finally {
			signal?.removeEventListener('abort', stop);
		}
	} catch (error) {
		if (signal?.aborted) return null;
		if (isClosed(error) || link.closing.aborted) throw unavailable(link, error);
		// the server is away, or has forgotten its streams: both pass
		await link.clock
			.sleep(250, signal ? AbortSignal.any([signal, link.closing]) : link.closing)
			.catch(() => {});
		await ensureStreams(link).catch(() => {});
	}
	return null;
}
