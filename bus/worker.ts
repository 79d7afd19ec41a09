// The worker's side: a process that answers calls one at a time and ends when its parent is gone.
import { Worker } from 'node:worker_threads';
import { type ErrorRecord, expected, fromRecord, toRecord } from '../errors/index.ts';
import type { EventData, WorkerContext, WorkerDescription, WorkerHandler } from './contract.ts';

export type ToWorker =
	| { type: 'call'; id: number; kind: string; payload: unknown }
	| { type: 'cancel'; id: number; reason: ErrorRecord };

export type FromWorker =
	| { type: 'ready'; description: WorkerDescription }
	| { type: 'event'; id: number; event: EventData }
	| { type: 'result'; id: number; value: unknown }
	| { type: 'error'; id: number; error: ErrorRecord }
	| { type: 'memory'; bytes: number };

/**
 * Answers the calls of the process that started this one; the last line of a worker module.
 *
 *     serveWorker({ train: (payload, context) => train(payload, context) }, { describe: () => engine.describe() });
 *
 * @param options.describe what to tell of this worker before its first call: open the engine here
 */
export function serveWorker(
	handlers: Record<string, WorkerHandler>,
	options: { describe?: () => unknown } = {},
): void {
	const send = (message: FromWorker) => {
		if (process.connected) process.send!(message, () => {}); // a parent that is gone needs no answer
	};
	if (!process.send) throw expected('to be started by startWorker', 'a worker module', process.argv[1]);
	endWithParent();

	const running = new Map<number, AbortController>();
	process.on('message', (message: ToWorker) => {
		if (message.type === 'cancel') running.get(message.id)?.abort(fromRecord(message.reason));
		else void answer(message);
	});

	async function answer({ id, kind, payload }: ToWorker & { type: 'call' }): Promise<void> {
		const cancel = new AbortController();
		running.set(id, cancel);
		const context: WorkerContext = {
			signal: cancel.signal,
			emit: (event) => send({ type: 'event', id, event }),
			log: (level, text) => send({ type: 'event', id, event: { type: 'log', level, text } }),
		};
		try {
			const handler = handlers[kind];
			if (!handler) throw expected(`one of ${Object.keys(handlers).join(', ')}`, 'the kind of a job', kind);
			send({ type: 'result', id, value: await handler(payload as never, context) });
		} catch (error) {
			send({ type: 'error', id, error: toRecord(error) });
		} finally {
			running.delete(id);
		}
	}

	async function start(): Promise<void> {
		const description = (await options.describe?.()) ?? null;
		send({ type: 'ready', description: { kinds: Object.keys(handlers), description } });
		const report = () => send({ type: 'memory', bytes: process.memoryUsage.rss() });
		report();
		setInterval(report, 2000).unref();
	}
	start().catch((error) => {
		console.error(error instanceof Error ? error.message : error);
		process.exit(1);
	});
}

// The channel closes when the parent dies. A handler that blocks in native code would not notice; a thread does.
function endWithParent(): void {
	process.on('disconnect', () => process.exit(0));
	const watch = `
		const parent = process.ppid;
		setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 2000);
	`;
	new Worker(watch, { eval: true, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 8 } }).unref();
}
