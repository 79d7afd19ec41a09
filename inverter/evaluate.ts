// The `evaluate` job: one checkpoint × problem × solver over test images and seeds → rows of results and pictures.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { imageGrid, openDataset, splitBatch } from '../data/index.ts';
import type { HostTensor, HostTensors } from '../engine/index.ts';
import type { ResultRow } from '../metrics/index.ts';
import { parse } from './border.ts';
import { type AnyPrior, cutAt, imageSize } from './prior.ts';
import { measure, measurementPicture, parseProblem, problemLevel, problemName } from './problems/index.ts';
import { judge, type Quality } from './quality.ts';
import { type InversionSession, requireSize, resumeSchema } from './session.ts';
import { snapshotFile } from './solve-files.ts';
import { type Progress, parseSolver, type Reconstruction } from './solvers/index.ts';

/** Images solved together, if the payload does not say. */
const DEFAULT_BATCH = 8;

const payloadSchema = z.looseObject({
	run: z.string(),
	arm: z.string(),
	/** Folder of the checkpoint on this machine. */
	checkpoint: z.looseObject({ dir: z.string() }),
	problem: z.unknown(),
	solver: z.unknown(),
	/** Where solvers that are not told cut the network; see `cutAt`. */
	cuts: z.array(z.string()).min(1).optional(),
	/** A prepared data set on this machine, and which of its images. */
	images: z.looseObject({ file: z.string(), indices: z.array(z.int().min(0)).min(1) }),
	seeds: z.array(z.int().min(0)).min(1),
	batch: z.int().min(1).max(256).optional(),
	resume: resumeSchema.optional(),
});

/** What the job answers; pictures are PNG, each one row of the job's images, of the first seed. */
export interface Evaluation {
	rows: ResultRow[];
	pictures: { truth: Uint8Array; measurement: Uint8Array; reconstruction: Uint8Array };
}

export interface EvaluationEvent {
	type: 'progress';
	arm: string;
	solver: string;
	problem: string;
	level: number;
	/** Images done, of all over the seeds. */
	images: number;
	total: number;
	step: number;
	steps: number;
	layer: string;
	/** Mean relative squared residual of the batch. */
	residual: number;
	secondsLeft: number;
}

export interface EvaluateContext {
	signal: AbortSignal;
	emit: (event: EvaluationEvent & { [field: string]: unknown }) => void;
	now?: () => number;
}

/**
 * Does an `evaluate` job, or what is left of it after a kill.
 *
 * @throws what the payload, the data set or the checkpoint is refused for
 */
