// The public types of the bus: what a node, a coordinator or a command may ask of it. Bodies are in the files beside
// this one; what travels is defined in proto/rtil/v1/bus.proto.
import type {
	CheckpointAnnouncement,
	DeadLetter,
	Job,
	JobRecord,
	JobResult,
	NodeStatus,
	RunEvent,
} from '../proto/index.ts';

/** Where time comes from: real in production, scripted in a test. */
export interface Clock {
	/** Milliseconds since 1970-01-01 UTC. */
	now(): number;
	/** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts. */
	sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A nats-server binary on this machine. */
export interface NatsBinary {
	path: string;
	/** For example `2.15.1`. */
	version: string;
	/** Where it was found. */
	source: 'RTIL_NATS_SERVER' | 'PATH' | 'cache';
}

export interface EmbeddedNatsOptions {
	/** Folder of the server's store, configuration and log; made if missing. One server at a time per folder. */
	dir: string;
	/** TCP port on loopback, 1 to 65535. Default: a free one. */
	port?: number;
	/** Stops the start-up. */
	signal?: AbortSignal;
	/** Called once if the server ends without `stop()`. */
	onExit?: (reason: string) => void;
}

export interface EmbeddedNats {
	/** `nats://127.0.0.1:PORT` */
	readonly url: string;
	readonly pid: number;
	readonly version: string;
	/** Ends the server and waits until it is gone. May be called twice. */
	stop(): Promise<void>;
}

/** Timing of the cluster. Buckets and consumers keep what their first maker chose; everyone reads it from there. */
export interface BusTiming {
	/** Milliseconds a job may be without a sign of life before another node gets it. Default 30 000. */
	ackWait: number;
	/** Milliseconds after which a silent node is forgotten. Default 15 000. */
	nodeTtl: number;
	/** Milliseconds after which a lease that is not renewed is free. Default 10 000. */
	leaseTtl: number;
}

export interface BusOptions {
	/** `nats://[user:password@|token@]host:port` or `tls://…`. */
	url: string;
	/** Who connects, `[A-Za-z0-9_-]`: the `node` of jobs and events, the holder of leases. Unique among live nodes. */
	name: string;
	/** Folder for blobs fetched from the store. Needed by `getBlobFile` without a path. */
	cache?: string;
	clock?: Clock;
	timing?: Partial<BusTiming>;
	/** Told in one line when the connection is lost and when it is back. */
	onStatus?: (text: string) => void;
}

export interface FollowOptions {
	signal?: AbortSignal;
}

export interface FollowEventsOptions extends FollowOptions {
	/** `start`: all there is, then what comes; `now`: what comes; a number: from that sequence on. Default `start`. */
	from?: 'start' | 'now' | number;
	/** Only events of this kind. */
	kind?: string;
}

/** An event as read from the stream. */
export interface FollowedEvent extends RunEvent {
	/** Position in the stream; grows, with gaps. */
	sequence: number;
	/** Whether more events were waiting behind it when it was delivered (false: the follower is up to date). */
	behind: boolean;
}

export interface KvEntry<T> {
	key: string;
	value: T;
	/** Grows with every write to the bucket: name it to `update`. */
	revision: number;
}

/** A change seen by `watch`; `value` is null when the key was deleted. */
export interface KvChange<T> {
	key: string;
	value: T | null;
	revision: number;
	/** False while `watch` is still listing what was there when it began. */
	live: boolean;
}

/** Typed values under dotted keys (`[A-Za-z0-9_-]` and dots), written by compare-and-set. A server that is away is
 * waited for, `patience` milliseconds (default 30 000), then UNAVAILABLE is thrown. */
export interface KvStore<T> {
	get(key: string): Promise<KvEntry<T> | null>;
	/** Writes a key that must not exist; returns its revision. Throws ALREADY_EXISTS. */
	create(key: string, value: T): Promise<number>;
	/** Writes a key that must still be at `revision`; returns the new one. Throws CONFLICT. */
	update(key: string, value: T, revision: number, patience?: number): Promise<number>;
	/** Writes regardless. */
	put(key: string, value: T, patience?: number): Promise<number>;
	/** Deletes; with a revision only if still there, else throws CONFLICT. */
	delete(key: string, revision?: number): Promise<void>;
	/** All entries whose key matches (`*` one token, `>` the rest). Default all. */
	entries(filter?: string): Promise<KvEntry<T>[]>;
	/** What is there, then every change, until the signal aborts (then it ends without an error). */
	watch(filter?: string, options?: FollowOptions & { from?: 'start' | 'now' }): AsyncIterable<KvChange<T>>;
}

/** One attempt at a job. Exactly one of complete, fail, lose, release, cancelled or abandon ends it. */
export interface JobDelivery {
	readonly job: Job;
	/** The fencing token of this attempt: greater than that of every earlier one. */
	readonly epoch: number;
	/** Attempts before this one that ended by an error, and by a loss of worker or node. */
	readonly errors: number;
	readonly losses: number;
	/** Aborts with an RtilError: CANCELLED when the run is cancelled, CONFLICT when another attempt took over. */
	readonly signal: AbortSignal;
	/** Stores the result (JSON) and ends the job. Throws CONFLICT if this attempt is stale, EXHAUSTED if too large. */
	complete(result: unknown): Promise<void>;
	/** The job failed by itself. Retried with back-off, dead after three errors or at once if retrying cannot help. */
	fail(error: unknown): Promise<'queued' | 'dead'>;
	/** A worker or node was lost. Retried with back-off, dead after twenty losses. */
	lose(error: unknown): Promise<'queued' | 'dead'>;
	/** Gives the job back unharmed, for another node to take after `delay` milliseconds (default 0). */
	release(delay?: number): Promise<void>;
	/** The work has stopped because the run was cancelled. */
	cancelled(): Promise<void>;
	/** The attempt is stale: only stop keeping it alive. */
	abandon(): void;
}

/** A lease that is held; it renews itself until released or lost. */
export interface Lease {
	readonly name: string;
	/** The fencing token: greater than that of every earlier holder. */
	readonly token: number;
	/** Aborts (CONFLICT) when the lease is lost; from then on nothing may be written in its name. */
	readonly signal: AbortSignal;
	release(): Promise<void>;
}

export interface BlobRef {
	/** Lower-case hexadecimal digest of the content; its name. */
	sha256: string;
	bytes: number;
}

/** A connection to the cluster. Everything written survives this process. */
export interface Bus {
	readonly url: string;
	readonly name: string;
	readonly clock: Clock;
	/** For example `2.15.1`. */
	readonly serverVersion: string;
	/** Ends the connection after what is under way has been sent. */
	close(): Promise<void>;

