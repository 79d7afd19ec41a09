// A trainer node: takes training jobs from the bus, gives them to a worker process that owns the tensors, and moves
// files between the two: data sets come in as blobs, checkpoints go out as blobs and are announced.
//
// Checkpoints stay where the worker writes them, `<work>/<run>/arms/<arm>/checkpoints`, which in an embedded cluster is
// the run's own folder. The last one is always uploaded; of those before, one every few minutes, so that another node
// can take the job over when this one is lost for good.
import { access } from 'node:fs/promises';
import path from 'node:path';
import { type Bus, runNode, startWorker } from '../bus/index.ts';
import {
	assembleCheckpoint,
	checkpointFiles,
	checkpointName,
	latestCheckpoint,
	parseManifest,
	readManifest,
} from '../checkpoints/index.ts';
import type { Job } from '../proto/index.ts';
import type { RoleContext, RoleOptions } from './cluster.ts';
import type { DatasetRef } from './plan.ts';
import { runFileNames } from './run-directory.ts';

/** Time between two uploads of one arm's checkpoints, in milliseconds. */
const uploadEvery = 10 * 60_000;

/** Runs a trainer node until the signal aborts; throws ENVIRONMENT if its worker cannot start. */
export async function runTrainerNode(bus: Bus, options: RoleOptions, context: RoleContext): Promise<void> {
	const { signal, onLog, onReady } = context;
	const worker = startWorker({
		module: new URL(options.worker ?? `../trainer/worker${path.extname(import.meta.url)}`, import.meta.url),
		name: 'trainer',
		env: engineEnvironment(options),
		onLog,
	});
	const uploaded = new Map<string, number>();
	try {
		await worker.ready;
		onReady({});
		await runNode({
			bus,
			jobClass: 'train',
			worker,
			signal,
			onLog,
			prepare: async (job) => {
				const payload = job.payload as { dataset: DatasetRef; arm?: string };
				const dataset = { ...payload.dataset, file: await bus.getBlobFile(payload.dataset.blob) };
				if (payload.arm === undefined) return { ...payload, dataset };
				const directory = armFolder(options.work, job.run, payload.arm);
				await fetchLatest(bus, job.run, payload.arm, directory, onLog);
				return { ...payload, dataset, directory };
			},
			onEvent: async (event, job) => {
				if (event.type !== 'checkpoint') return event;
				const { dir, ...data } = event as typeof event & { dir: string };
				const last = uploaded.get(`${job.run}.${job.id}`);
				const now = bus.clock.now();
				if (last === undefined) uploaded.set(`${job.run}.${job.id}`, now);
				else if (now - last >= uploadEvery) {
					await upload(bus, job, dir);
					uploaded.set(`${job.run}.${job.id}`, now);
				}
				return data;
			},
			finish: async (result, job) => {
				if (job.kind !== 'train') return result;
				const { dir, ...rest } = result as { dir: string };
				await upload(bus, job, dir);
				return rest;
			},
		});
	} finally {
		await worker.stop();
	}
}

/** The engine a worker opens, as its environment says it. */
export function engineEnvironment({
	engine,
	threads,
}: Pick<RoleOptions, 'engine' | 'threads'>): Record<string, string> {
	return {
		...(engine ? { RTIL_ENGINE: engine } : {}),
		...(threads ? { RTIL_THREADS: String(threads) } : {}),
	};
}

function armFolder(work: string, run: string, arm: string): string {
	return path.join(work, run, runFileNames.checkpoints(arm));
}

/** Stores a checkpoint's files as blobs and makes it known. */
async function upload(bus: Bus, job: Job, dir: string): Promise<void> {
	const manifest = await readManifest(dir);
	const files = await checkpointFiles(dir);
	for (const file of files) await bus.putBlob(file.path);
	await bus.announceCheckpoint({
		id: manifest.id,
		run: job.run,
		arm: manifest.arm,
		step: manifest.step,
		manifest,
		files: files.map(({ name, sha256, bytes }) => ({ name, sha256, bytes })),
		node: bus.name,
		at: bus.clock.now(),
	});
}

/** Brings the newest announced checkpoint here if this node has none as new: the job was begun elsewhere. */
async function fetchLatest(
	bus: Bus,
	run: string,
	arm: string,
	parent: string,
	onLog: RoleContext['onLog'],
): Promise<void> {
	const newest = (await bus.checkpoints(run, arm)).at(-1);
	if (!newest) return;
	const here = await latestCheckpoint(parent, (dir, error) => onLog('warn', `${dir}: ${error.message}`));
	if (here && here.manifest.step >= newest.step) return;
	await downloadCheckpoint(bus, newest, path.join(parent, checkpointName(newest.step)));
}

/** Puts an announced checkpoint into a folder, unless it is there. */
export async function downloadCheckpoint(
	bus: Bus,
	{ manifest, files }: { manifest: unknown; files: readonly { name: string; sha256: string }[] },
	dir: string,
): Promise<void> {
	if (
		await access(path.join(dir, 'manifest.json')).then(
			() => true,
			() => false,
		)
	)
		return;
	const paths: Record<string, string> = {};
	for (const { name, sha256 } of files) paths[name] = await bus.getBlobFile(sha256);
	await assembleCheckpoint(dir, parseManifest(manifest, 'the announced checkpoint'), paths);
}
