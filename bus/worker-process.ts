// The supervisor's side of a worker: a child process that owns the tensors, so that native code can neither block nor
// take down the process that serves NATS and gRPC. One call at a time, a bounded queue, restarted when it dies.
import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fromRecord, RtilError, toRecord } from '../errors/index.ts';
import { backoff, systemClock } from './clock.ts';
import type { CallOptions, WorkerDescription, WorkerOptions, WorkerProcess } from './contract.ts';
import { limits } from './limits.ts';
import type { FromWorker, ToWorker } from './worker.ts';

/** The worker process died during a call: the call may be tried again. */
export class WorkerLost extends RtilError {
	readonly endedWith: number | null;
	readonly killedBy: NodeJS.Signals | null;

	constructor(name: string, endedWith: number | null, killedBy: NodeJS.Signals | null, lastLine: string) {
		super(
			'UNAVAILABLE',
			`The ${name} worker ${howItEnded(endedWith, killedBy)}${lastLine && `: ${lastLine}`}`,
		);
		this.endedWith = endedWith;
		this.killedBy = killedBy;
	}
}

interface Call {
	id: number;
	kind: string;
	payload: unknown;
	onEvent: CallOptions['onEvent'];
	/** Set when the call is cancelled: what it will reject with. */
	cancelled: { reason: unknown } | null;
	settled: AbortController;
	resolve(value: unknown): void;
	reject(error: unknown): void;
}

