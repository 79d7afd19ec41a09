// An inverter node: a worker process that owns the tensors, the gRPC service in front of it, and, with a bus, evaluation
// jobs and the checkpoints that are announced there. This process itself holds no tensors.
import path from 'node:path';
import { type Bus, runNode, startWorker } from '../bus/index.ts';
import { parseManifest } from '../checkpoints/index.ts';
import { RtilError } from '../errors/index.ts';
import type { Job } from '../proto/index.ts';
import type { Evaluation } from './evaluate.ts';
import { aborted, serveInverter } from './service.ts';
import { CheckpointShelf, fetchCheckpoint } from './shelf.ts';
import { forgetOld } from './solve-files.ts';

/** How long the snapshots of an evaluation that nobody finishes are kept, in milliseconds. */
const UNFINISHED_KEPT = 7 * 24 * 3600_000;

export interface InverterNodeOptions {
	/** Without it the node serves gRPC alone, from `checkpoints`. */
	bus?: Bus;
	/** Default 127.0.0.1, and a free port. */
	grpc?: { host?: string; port?: number };
	/** Folders that are checkpoints or hold some. */
	checkpoints?: readonly string[];
	/** Folder for what is fetched over the bus, and for what unfinished evaluations need to go on. */
	cache: string;
	/** Seconds between two snapshots of an evaluation; default 10. */
	snapshotEvery?: number;
	/** Aborted: the job at hand is given back, calls end, and the node returns. */
	signal: AbortSignal;
	/** Variables for the worker: RTIL_ENGINE, RTIL_THREADS. */
	env?: Record<string, string>;
	/** Calls that may wait behind the one under way before the next is refused; default 16. */
	queue?: number;
	onReady?: (ready: { address: string }) => void;
	onLog?: (level: 'info' | 'warn', text: string) => void;
}

/** Runs until the signal aborts; throws UNAVAILABLE when the port is in use, ENVIRONMENT without an engine. */
export async function runInverterNode(options: InverterNodeOptions): Promise<void> {
	const { bus, signal, cache, snapshotEvery = 10, onLog = () => {} } = options;
	const resume = { dir: path.join(cache, 'solves'), every: snapshotEvery };
	await forgetOld(resume.dir, UNFINISHED_KEPT);
	const shelf = new CheckpointShelf({ folders: options.checkpoints ?? [], cache, onLog });
	await shelf.scan();
	const worker = startWorker({
		module: new URL(`./worker${path.extname(import.meta.url)}`, import.meta.url),
		name: 'inverter',
		...(options.env ? { env: options.env } : {}),
		...(options.queue === undefined ? {} : { queue: options.queue }),
		onLog,
	});
	try {
		const service = await serveInverter({
			host: options.grpc?.host ?? '127.0.0.1',
			port: options.grpc?.port ?? 0,
			shelf,
			worker,
			...(bus ? { bus } : {}),
			onLog,
		});
		try {
			await Promise.race([worker.ready, aborted(signal)]);
			if (signal.aborted) return;
			options.onReady?.({ address: service.address });
			if (!bus) return await aborted(signal);
			// Whatever ends one of the two ends the other.
			const ended = new AbortController();
			const both = AbortSignal.any([signal, ended.signal]);
			const following = shelf.follow(bus, both).finally(() => ended.abort());
			const taking = takeJobs(bus, both).finally(() => ended.abort());
			await Promise.all([following, taking]);
		} finally {
			await service.stop();
		}
	} finally {
		await worker.stop();
	}

	function takeJobs(connection: Bus, stop: AbortSignal): Promise<void> {
		return runNode({
			bus: connection,
			jobClass: 'invert',
			worker,
			signal: stop,
			onLog,
			prepare: async (job) => ({ ...(await prepare(connection, job, cache)), resume }),
			finish: (result) => finish(connection, result as Evaluation),
		});
	}
}

/** An evaluation's payload with blobs as files on this machine. */
async function prepare(bus: Bus, job: Job, cache: string): Promise<object> {
	const payload = job.payload as { checkpoint?: unknown; images?: { blob?: unknown } };
	if (typeof payload.images?.blob !== 'string') {
		throw new RtilError('INVALID_INPUT', `Expected images.blob in the payload of job ${job.id}.`);
	}
	const manifest = parseManifest(payload.checkpoint, `the checkpoint of job ${job.id}`);
	const dir = await fetchCheckpoint(bus, manifest, cache);
	const file = await bus.getBlobFile(payload.images.blob);
	return { ...payload, checkpoint: { dir }, images: { ...payload.images, file } };
}

/** The result with pictures as blobs. */
async function finish(bus: Bus, { rows, pictures }: Evaluation): Promise<unknown> {
	const stored = Object.entries(pictures).map(
		async ([shown, png]) => [shown, (await bus.putBlob(png)).sha256] as const,
	);
	return { rows, pictures: Object.fromEntries(await Promise.all(stored)) };
}
