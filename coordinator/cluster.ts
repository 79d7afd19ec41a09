// A whole cluster on this machine: a nats-server and one process for each role, watched by the process that started
// it. A role that dies is started again; all of them end with this process, however it ends: each role holds an IPC
// channel to it and goes when the channel closes.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BusTiming, type Clock, startEmbeddedNats, systemClock } from '../bus/index.ts';
import { type ErrorRecord, fromRecord, RtilError } from '../errors/index.ts';

export type RoleName = 'coordinator' | 'trainer' | 'inverter';

/** What a role's process is told; JSON. */
export interface RoleOptions {
	/** URL of the NATS server. */
	nats: string;
	/** Unique name of the node. */
	name: string;
	/** Folder for files of runs: a trainer keeps `<work>/<run>/arms/<arm>/checkpoints`. */
	work: string;
	/** Folder for fetched blobs. */
	cache: string;
	/** Tensor engine; default: the best this machine has. */
	engine?: string;
	/** Threads of the engine; default: all cores. */
	threads?: number;
	/** Timing of a cluster that is new; default: that of a network. */
	timing?: Partial<BusTiming>;
	/** URL of the module that a node's worker process runs; default: its room's own. */
	worker?: string;
	/** Inverter only: folders whose checkpoints it serves beside those of the cluster. */
	checkpoints?: readonly string[];
	/** Inverter only: where gRPC listens; port 0 takes a free one. */
	host?: string;
	port?: number;
}

/** What a role is given to live with. */
export interface RoleContext {
	/** Aborted: the role gives back what it holds and returns. */
	signal: AbortSignal;
	onLog: (level: 'info' | 'warn', text: string) => void;
	onReady: (ready: { address?: string }) => void;
}

/** What a role says when it is ready. */
export interface RoleReady {
	type: 'ready';
	/** Inverter only: `127.0.0.1:PORT`. */
	address?: string;
}

export type RoleMessage = RoleReady | { type: 'error'; error: ErrorRecord };

export interface ClusterOptions {
	/** Folder of the server's store and of the logs. One cluster at a time per folder. */
	dir: string;
	/** Folder under which trainers keep the files of runs, `<work>/<run>/…`. */
	work: string;
	/** Default: one of each. */
	roles?: readonly RoleName[];
	/** Port of NATS; default: a free one. */
	natsPort?: number;
	/** Port of gRPC; default: a free one. */
	grpcPort?: number;
	/** Folders whose checkpoints the inverter serves beside those of the cluster. */
	checkpoints?: readonly string[];
	engine?: string;
	threads?: number;
	signal?: AbortSignal;
	clock?: Clock;
	/** What happens to the processes, in one line. */
	onLog?: (level: 'info' | 'warn', text: string) => void;
	/** The module that the nodes' worker processes run; default: each room's own. */
	worker?: URL;
}

export interface Cluster {
	/** `nats://127.0.0.1:PORT` */
	readonly url: string;
	/** `127.0.0.1:PORT` of the inverter's gRPC service, once it is up; undefined without one. */
	readonly inverter: Promise<string | undefined>;
	/** Process ids by role; 0 while a role is down. */
	pids(): Record<string, number>;
	/** Rejects when the cluster is broken beyond restart (a role that cannot start, a server that died). */
	readonly broken: Promise<never>;
	/** Ends every role, then the server, and waits until they are gone. May be called twice. */
	stop(): Promise<void>;
	/** Ends everything at once, without waiting. */
	kill(): void;
}

/**
 * On one machine a process that is silent is dead, so its work is given to the next one sooner than across a network.
 * Whoever connects first to a new cluster decides.
 */
export const embeddedTiming: Partial<BusTiming> = { ackWait: 10_000, nodeTtl: 6_000, leaseTtl: 5_000 };

/** Patience: starts in a row that may fail before a role is given up; waits, in milliseconds. */
const patience = { starts: 3, firstWait: 500, mostWait: 10_000, healthyAfter: 30_000, stop: 20_000 };

