// One experiment from file to report, as `rtil demo` and `rtil run` do it: prepare the images, find or start a
// cluster, submit, record what happens, write results and report. Interrupted, it goes on where it stopped.
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { type Bus, connectBus, type FollowedEvent } from '../bus/index.ts';
import { type PreparedDataset, prepareDataset } from '../data/index.ts';
import { RtilError } from '../errors/index.ts';
import { type Cluster, type ClusterOptions, embeddedTiming, startCluster } from './cluster.ts';
import { type Experiment, experimentHash } from './experiment.ts';
import { writeWhole } from './files.ts';
import type { DatasetRef, RunSpec } from './plan.ts';
import { readResults, writeResults } from './results.ts';
import { openRunDirectory, runFileNames } from './run-directory.ts';
import { hasEnded, type RunState } from './run-state.ts';
import { followRun, runState, submitRun } from './runs.ts';

/** Folder of the embedded cluster inside a run's folder. */
export const clusterFolder = '.cluster';

export interface SessionOptions {
	experiment: Experiment;
	/** The file as it was given. */
	text: string;
	/** Folder of runs. */
	out: string;
	/** Name of the run; default: the experiment's, with a suffix if another experiment has it. */
	name?: string;
	/** Under a new name even if the same experiment was run before. */
	fresh?: boolean;
	/** An existing cluster; default: one of its own, embedded. */
	nats?: string;
	engine?: string;
	/** Folder of prepared data sets; shared between runs. */
	cache: string;
	signal: AbortSignal;
	/** The command line that repeats the run, for the report. */
	command: string;
	on: SessionEvents;
}

/** What a session tells while it works. */
export interface SessionEvents {
	/** One line for people. */
	say(line: string): void;
	preparing(what: string, done: number, total: number): void;
	/** The run has its name and its folder. */
	run?(run: string, dir: string): void;
	/** The embedded cluster's processes are started. */
	cluster?(cluster: Cluster): void;
	event(event: FollowedEvent): void;
	/** The state the coordinator wrote last. */
	state?(state: RunState): void;
}

export interface SessionOutcome {
	run: string;
	dir: string;
	state: RunState;
	/** Path of the report. */
	report: string;
}

/** Runs an experiment to its end; throws JOB_FAILED with the cause if it fails, CANCELLED if it is cancelled. */
export async function runSession(options: SessionOptions): Promise<SessionOutcome> {
	const { experiment, out, on } = options;
	const hash = experimentHash(experiment);
	const run = await chooseRun(out, experiment.name, hash, options);
	const dir = path.join(out, run);
	await mkdir(dir, { recursive: true });
	on.run?.(run, dir);
	try {
		return await runInFolder(options, run, hash, dir);
	} catch (error) {
		await rmdir(dir).catch(() => {}); // goes only if nothing was written into it
		throw error;
	}
}

async function runInFolder(
	options: SessionOptions,
	run: string,
	hash: string,
	dir: string,
): Promise<SessionOutcome> {
	const { experiment, signal, on, nats, cache } = options;
	const before = await readState(dir);
	const report = path.join(dir, 'report.html');
	if (before?.status === 'complete' && (await readResults(dir))) {
		on.say(`Run ${run} is complete already; --fresh runs it again.`);
		return { run, dir, state: before, report };
	}

	const prepare = async (what: string, spec: Experiment['data']): Promise<PreparedDataset> => {
		const onProgress = (p: { done: number; total: number }): void => on.preparing(what, p.done, p.total);
		const prepared = await prepareDataset(spec, { cache, signal, onProgress });
		for (const { name, reason } of prepared.skipped.slice(0, 3)) on.say(`Left out ${name}: ${reason}`);
		if (prepared.skipped.length > 3) on.say(`Left out ${prepared.skipped.length} images of ${what} in all.`);
		return prepared;
	};
	const data = await prepare('training images', experiment.data);
	const test =
		experiment.test && experiment.evaluation ? await prepare('test images', experiment.test) : undefined;

	const cluster = nats ? undefined : await startCluster(embedded(dir, options));
	try {
		if (cluster) on.cluster?.(cluster);
		const stop = new AbortController();
		cluster?.broken.catch((error: unknown) => stop.abort(error));
		const url = nats ?? cluster!.url;
		const state = await submitAndFollow(
			url,
			AbortSignal.any([signal, stop.signal]),
			{ run, hash, dir, data, test },
			options,
		);
		if (state.status === 'failed') throw new RtilError('JOB_FAILED', `Run ${run} failed: ${state.reason}`);
		if (state.status === 'cancelled') throw new RtilError('CANCELLED', `Run ${run}: ${state.reason}`);
		return { run, dir, state, report };
	} finally {
		await cluster?.stop();
		// Whatever is worth keeping of a complete run is in its folder; what is left of others is needed to go on.
		if (cluster && (await readState(dir))?.status === 'complete' && (await readResults(dir))) {
			for (const folder of ['nats', 'blobs']) {
				await rm(path.join(dir, clusterFolder, folder), { recursive: true, force: true });
			}
		}
	}
}

interface Prepared {
	run: string;
	hash: string;
	dir: string;
	data: PreparedDataset;
	test: PreparedDataset | undefined;
}