/** Starts a worker; see `ready` for whether it could. */
export function startWorker(options: WorkerOptions): WorkerProcess {
	const { name, clock = systemClock, onLog = () => {} } = options;
	const capacity = options.queue ?? limits.queue;
	const ladder = options.ladder ?? limits.ladder;
	const queue: Call[] = [];
	let current: Call | null = null;
	let child: ChildProcess | null = null;
	let isReady = false;
	let memory = 0;
	let calls = 0;
	let deaths = 0; // in a row, without a finished call between
	let failedStarts = 0; // in a row
	let tail: string[] = [];
	let broken: RtilError | null = null;
	let stopping: Promise<void> | null = null;
	const stopped = new AbortController();
	const ready = deferred<WorkerDescription>();
	ready.promise.catch(() => {}); // told by every call as well

	launch();

	function launch(): void {
		tail = [];
		isReady = false;
		const started = fork(fileURLToPath(options.module), [], {
			serialization: 'advanced',
			detached: true, // its own process group: Ctrl-C is for the supervisor, which ends it in order
			stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
			env: { ...process.env, ...options.env },
			execArgv: options.execArgv ?? [],
		});
		child = started;
		started.on('message', receive);
		for (const [stream, level] of [[started.stdout!, 'info'] as const, [started.stderr!, 'warn'] as const]) {
			createInterface({ input: stream }).on('line', (line) => {
				if (level === 'warn' && line.trim()) tail = [...tail.slice(-9), line.trim()];
				onLog(level, line);
			});
		}
		let error: Error | undefined;
		started.once('error', (cause) => {
			error = cause;
			if (started.pid === undefined) died(null, null, cause.message);
		});
		// what the worker sent last may arrive after the news of its end
		const channelClosed = new Promise((resolve) => started.once('disconnect', resolve));
		started.once('exit', async (code, signal) => {
			await channelClosed;
			died(code, signal, error?.message ?? '');
		});
	}

	function receive(message: FromWorker): void {
		if (message.type === 'ready') {
			isReady = true;
			failedStarts = 0;
			ready.resolve(message.description);
			dispatch();
		} else if (message.type === 'memory') {
			memory = message.bytes;
		} else if (current?.id !== message.id) {
			return; // of a call that is over
		} else if (message.type === 'event') {
			if (!current.cancelled) current.onEvent?.(message.event);
		} else {
			const call = current;
			current = null;
			deaths = 0;
			if (call.cancelled) call.reject(call.cancelled.reason);
			else if (message.type === 'result') call.resolve(message.value);
			else call.reject(fromRecord(message.error));
			dispatch();
		}
	}

	function died(code: number | null, signal: NodeJS.Signals | null, cause: string): void {
		const lost = new WorkerLost(name, code, signal, cause || (tail.at(-1) ?? ''));
		const call = current;
		const wasReady = isReady;
		child = null;
		current = null;
		isReady = false;
		memory = 0;
		if (call) call.reject(call.cancelled ? call.cancelled.reason : lost);
		if (stopped.signal.aborted) return;
		if (!call?.cancelled) onLog('warn', lost.message);
		if (!wasReady && ++failedStarts >= limits.failedStarts) {
			broken = new RtilError('ENVIRONMENT', `${lost.message} (${failedStarts} times before it was ready)`);
			ready.reject(broken);
			for (const waiting of queue.splice(0)) waiting.reject(broken);
			return;
		}
		const wait = backoff(deaths++, limits.restart);
		clock.sleep(wait, stopped.signal).then(launch, () => {});
	}

	function dispatch(): void {
		if (!child || !isReady || current) return;
		const call = queue.shift();
		if (!call) return;
		try {
			current = call;
			tell({ type: 'call', id: call.id, kind: call.kind, payload: call.payload });
		} catch (error) {
			current = null;
			call.reject(error); // a payload that cannot be cloned
			dispatch();
		}
	}

	function tell(message: ToWorker): void {
		if (child?.connected) child.send(message, () => {});
	}

	function cancel(call: Call, reason: unknown): void {
		if (call.cancelled) return;
		call.cancelled = { reason };
		if (call !== current) {
			const place = queue.indexOf(call);
			if (place >= 0) queue.splice(place, 1);
			call.reject(reason);
			return;
		}
		tell({ type: 'cancel', id: call.id, reason: toRecord(reason) });
		climb(child!, call.settled.signal).catch(() => {}); // rejects when the call has ended
	}

	async function climb(process: ChildProcess, ended: AbortSignal): Promise<void> {
		await clock.sleep(ladder.term, ended);
		onLog('warn', `the ${name} worker did not stop within ${ladder.term} ms; sending SIGTERM`);
		process.kill('SIGTERM');
		await clock.sleep(ladder.kill, ended);
		onLog('warn', `the ${name} worker did not end within ${ladder.kill} ms; sending SIGKILL`);
		process.kill('SIGKILL');
	}

	function call(kind: string, payload: unknown, { signal, onEvent }: CallOptions = {}): Promise<unknown> {
		return new Promise((resolve, reject) => {
			if (signal?.aborted) return reject(signal.reason);
			if (stopping) return reject(stoppedError());
			if (broken) return reject(broken);
			if (queue.length >= capacity + (current ? 0 : 1)) {
				return reject(
					new RtilError(
						'EXHAUSTED',
						`The ${name} worker has ${queue.length} calls waiting`,
						'Try again later.',
					),
				);
			}
			const settled = new AbortController();
			const onAbort = () => cancel(entry, signal?.reason);
			const end = () => {
				settled.abort();
				signal?.removeEventListener('abort', onAbort);
			};
			const entry: Call = {
				id: ++calls,
				kind,
				payload,
				onEvent,
				cancelled: null,
				settled,
				resolve: (value) => {
					end();
					resolve(value);
				},
				reject: (error) => {
					end();
					reject(error);
				},
			};
			signal?.addEventListener('abort', onAbort, { once: true });
			queue.push(entry);
			dispatch();
		});
	}

	function stoppedError(): RtilError {
		return new RtilError('CANCELLED', `The ${name} worker was stopped`);
	}

	async function stop(): Promise<void> {
		for (const waiting of queue.splice(0)) waiting.reject(stoppedError());
		stopped.abort();
		ready.reject(stoppedError());
		const running = child;
		if (!running || running.exitCode !== null || running.signalCode !== null) return;
		const ended = new AbortController();
		const gone = new Promise((resolve) => running.once('exit', resolve));
		if (current) {
			const call = current;
			const over = new Promise((resolve) => call.settled.signal.addEventListener('abort', resolve));
			cancel(call, stoppedError());
			await Promise.race([over, gone]);
		}
		if (running.connected) running.disconnect(); // the worker ends by itself then
		climb(running, ended.signal).catch(() => {});
		await gone;
		ended.abort();
	}

	return {
		ready: ready.promise,
		get pid() {
			return child?.pid ?? 0;
		},
		get memory() {
			return memory;
		},
		get waiting() {
			return queue.length;
		},
		call,
		stop: () => (stopping ??= stop()),
	};
}

function howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
	if (signal === 'SIGKILL') return 'was killed (SIGKILL), likely because memory ran out, or by hand';
	if (signal) return `was ended by ${signal}`;
	return code === null ? 'could not be started' : `ended with code ${code}`;
}

function deferred<T>() {
	let resolve!: (value: T) => void;
	let reject!: (error: unknown) => void;
	const promise = new Promise<T>((yes, no) => {
		resolve = yes;
		reject = no;
	});
	return { promise, resolve, reject };
}
