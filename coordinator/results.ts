// What a run came to, as files: `results.json` with rows, summary and provenance, the pictures of the evaluation, and
// the report. Everything is read from the cluster, so any follower of a run writes the same.
import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import path from 'node:path';
import type { Bus } from '../bus/index.ts';
import { checkpointName, readManifest } from '../checkpoints/index.ts';
import { type ResultRow, type SummaryRow, summarise } from '../metrics/index.ts';
import { type ArmProvenance, type Provenance, runFiles, writeReport } from '../report/index.ts';
import { writeWhole } from './files.ts';
import { planOf, type RunSpec, stepsOfRun, trainId } from './plan.ts';
import { runFileNames } from './run-directory.ts';
import type { RunState } from './run-state.ts';
import { downloadCheckpoint } from './trainer-node.ts';

/** `results.json`. */
export interface RunResults {
	rows: ResultRow[];
	summary: SummaryRow[];
	provenance: Provenance;
}

/** What an `evaluate` job answers. */
export interface EvaluateResult {
	rows: ResultRow[];
	/** Pictures as blobs (PNG), by what they show; each is one row of the job's images. */
	pictures?: { truth?: string; measurement?: string; reconstruction?: string };
}

interface RunEnd {
	spec: RunSpec;
	state: RunState;
	dir: string;
	/** The command line that repeats the run. */
	command: string;
}

/** The results of a run as its folder has them; null if it has none. */
export async function readResults(dir: string): Promise<RunResults | null> {
	const text = await readFile(path.join(dir, runFiles.results), 'utf8').catch(() => null);
	return text === null ? null : (JSON.parse(text) as RunResults);
}

/** Writes results, pictures, checkpoints and report of a run that has ended, however it ended. */
export async function writeResults(bus: Bus, end: RunEnd): Promise<RunResults> {
	const { spec, state, dir } = end;
	const results = new Map<string, unknown>();
	for (const job of planOf(spec)) {
		const result = await bus.result(spec.run, job.id);
		if (result) results.set(job.id, result.value);
	}
	await fetchCheckpoints(bus, spec, dir);
	const rows: ResultRow[] = [];
	for (const job of planOf(spec)) {
		if (job.kind !== 'evaluate' || !results.has(job.id)) continue;
		const result = results.get(job.id) as EvaluateResult;
		rows.push(...result.rows);
		// Pictures are of the first seed; the numbers are of all.
		if (job.id.endsWith(`.seed${spec.experiment.evaluation?.seeds[0]}`))
			await writePictures(bus, dir, result);
	}
	const provenance = await provenanceOf(bus, end, results);
	const content: RunResults = {
		rows,
		summary: summarise(rows, { reference: provenance.reference! }),
		provenance,
	};
	await writeWhole(path.join(dir, runFiles.results), `${JSON.stringify(content, null, '\t')}\n`);
	const steps = stepsIfKnown(spec, results);
	if (steps) await addToResolved(dir, { steps });
	if (state.status !== 'waiting') await writeReport(dir);
	return content;
}

/** The last announced checkpoint of each arm, into the run's folder; in an embedded cluster it is there already. */
async function fetchCheckpoints(bus: Bus, { run, experiment }: RunSpec, dir: string): Promise<void> {
	for (const { name } of experiment.arms) {
		const last = (await bus.checkpoints(run, name)).at(-1);
		if (!last) continue;
		await downloadCheckpoint(
			bus,
			last,
			path.join(dir, runFileNames.checkpoints(name), checkpointName(last.step)),
		);
	}
}

async function writePictures(bus: Bus, dir: string, { rows, pictures }: EvaluateResult): Promise<void> {
	const [row] = rows;
	if (!row || !pictures) return;
	const { arm, solver, problem, level } = row;
	const names = {
		truth: runFiles.truth,
		measurement: runFiles.measurement(problem, level),
		reconstruction: runFiles.reconstruction(arm, solver, problem, level),
	};
	for (const [shown, name] of Object.entries(names) as [keyof typeof names, string][]) {
		const blob = pictures[shown];
		if (blob) await writeWhole(path.join(dir, name), await bus.getBlob(blob));
	}
}