export async function evaluate(
	session: InversionSession,
	payload: unknown,
	context: EvaluateContext,
): Promise<Evaluation> {
	const job = parse(payloadSchema, payload, 'evaluate');
	const problem = parseProblem(job.problem, 'evaluate.problem');
	const solver = parseSolver(job.solver, 'evaluate.solver');
	const now = context.now ?? (() => performance.now());
	using dataset = openDataset(job.images.file);
	const prior = cutAt(await session.prior(job.checkpoint.dir), job.cuts);
	requireSize(prior, dataset.resolution, dataset.resolution, dataset.channels);
	// Damaged weights are refused before any work.
	await session.judges([1, dataset.resolution, dataset.resolution, dataset.channels]);

	const { indices } = job.images;
	const parts = evenly(indices, job.batch ?? DEFAULT_BATCH);
	const total = indices.length * job.seeds.length;
	const about = {
		arm: job.arm,
		solver: solver.kind,
		problem: problemName(problem),
		level: problemLevel(problem),
	};
	const { resume, ...same } = job;
	const store = resume && partsFile(resume, [same, session.engine.description]);
	const { rows, shown } = (await store?.load()) ?? { rows: [], shown: {} };
	const resumed = rows.length;
	let passed = 0;
	const startedAt = now();
	for (const [s, seed] of job.seeds.entries()) {
		for (const part of parts) {
			passed += part.length;
			if (passed <= resumed) continue;
			const truth = read(dataset, part);
			const keys = part.map((index) => ({ seed, image: dataset.names[index] ?? `${index}` }));
			const measurements = measure(session.operators, problem, truth, keys);
			const result = await session.solve(prior, measurements, job.solver, {
				seed,
				signal: context.signal,
				...(resume ? { resume } : {}),
				onProgress: (progress) => report(progress, part.length),
			});
			const quality = await judge(session, truth, result.images, measurements);
			rows.push(...rowsOf(quality, result, keys));
			if (s === 0) {
				shown.truth = joined(shown.truth, truth);
				shown.measurement = joined(shown.measurement, measurementPicture(session.operators, measurements));
				shown.reconstruction = joined(shown.reconstruction, result.images);
			}
			await store?.save({ rows, shown });
		}
	}
	await store?.remove();
	return {
		rows,
		pictures: {
			truth: await oneRow(shown.truth!, prior),
			measurement: await oneRow(shown.measurement!, prior),
			reconstruction: await oneRow(shown.reconstruction!, prior),
		},
	};

	function report(progress: Progress, count: number): void {
		const { step, steps, layerName, residual } = progress;
		const share = (rows.length - resumed + (count * step) / steps) / (total - resumed);
		const seconds = (now() - startedAt) / 1000;
		context.emit({
			type: 'progress',
			...about,
			images: rows.length,
			total,
			step,
			steps,
			layer: layerName,
			residual: residual.reduce((sum, value) => sum + value, 0) / residual.length,
			secondsLeft: share > 0 ? (seconds * (1 - share)) / share : 0,
		});
	}

	function rowsOf(
		quality: readonly Quality[],
		{ residual, seconds, perceptual }: Reconstruction,
		keys: readonly { seed: number; image: string }[],
	): ResultRow[] {
		return keys.map(({ seed, image }, i) => ({
			...about,
			image,
			seed,
			...storable(quality[i]!),
			residual: finite(residual[i]!),
			seconds: seconds / keys.length,
			...(perceptual ? { perceptual } : {}),
		}));
	}
}

/** What is known after a part of the images: their rows, and those of the first seed to show, by picture. */
interface Parts {
	rows: ResultRow[];
	shown: HostTensors;
}

/** The file of what has been done of a job, which `identity` names. */
function partsFile({ dir, every }: z.output<typeof resumeSchema>, identity: unknown) {
	const name = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
	const file = snapshotFile(dir, name, every);
	return {
		async load(): Promise<Parts | null> {
			const saved = await file.load();
			return saved && { rows: saved.values.rows as ResultRow[], shown: saved.tensors };
		},
		save: ({ rows, shown }: Parts) => file.save({ tensors: shown, values: { rows } }),
		remove: () => file.remove(),
	};
}

/** The rows of both. */
function joined(first: HostTensor | undefined, second: HostTensor): HostTensor {
	if (!first) return second;
	const data = new Float32Array(first.data.length + second.data.length);
	data.set(first.data);
	data.set(second.data, first.data.length);
	return { shape: [first.shape[0]! + second.shape[0]!, ...second.shape.slice(1)], data };
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Null for what JSON cannot hold. */
function storable(quality: Quality): Pick<ResultRow, keyof Quality> {
	const entries = Object.entries(quality).map(([key, value]) => [
		key,
		typeof value === 'number' ? finite(value) : value,
	]);
	return Object.fromEntries(entries) as Pick<ResultRow, keyof Quality>;
}

/** Parts of at most `most`, of sizes that differ by one at most: few shapes, few captures. */
function evenly<T>(values: readonly T[], most: number): T[][] {
	const count = Math.ceil(values.length / most);
	return Array.from({ length: count }, (_, i) =>
		values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count)),
	);
}

function read(dataset: ReturnType<typeof openDataset>, indices: readonly number[]): HostTensor {
	const { resolution, channels } = dataset;
	return { shape: [indices.length, resolution, resolution, channels], data: dataset.read(indices) };
}

async function oneRow({ data }: HostTensor, prior: AnyPrior): Promise<Uint8Array> {
	const { resolution, channels } = imageSize(prior);
	const images = splitBatch(data, { width: resolution, height: resolution, channels });
	const zoom = Math.max(1, Math.round(96 / resolution));
	return new Uint8Array(await imageGrid(images, { columns: images.length, gap: 2, zoom }));
}