/** Starts a server and its roles; resolves when the server is up and the roles' processes are started. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
	const {
		dir,
		work,
		roles = ['coordinator', 'trainer', 'inverter'],
		signal,
		onLog = () => undefined,
	} = options;
	await mkdir(path.join(dir, 'logs'), { recursive: true });
	const broken = deferred<never>();
	const server = await startEmbeddedNats({
		dir: path.join(dir, 'nats'),
		...(options.natsPort ? { port: options.natsPort } : {}),
		...(signal ? { signal } : {}),
		onExit: (reason) =>
			broken.reject(new RtilError('UNAVAILABLE', reason, `Its log is in ${path.join(dir, 'nats')}.`)),
	});
	const address = deferred<string | undefined>();
	if (!roles.includes('inverter')) address.resolve(undefined);
	const supervised = roles.map((role) => {
		const roleOptions: RoleOptions = {
			nats: server.url,
			name: `${role}-${process.pid}`,
			timing: embeddedTiming,
			work: path.resolve(work),
			cache: path.resolve(dir, 'blobs'),
			...(options.engine ? { engine: options.engine } : {}),
			...(options.threads ? { threads: options.threads } : {}),
			...(options.worker ? { worker: options.worker.href } : {}),
			...(role === 'inverter'
				? { host: '127.0.0.1', port: options.grpcPort ?? 0, checkpoints: options.checkpoints ?? [] }
				: {}),
		};
		return new SupervisedRole(role, roleOptions, {
			module: new URL(`./role-process${path.extname(import.meta.url)}`, import.meta.url),
			logFile: path.join(dir, 'logs', `${role}.log`),
			clock: options.clock ?? systemClock,
			onLog,
			onReady: (ready) => role === 'inverter' && address.resolve(ready.address),
			onBroken: (error) => {
				broken.reject(error);
				address.reject(error);
			},
		});
	});
	for (const role of supervised) role.start();
	let stopping: Promise<void> | undefined;
	const stop = async (): Promise<void> => {
		// The coordinator last: until then it may fold what the nodes give back.
		const [coordinators, nodes] = [true, false].map((is) =>
			supervised.filter((r) => (r.role === 'coordinator') === is),
		);
		await Promise.all(nodes!.map((role) => role.stop()));
		await Promise.all(coordinators!.map((role) => role.stop()));
		await server.stop();
	};
	return {
		url: server.url,
		inverter: address.promise,
		broken: broken.promise,
		pids: () => ({
			'nats-server': server.pid,
			...Object.fromEntries(supervised.map((r) => [r.role, r.pid])),
		}),
		stop: () => (stopping ??= stop()),
		kill: () => {
			for (const role of supervised) role.kill();
			void server.stop();
		},
	};
}

/** A promise settled from outside; nobody needs to look at it. */
function deferred<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
	let resolve!: (value: T) => void;
	let reject!: (error: unknown) => void;
	const promise = new Promise<T>((yes, no) => {
		resolve = yes;
		reject = no;
	});
	promise.catch(() => undefined);
	return { promise, resolve, reject };
}

interface SupervisedOptions {
	module: URL;
	logFile: string;
	clock: Clock;
	onLog: (level: 'info' | 'warn', text: string) => void;
	onReady: (ready: RoleReady) => void;
	onBroken: (error: Error) => void;
}

/** One role's process, kept alive until stopped. */
class SupervisedRole {
	readonly role: RoleName;
	readonly #options: RoleOptions;
	readonly #by: SupervisedOptions;
	readonly #stopped = new AbortController();
	#child: ChildProcess | undefined;
	#running: Promise<void> = Promise.resolve();

	constructor(role: RoleName, options: RoleOptions, by: SupervisedOptions) {
		this.role = role;
		this.#options = options;
		this.#by = by;
	}

	get pid(): number {
		return this.#child?.pid ?? 0;
	}

	start(): void {
		this.#running = this.#keepAlive().catch((error: Error) => this.#by.onBroken(error));
	}

	async stop(): Promise<void> {
		this.#stopped.abort();
		const child = this.#child;
		if (child?.connected) child.disconnect();
		const killer = setTimeout(() => child?.kill('SIGKILL'), patience.stop);
		await this.#running;
		clearTimeout(killer);
	}

	kill(): void {
		this.#stopped.abort();
		this.#child?.kill('SIGKILL');
	}

	async #keepAlive(): Promise<void> {
		const { clock, onLog } = this.#by;
		let failures = 0;
		while (!this.#stopped.signal.aborted) {
			const began = clock.now();
			const { wasReady, reason, error } = await this.#runOnce();
			if (this.#stopped.signal.aborted) return;
			failures = wasReady && clock.now() - began > patience.healthyAfter ? 1 : failures + 1;
			if (!wasReady && (error || failures >= patience.starts)) {
				throw (
					error ??
					new RtilError('ENVIRONMENT', `The ${this.role} cannot start: ${reason}`, `See ${this.#by.logFile}`)
				);
			}
			const wait = Math.min(patience.mostWait, patience.firstWait * 2 ** (failures - 1));
			onLog('warn', `${this.role} ${reason}; starting it again`);
			await clock.sleep(wait, this.#stopped.signal).catch(() => undefined);
		}
	}

	/** Runs the process once, to its end. An error is one that a new start cannot mend. */
	async #runOnce(): Promise<{ wasReady: boolean; reason: string; error?: Error }> {
		const log = await open(this.#by.logFile, 'a');
		let wasReady = false;
		let error: Error | undefined;
		try {
			const child = fork(fileURLToPath(this.#by.module), [this.role, JSON.stringify(this.#options)], {
				stdio: ['ignore', log.fd, log.fd, 'ipc'],
				execArgv: [],
			});
			this.#child = child;
			child.on('message', (message: RoleMessage) => {
				if (message.type === 'error') error = fromRecord(message.error);
				if (message.type !== 'ready') return;
				wasReady = true;
				this.#by.onReady(message);
			});
			if (this.#stopped.signal.aborted) child.disconnect();
			const [code, killed] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
			const reason = killed ? `was killed by ${killed}` : `ended with code ${code}`;
			return { wasReady, reason, ...(error ? { error } : {}) };
		} finally {
			this.#child = undefined;
			await log.close();
		}
	}
}