	/** Queues a job. Again with the same content it does nothing; with other content it throws ALREADY_EXISTS. */
	submit(job: Job): Promise<void>;
	/** Queues anew a job that is dead or cancelled, with fresh budgets. Throws NOT_FOUND, CONFLICT if it has not ended. */
	resubmit(run: string, id: string): Promise<void>;
	job(run: string, id: string): Promise<JobRecord | null>;
	/** All jobs, of one run or of all, by time of submission. */
	jobs(run?: string): Promise<JobRecord[]>;
	/** The record of every job of the run (of all runs if absent), then every change of one. */
	followJobs(run: string | undefined, options?: FollowOptions): AsyncIterable<JobRecord>;
	/** The result of a job that is done, else null. */
	result(run: string, id: string): Promise<JobResult | null>;
	/** Jobs of a resource class, one at a time: the next is fetched when the loop asks for it. */
	pullJobs(jobClass: string, options?: FollowOptions): AsyncIterable<JobDelivery>;
	/** Jobs given up, oldest first. */
	deadLetters(run?: string): Promise<DeadLetter[]>;

	/** Stops every job of the run and refuses those that are still queued. */
	cancelRun(run: string, reason?: string): Promise<void>;
	/** Takes a cancellation back, so that jobs of the run may be submitted or resubmitted. */
	uncancelRun(run: string): Promise<void>;
	isCancelled(run: string): Promise<boolean>;

	/** Appends to the event stream of the run; `data.type` is its kind. Byte fields of `data` travel as bytes. */
	publishEvent(run: string, data: EventData, about?: { job?: string; node?: string }): Promise<void>;
	followEvents(run: string, options?: FollowEventsOptions): AsyncIterable<FollowedEvent>;

	/** Key-values of JSON: `runs` is the coordinator's (keys `<run>.…`; `<run>.cancel` is the bus's own). */
	kv<T>(bucket: 'runs' | 'registry'): KvStore<T>;
	/** Takes the lease, or null if somebody else holds it. */
	tryLease(name: string): Promise<Lease | null>;
	/** Waits until the lease is free and takes it. */
	lease(name: string, options?: FollowOptions): Promise<Lease>;

	/** Stores content under its digest; nothing is sent if it is there. A string is the path of a file. */
	putBlob(source: string | Uint8Array): Promise<BlobRef>;
	hasBlob(sha256: string): Promise<boolean>;
	/** Content in memory, at most 64 MiB. Throws NOT_FOUND, CORRUPT, EXHAUSTED. */
	getBlob(sha256: string): Promise<Buffer>;
	/** Content as a file: at `path`, or in the cache folder (read-only by custom). Written whole or not at all. */
	getBlobFile(sha256: string, path?: string): Promise<string>;

	/** Makes a checkpoint known; its files must be blobs already. */
	announceCheckpoint(announcement: CheckpointAnnouncement): Promise<void>;
	/** The announced checkpoints, of one run, or one arm, by step. */
	checkpoints(run?: string, arm?: string): Promise<CheckpointAnnouncement[]>;
	/** All announced checkpoints, then every new one. */
	followCheckpoints(options?: FollowOptions & { run?: string }): AsyncIterable<CheckpointAnnouncement>;

