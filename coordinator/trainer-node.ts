// A trainer node: takes training jobs from the bus, gives them to a worker process that owns the tensors, and moves
// files between the two: data sets come in as blobs, checkpoints go out as blobs and are announced.
import path from 'node:path';
import { type Bus, type EventData, runNode, startWorker } from '../bus/index.ts';
import type { Job } from '../proto/index.ts';
import type { RoleOptions } from './cluster.ts';
import type { RoleContext } from './roles.ts';

export async function runTrainerNode(bus: Bus, options: RoleOptions, context: RoleContext): Promise<void> {
	const { signal, onLog, onReady } = context;
	const worker = startWorker({
		module: new URL(`../trainer/worker${path.extname(import.meta.url)}`, import.meta.url),
		name: 'trainer',
		env: engineEnvironment(options),
		onLog,
	});
	try {
		await worker.ready;
		onReady({});
		await runNode({
			bus,
			jobClass: 'train',
			worker,
			signal,
			onLog,
		});
	} finally {
		await worker.stop();
	}
}

/** The engine a worker opens, as its environment says it. */
export function engineEnvironment({ engine, threads }: RoleOptions): Record<string, string> {
	return {
		...(engine ? { RTIL_ENGINE: engine } : {}),
		...(threads ? { RTIL_THREADS: String(threads) } : {}),
	};
}