async function submitAndFollow(
	url: string,
	signal: AbortSignal,
	{ run, hash, dir, data, test }: Prepared,
	{ experiment, text, command, on, nats }: SessionOptions,
): Promise<RunState> {
	const timing = nats ? {} : { timing: embeddedTiming };
	const bus = await connectBus({ url, name: `session-${process.pid}`, onStatus: on.say, ...timing });
	try {
		const refs = { data: await put(bus, data), ...(test ? { test: await put(bus, test) } : {}) };
		signal.throwIfAborted();
		await writeWhole(path.join(dir, runFileNames.experiment), text);
		const { spec, submission } = await submitRun(bus, { run, experiment, hash, ...refs });
		await writeResolved(dir, spec);
		if (submission === 'resumed' || submission === 'attached') on.say(`Run ${run} goes on where it stopped.`);
		const state = await recordRun(bus, { spec, dir, signal, on });
		await writeResults(bus, { spec, state, dir, command });
		return state;
	} finally {
		await bus.close();
	}
}
/** Follows a run to its end and writes its folder meanwhile; returns its last state. */
export async function recordRun(
	bus: Bus,
	{
		spec,
		dir,
		signal,
		on,
	}: { spec: RunSpec; dir: string; signal: AbortSignal; on: Pick<SessionEvents, 'event' | 'state'> },
): Promise<RunState> {
	const { run, generation } = spec;
	await using recorder = await openRunDirectory(dir);
	const ended = await runState(bus, run);
	const isOver = ended !== null && ended.generation >= generation && hasEnded(ended.status);
	const watching = new AbortController();
	const watch = watchState(bus, spec, dir, AbortSignal.any([signal, watching.signal]), on);
	try {
		// A folder that lacks the last events of a run that has ended reads them too; they end with the run's own.
		if (!isOver || (await readState(dir))?.status !== ended.status) {
			for await (const event of followRun(bus, { run, generation, from: recorder.from, signal })) {
				await recorder.record(event);
				on.event(event);
			}
		}
		signal.throwIfAborted();
		return await endState(bus, spec, dir, signal);
	} finally {
		watching.abort();
		await watch;
	}
}

/** The coordinator writes the state right after the event that announces it. */
async function endState(
	bus: Bus,
	{ run, generation }: RunSpec,
	dir: string,
	signal: AbortSignal,
): Promise<RunState> {
	for await (const { value } of bus.kv<RunState>('runs').watch(`${run}.state`, { signal })) {
		if (!value || value.generation < generation || !hasEnded(value.status)) continue;
		await writeWhole(path.join(dir, stateFile), `${JSON.stringify(value, null, '\t')}\n`);
		return value;
	}
	signal.throwIfAborted();
	throw new RtilError(
		'UNAVAILABLE',
		`The state of run ${run} cannot be followed`,
		'Try again with: rtil watch',
	);
}

async function watchState(
	bus: Bus,
	{ run }: RunSpec,
	dir: string,
	signal: AbortSignal,
	on: Pick<SessionEvents, 'state'>,
): Promise<void> {
	for await (const { value } of bus.kv<RunState>('runs').watch(`${run}.state`, { signal })) {
		if (!value) continue;
		on.state?.(value);
		if (!hasEnded(value.status))
			await writeWhole(path.join(dir, stateFile), `${JSON.stringify(value, null, '\t')}\n`);
	}
}

const stateFile = 'state.json';

/** The state of a run as its folder has it; null if it has none. */
export async function readState(dir: string): Promise<RunState | null> {
	const text = await readFile(path.join(dir, stateFile), 'utf8').catch(() => null);
	return text === null ? null : (JSON.parse(text) as RunState);
}

/**
 * The run's name: of the newest folder that holds the same experiment, else the first free one of `name`, `name-2`, ….
 * A name that was given is kept; throws ALREADY_EXISTS if another experiment has it.
 */
export async function chooseRun(
	out: string,
	base: string,
	hash: string,
	{ name, fresh = false }: { name?: string; fresh?: boolean } = {},
): Promise<string> {
	const hashes = new Map<string, string>();
	for (const folder of await readdir(out).catch(() => [])) {
		const text = await readFile(path.join(out, folder, 'resolved.json'), 'utf8').catch(() => null);
		if (text !== null) hashes.set(folder, (JSON.parse(text) as { hash?: string }).hash ?? '');
	}
	if (name !== undefined && !fresh) {
		if ((hashes.get(name) ?? hash) === hash) return name;
		throw new RtilError(
			'ALREADY_EXISTS',
			`${path.join(out, name)} holds another experiment`,
			'Give another --name, or --fresh to run under the next free one.',
		);
	}
	const start = name ?? base;
	const candidates = Array.from({ length: hashes.size + 2 }, (_, i) =>
		i === 0 ? start : `${start}-${i + 1}`,
	);
	const same = candidates.filter((candidate) => hashes.get(candidate) === hash).at(-1);
	if (same !== undefined && !fresh) return same;
	return candidates.find((candidate) => !hashes.has(candidate))!;
}

function embedded(dir: string, { out, engine, signal, on }: SessionOptions): ClusterOptions {
	return {
		dir: path.join(dir, clusterFolder),
		work: out,
		signal,
		...(engine ? { engine } : {}),
		onLog: (level, text) => level === 'warn' && on.say(text),
	};
}

async function put(bus: Bus, prepared: PreparedDataset): Promise<DatasetRef> {
	const { sha256 } = await bus.putBlob(prepared.file);
	const { fingerprint, count, resolution, channels } = prepared;
	return { blob: sha256, fingerprint, count, resolution, channels };
}

async function writeResolved(dir: string, spec: RunSpec): Promise<void> {
	const { experiment, ...rest } = spec;
	await writeWhole(
		path.join(dir, 'resolved.json'),
		`${JSON.stringify({ ...experiment, ...rest }, null, '\t')}\n`,
	);
}