	/** Shows this node as alive for `nodeTtl`. */
	reportNode(status: NodeStatus): Promise<void>;
	forgetNode(name: string): Promise<void>;
	/** Nodes alive now. */
	nodes(): Promise<NodeStatus[]>;
	/** Milliseconds after which a silent node is forgotten. */
	readonly nodeTtl: number;
}

/** The content of an event: JSON values, and bytes at the top level. */
export interface EventData {
	type: string;
	[field: string]: unknown;
}

// ---- worker processes -------------------------------------------------------------------------------------------

/** What a worker says of itself when it is ready. */
export interface WorkerDescription {
	/** The calls it answers. */
	kinds: string[];
	/** JSON from `describe`: engine, device, versions. */
	description: unknown;
}

export interface WorkerOptions {
	/** The module that calls `serveWorker`. */
	module: URL;
	/** Name in messages, such as `trainer`. */
	name: string;
	/** Variables added to this process's environment. */
	env?: Record<string, string>;
	/** Arguments to node itself, such as `--expose-gc`. Default none. */
	execArgv?: string[];
	/** Calls that may wait behind the one under way, at least 0. Default 16. */
	queue?: number;
	/** How long to wait at each rung when a call is cancelled, in milliseconds. Default 5 000, then 10 000. */
	ladder?: { term: number; kill: number };
	clock?: Clock;
	/** Lines the worker wrote to stdout or stderr, and what happens to the process. */
	onLog?: (level: 'info' | 'warn', text: string) => void;
}

export interface CallOptions {
	/** Cancels the call: a message, then SIGTERM, then SIGKILL. The call rejects with the signal's reason. */
	signal?: AbortSignal;
	/** Events of the call, in order. */
	onEvent?: (event: EventData) => void;
}

/** A child process that owns the tensors and does one call at a time; restarted when it dies. */
export interface WorkerProcess {
	/** Resolves when the worker is ready for the first time; rejects (ENVIRONMENT) if it cannot start. */
	readonly ready: Promise<WorkerDescription>;
	/** 0 while none is up. */
	readonly pid: number;
	/** Resident memory in bytes as last reported by the worker; 0 if unknown. */
	readonly memory: number;
	/** Calls waiting. */
	readonly waiting: number;
	/**
	 * Calls a handler. Values pass by structured clone (typed arrays included). Throws what the handler throws;
	 * EXHAUSTED if the queue is full; `WorkerLost` if the process dies meanwhile.
	 */
	call(kind: string, payload: unknown, options?: CallOptions): Promise<unknown>;
	/** Rejects what waits, ends the process by the ladder and waits until it is gone. */
	stop(): Promise<void>;
}

/** What a handler gets besides its payload. */
export interface WorkerContext {
	/** Aborts when the call is cancelled: stop soon, save what is worth saving, and throw. */
	readonly signal: AbortSignal;
	emit(event: EventData): void;
	/** Emits `{type: 'log', level, text}`. */
	log(level: 'info' | 'warn' | 'error', text: string): void;
}

/** A handler of one kind of call. It must yield to the event loop at least every second or so. */
export type WorkerHandler = (payload: never, context: WorkerContext) => unknown;

export interface NodeOptions {
	/** The connection; its name is the node's. */
	bus: Bus;
	/** The resource class whose jobs it takes: `train` or `invert`. */
	jobClass: string;
	/** The worker that does the jobs. The caller stops it. */
	worker: WorkerProcess;
	/** Aborted: stops the job at hand, gives it back without penalty, and returns. */
	signal: AbortSignal;
	/** What the worker gets instead of `job.payload`: fetch blobs to files here. */
	prepare?: (job: Job, signal: AbortSignal) => Promise<unknown>;
	/** What is published instead of an event of the worker (null: nothing): upload files here. Awaited in order. */
	onEvent?: (event: EventData, job: Job) => Promise<EventData | null> | EventData | null;
	/** What is stored instead of the worker's result: upload files here. */
	finish?: (result: unknown, job: Job) => Promise<unknown>;
	onLog?: (level: 'info' | 'warn', text: string) => void;
}

// ---- functions of bus/index.ts, by file --------------------------------------------------------------------------

/** embedded.ts `findNatsServer()`: the binary to use. Throws ENVIRONMENT with the remedy if there is none. */
export type FindNatsServer = (env?: NodeJS.ProcessEnv) => Promise<NatsBinary>;
/** embedded.ts `startEmbeddedNats()`: a real server with JetStream that dies with this process. */
export type StartEmbeddedNats = (options: EmbeddedNatsOptions) => Promise<EmbeddedNats>;
/** embedded.ts `runningNats()`: the URL of the embedded server that another process runs in `dir`, or null. */
export type RunningNats = (dir: string) => Promise<string | null>;
/** connection.ts `connectBus()`: throws UNAVAILABLE within 5 s if nobody answers at the URL. */
export type ConnectBus = (options: BusOptions) => Promise<Bus>;
/** worker-process.ts `startWorker()`. */
export type StartWorker = (options: WorkerOptions) => WorkerProcess;
/** worker.ts `serveWorker()`: the last line of a worker module. */
export type ServeWorker = (
	handlers: Record<string, WorkerHandler>,
	options?: { describe?: () => unknown },
) => void;
/** node.ts `runNode()`: takes jobs until the signal aborts; rejects if the worker cannot start. */
export type RunNode = (options: NodeOptions) => Promise<void>;