async function provenanceOf(
	bus: Bus,
	end: RunEnd,
	results: ReadonlyMap<string, unknown>,
): Promise<Provenance> {
	const { spec, state, dir, command } = end;
	const { experiment } = spec;
	const steps = stepsIfKnown(spec, results);
	const arms = await Promise.all(
		experiment.arms.map(async ({ name }, index): Promise<ArmProvenance> => {
			const job = state.jobs.find(({ id }) => id === trainId(name));
			const announced = (await bus.checkpoints(spec.run, name)).at(-1);
			const folder = path.join(dir, runFileNames.checkpoints(name), checkpointName(announced?.step ?? 0));
			const manifest = announced ? await readManifest(folder).catch(() => undefined) : undefined;
			const record = await bus.job(spec.run, trainId(name));
			const reason = job?.reason ? { reason: job.reason } : {};
			return {
				name,
				state:
					job?.state === 'done'
						? 'complete'
						: job?.state === 'failed'
							? 'failed'
							: job?.state === 'cancelled'
								? 'cancelled'
								: 'missing',
				...(job?.state === 'done' ? {} : reason),
				...(manifest ? { steps: manifest.step, images: manifest.images, checkpoint: manifest.id } : {}),
				...(manifest?.flops ? { flops: manifest.flops } : {}),
				...(manifest?.metrics.seconds ? { seconds: manifest.metrics.seconds } : {}),
				...(manifest ? { engine: manifest.engine } : {}),
				...(steps ? { plannedSteps: steps[index] } : {}),
				...(record ? { attempts: record.epoch } : {}),
			};
		}),
	);
	const { rule } = experiment.budget;
	const ended = { complete: 'complete', failed: 'failed', cancelled: 'cancelled' } as const;
	return {
		run: spec.run,
		state: ended[state.status as keyof typeof ended] ?? 'running',
		...(state.reason ? { reason: state.reason } : {}),
		startedAt: spec.submittedAt,
		...(state.endedAt ? { endedAt: state.endedAt } : {}),
		command,
		reference: experiment.arms[0]!.name,
		arms,
		budgetRule: steps
			? `${rule}: ${experiment.arms.map(({ name }, i) => `${name} ${steps[i]}`).join(', ')} steps`
			: rule,
		...(experiment.evaluation ? { selection: selectionOf(experiment.evaluation.solvers) } : {}),
		seeds: {
			training: experiment.seed,
			...(experiment.evaluation ? { measurements: experiment.evaluation.seeds } : {}),
		},
		versions: { rtil: await packageVersion(), node: process.versions.node, 'nats-server': bus.serverVersion },
		hashes: {
			experiment: spec.hash,
			'training images': spec.data.fingerprint,
			...(spec.test ? { 'test images': spec.test.fingerprint } : {}),
		},
		hardware: {
			cpu: cpus()[0]?.model.trim() ?? 'unknown',
			cores: cpus().length,
			memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
		},
	};
}

/** What chose the iterate that is returned, by solver: never the truth. */
function selectionOf(solvers: readonly { kind: string; select?: unknown }[]): string {
	const rules = solvers.map(({ kind, select }) => {
		const { by = 'loss', fraction } = (select ?? {}) as { by?: string; fraction?: number };
		const words: Record<string, string> = {
			'held-out': `${100 * (fraction ?? 0)} % of the measurements, held out`,
			discrepancy: 'the discrepancy principle',
			loss: 'the fit to the measurements',
			last: 'none: the last iterate',
		};
		return `${kind}: ${words[by] ?? by}`;
	});
	return [...new Set(rules)].join('; ');
}

function stepsIfKnown(spec: RunSpec, results: ReadonlyMap<string, unknown>): number[] | undefined {
	try {
		return stepsOfRun(spec, results);
	} catch {
		return undefined; // the machine was not measured before the run ended
	}
}

async function addToResolved(dir: string, { steps }: { steps: number[] }): Promise<void> {
	const file = path.join(dir, runFiles.resolved);
	const resolved = JSON.parse(await readFile(file, 'utf8')) as { arms: { name: string }[] };
	const byArm = Object.fromEntries(resolved.arms.map(({ name }, i) => [name, steps[i]]));
	await writeWhole(file, `${JSON.stringify({ ...resolved, steps: byArm }, null, '\t')}\n`);
}

/** Version of the package this file belongs to. */
export async function packageVersion(): Promise<string> {
	const file = new URL('../package.json', import.meta.url);
	// From dist/ the package is one folder further up.
	const text = await readFile(file, 'utf8').catch(() =>
		readFile(new URL('../../package.json', import.meta.url), 'utf8'),
	);
	return (JSON.parse(text) as { version: string }).version;
}
