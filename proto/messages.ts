// The messages of bus.proto as the rest of the program sees them: JSON fields parsed, enumerations as words, times as
// numbers. `decode` in envelope.ts makes these of bytes, and `encode` bytes of these.
import type { ErrorCode } from '../errors/index.ts';

/** A piece of work; (run, id) is its name and its idempotency key. */
export interface Job {
	/** Unique in its run: `[A-Za-z0-9_-]`, dots between. */
	id: string;
	/** `[A-Za-z0-9_-]`. */
	run: string;
	/** Which handler does it: `calibrate`, `train`, `evaluate`. */
	kind: string;
	/** Which nodes may take it: `train`, `invert`. */
	class: string;
	/** JSON, validated by the handler. */
	payload: unknown;
}

export type JobState = 'queued' | 'running' | 'done' | 'dead' | 'cancelled';

export interface Failure {
	code: ErrorCode | 'DEFECT';
	message: string;
	remedy: string;
}

export interface JobRecord {
	job: Job;
	state: JobState;
	/** How many times it was submitted anew after it had ended. */
	generation: number;
	/** Fencing token: grows by one with every attempt. */
	epoch: number;
	/** Who holds, or last held, it; empty before the first attempt. */
	node: string;
	/** Attempts that ended by an error of the job itself. */
	errors: number;
	/** Attempts that ended because a worker or a node died. */
	losses: number;
	/** Why the last attempt failed, or null. */
	failure: Failure | null;
	submittedAt: number;
	updatedAt: number;
	/** Position in the work queue of the message that began the last attempt. */
	sequence: number;
}

export interface JobResult {
	job: string;
	run: string;
	epoch: number;
	node: string;
	value: unknown;
	at: number;
}

export interface RunEvent {
	run: string;
	/** Same as `data.type`. */
	kind: string;
	/** Empty where it concerns no job. */
	job: string;
	node: string;
	at: number;
	/** JSON values, and bytes (Uint8Array) at the top level. */
	data: { type: string; [field: string]: unknown };
}

export interface DeadLetter {
	job: Job;
	failure: Failure;
	errors: number;
	losses: number;
	at: number;
}

/** A file of a checkpoint as a blob. */
export interface BlobFile {
	name: string;
	sha256: string;
	bytes: number;
}

export interface CheckpointAnnouncement {
	id: string;
	run: string;
	arm: string;
	step: number;
	/** JSON: the checkpoint's manifest. */
	manifest: unknown;
	files: BlobFile[];
	node: string;
	at: number;
}

export type NodeState = 'starting' | 'idle' | 'busy' | 'draining';

export interface NodeStatus {
	name: string;
	class: string;
	kinds: string[];
	state: NodeState;
	pid: number;
	/** 0 while no worker process is up. */
	workerPid: number;
	/** Empty while idle. */
	run: string;
	job: string;
	/** JSON: what the worker says of its engine, or null. */
	description: unknown;
	/** Resident memory of supervisor and worker, in bytes. */
	memory: number;
	startedAt: number;
	at: number;
}

export interface LeaseHolder {
	holder: string;
	at: number;
}

/** Message names of bus.proto with their shapes. */
export interface Messages {
	Job: Job;
	JobRecord: JobRecord;
	Result: JobResult;
	Event: RunEvent;
	DeadLetter: DeadLetter;
	CheckpointAnnouncement: CheckpointAnnouncement;
	NodeStatus: NodeStatus;
	LeaseHolder: LeaseHolder;
}
