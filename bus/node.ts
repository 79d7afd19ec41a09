// A node: takes jobs of one resource class, one at a time, has its worker do them, and shows that it is alive.
// What ends an attempt decides which budget pays for it: the job's own error, a lost worker, or nobody (drain, cancel).
import { RtilError } from '../errors/index.ts';
import type { Job, NodeState, NodeStatus } from '../proto/index.ts';
import type { EventData, JobDelivery, NodeOptions } from './contract.ts';
import { limits } from './limits.ts';
import { WorkerLost } from './worker-process.ts';

/** Takes jobs until the signal aborts; then stops the one at hand, gives it back without penalty and returns. Rejects
 * (ENVIRONMENT) if the worker cannot start. */
export async function runNode(options: NodeOptions): Promise<void> {
	const { bus, worker, jobClass, signal, onLog = () => {} } = options;
	const { clock } = bus;
	const startedAt = clock.now();
	let state: NodeState = 'starting';
	let kinds: string[] = [];
	let description: unknown = null;
	let job: Job | null = null;

	const report = async () => {
		const status: NodeStatus = {
			name: bus.name,
			class: jobClass,
			kinds,
			state: signal.aborted ? 'draining' : state,
			pid: process.pid,
			workerPid: worker.pid,
			run: job?.run ?? '',
			job: job?.id ?? '',
			description,
			memory: process.memoryUsage.rss() + worker.memory,
			startedAt,
			at: clock.now(),
		};
		await bus.reportNode(status).catch((error) => onLog('warn', `cannot report: ${String(error)}`));
	};
	const ended = new AbortController();
	const beat = async () => {
		for (;;) {
			await report();
			await clock.sleep(bus.nodeTtl / 3, ended.signal);
		}
	};
	const beating = beat().catch(() => {}); // rejects when the node ends

	try {
		const ready = await untilAborted(worker.ready, signal);
		if (!ready) return;
		kinds = ready.kinds;
		description = ready.description;
		state = 'idle';
		await report();
		for await (const delivery of bus.pullJobs(jobClass, { signal })) {
			job = delivery.job;
			state = 'busy';
			const reported = report();
			await attempt(options, delivery);
			job = null;
			state = 'idle';
			await reported;
			await report();
		}
	} finally {
		ended.abort();
		await beating;
		await bus.forgetNode(bus.name).catch(() => {}); // it is forgotten in time anyway
	}
}

async function attempt(options: NodeOptions, delivery: JobDelivery): Promise<void> {
	const { worker, signal, prepare, finish, onLog = () => {} } = options;
	const { job } = delivery;
	const stop = AbortSignal.any([signal, delivery.signal]);
	const events = forwardEvents(options, job);
	onLog('info', `${job.kind} ${job.run}/${job.id}: attempt ${delivery.epoch} begins`);
	try {
		const payload = prepare ? await prepare(job, stop) : job.payload;
		const value = await worker.call(job.kind, payload, { signal: stop, onEvent: events.push });
		await events.drained();
		await delivery.complete(finish ? await finish(value, job) : value);
		onLog('info', `${job.kind} ${job.run}/${job.id}: done`);
	} catch (error) {
		await events.drained();
		// a worker that cannot start will not do the next job either: another node may
		const broken = error instanceof RtilError && error.code === 'ENVIRONMENT' && worker.pid === 0;
		const ending = broken ? giveBack(delivery, limits.retry.first) : conclude(delivery, error, signal);
		const outcome = await ending.catch((stale: unknown) => String(stale));
		onLog('warn', `${job.kind} ${job.run}/${job.id}: ${outcome}: ${String(error)}`);
		if (broken) throw error;
	}
}

// Ends an attempt that did not succeed; says how.
async function conclude(delivery: JobDelivery, error: unknown, signal: AbortSignal): Promise<string> {
	const code = error instanceof RtilError ? error.code : null;
	if (delivery.signal.aborted) {
		const why = delivery.signal.reason as RtilError;
		if (why.code === 'CANCELLED') await delivery.cancelled();
		else delivery.abandon();
		return why.code === 'CANCELLED' ? 'cancelled' : 'taken over';
	}
	if (signal.aborted) return await giveBack(delivery, 0);
	if (code === 'CONFLICT') {
		delivery.abandon();
		return 'taken over';
	}
	// the cluster's fault rather than the job's
	if (error instanceof WorkerLost || code === 'UNAVAILABLE') return await delivery.lose(error);
	return await delivery.fail(error);
}

async function giveBack(delivery: JobDelivery, delay: number): Promise<string> {
	await delivery.release(delay);
	return 'given back';
}

// Publishes a worker's events in their order, without letting a slow network pile them up without bound.
function forwardEvents({ bus, onEvent, onLog = () => {} }: NodeOptions, job: Job) {
	let chain = Promise.resolve();
	let waiting = 0;
	async function publish(event: EventData): Promise<void> {
		try {
			const data = onEvent ? await onEvent(event, job) : event;
			if (data) await bus.publishEvent(job.run, data, { job: job.id });
		} catch (error) {
			onLog('warn', `an event of type ${event.type} of job ${job.id} was not published: ${String(error)}`);
		} finally {
			waiting--;
		}
	}
	return {
		push(event: EventData): void {
			if (waiting >= limits.eventsWaiting && event.type === 'progress') return; // a later one says the same
			waiting++;
			chain = chain.then(() => publish(event));
		},
		drained: () => chain,
	};
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
	if (signal.aborted) return null;
	let stop = () => {};
	const aborted = new Promise<null>((resolve) => {
		stop = () => resolve(null);
		signal.addEventListener('abort', stop, { once: true });
	});
	return await Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', stop));
}
