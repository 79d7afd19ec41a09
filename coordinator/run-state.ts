// Where a run stands, folded from the records of its jobs. `foldRun` is the whole logic of the coordinator as a pure
// function: what to show, what to queue, what to stop. It is asked again after every change, so nothing is lost when
// a coordinator dies between two steps: the next one comes to the same answer.
import type { Failure, JobRecord } from '../proto/index.ts';
import type { PlannedJob } from './plan.ts';

/** `waiting`: submitted, no job taken yet. The last three are ends; a failed or cancelled run can be taken up again. */
export type RunStatus = 'waiting' | 'running' | 'cancelling' | 'complete' | 'failed' | 'cancelled';

export type PlannedJobState = 'waiting' | 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface JobStatus {
	id: string;
	title: string;
	state: PlannedJobState;
	/** Attempts so far. */
	attempts: number;
	/** The node that holds, or last held, it; empty before the first attempt. */
	node: string;
	/** Why the last attempt failed, in one line; empty if none did. */
	reason: string;
}

export interface RunState {
	run: string;
	status: RunStatus;
	/** Why it failed or was cancelled, and what to do next; empty otherwise. */
	reason: string;
	generation: number;
	jobs: JobStatus[];
	/** ISO 8601. */
	submittedAt: string;
	updatedAt: string;
	/** ISO 8601; empty while it has not ended. */
	endedAt: string;
}

export interface RunFacts {
	run: string;
	generation: number;
	submittedAt: string;
	plan: readonly PlannedJob[];
	records: ReadonlyMap<string, JobRecord>;
	/** Whether the run's cancellation is in force. */
	cancelled: boolean;
	/** The state written last, if any. */
	previous: RunState | null;
	/** ISO 8601. */
	now: string;
}

export interface RunDecision {
	state: RunState;
	/** Jobs to queue now, in order. */
	ready: PlannedJob[];
	/** Jobs that were cancelled by a cancellation that has been taken back: queue them anew. */
	again: PlannedJob[];
	/** Why the jobs that are still under way must be stopped; absent if they need not. */
	stop?: string;
}

/** True for a status that only a new generation changes. */
export function hasEnded(status: RunStatus): boolean {
	return status === 'complete' || status === 'failed' || status === 'cancelled';
}

/** Folds a run; pure. A failure that was written stays: stopping the other jobs must not turn it into a cancellation. */
export function foldRun(facts: RunFacts): RunDecision {
	const { run, plan, records, previous, generation } = facts;
	const jobs = plan.map((job) => statusOf(job, records.get(job.id)));
	const inForce = previous?.generation === generation ? previous : null;
	const failed = jobs.find((job) => job.state === 'failed');
	const active = jobs.filter((job) => job.state === 'queued' || job.state === 'running');

	let status: RunStatus = 'waiting';
	let reason = '';
	if (jobs.every((job) => job.state === 'done')) {
		status = 'complete';
	} else if (inForce?.status === 'failed') {
		status = 'failed';
		reason = inForce.reason;
	} else if (failed) {
		status = 'failed';
		const failure = records.get(failed.id)?.failure;
		const advice = failure?.remedy ? ` ${failure.remedy}` : '';
		reason = `${failed.title} failed: ${failed.reason || 'no cause was recorded'}.${advice} Next: rtil watch ${run} --log`;
	} else if (facts.cancelled) {
		status = active.length > 0 ? 'cancelling' : 'cancelled';
		reason = 'Cancelled. Run the same command again to go on from the last checkpoints.';
	} else if (jobs.some((job) => job.state === 'running' || job.state === 'done' || job.attempts > 0)) {
		status = 'running';
	}

	const ended = hasEnded(status);
	const state: RunState = {
		run,
		status,
		reason,
		generation,
		jobs,
		submittedAt: facts.submittedAt,
		updatedAt: facts.now,
		endedAt: ended ? inForce?.endedAt || facts.now : '',
	};
	const ready =
		ended || facts.cancelled
			? []
			: plan.filter(
					(job) => !records.has(job.id) && job.needs.every((id) => records.get(id)?.state === 'done'),
				);
	const again =
		ended || facts.cancelled ? [] : plan.filter((job) => records.get(job.id)?.state === 'cancelled');
	const stop = status === 'failed' && active.length > 0 && !facts.cancelled ? reason : undefined;
	return { state, ready, again, ...(stop === undefined ? {} : { stop }) };
}

/** True when two states differ in more than the time they were written. */
export function differs(a: RunState | null, b: RunState): boolean {
	return a === null || JSON.stringify({ ...a, updatedAt: '' }) !== JSON.stringify({ ...b, updatedAt: '' });
}

function statusOf(job: PlannedJob, record: JobRecord | undefined): JobStatus {
	const { id, title } = job;
	if (!record) return { id, title, state: 'waiting', attempts: 0, node: '', reason: '' };
	const state: PlannedJobState = record.state === 'dead' ? 'failed' : record.state;
	return { id, title, state, attempts: record.epoch, node: record.node, reason: reasonOf(record.failure) };
}

function reasonOf(failure: Failure | null): string {
	return failure ? failure.message.split('\n', 1)[0]!.replace(/\.$/, '') : '';
}
