// The training loop of one arm: draws, steps, progress, samples, checkpoints. Everything a step uses is a function of
// (seed, step) or is in the checkpoint, so a resumed run ends with the bytes of an unbroken one on the same engine.
import path from 'node:path';
import {
	applyRetention,
	type CheckpointManifest,
	checkpointName,
	latestCheckpoint,
	type Retention,
	readGroup,
	writeCheckpoint,
} from '../checkpoints/index.ts';
import { type Dataset, imageGrid, splitBatch } from '../data/index.ts';
import type { Engine, HostTensor } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import type { ArmConfig, OnDivergence } from './config.ts';
import { collapse, meanDistance, realDistance } from './diversity.ts';
import { type QualityMeter, type QualityOptions, qualityMeter } from './quality.ts';
import { recipeOf } from './recipes.ts';
import { checkDataset, guard, requireFinite, requireSame } from './record.ts';

/** When something is due: every so many steps, or every so many seconds of wall time. */
export type Interval = { steps: number } | { seconds: number };

export interface TrainOptions {
	run: string;
	arm: string;
	config: ArmConfig;
	seed: number;
	/** Steps altogether, those of an earlier part included. */
	steps: number;
	dataset: Dataset;
	/** Folder of this arm's checkpoints; training goes on from the latest one there. */
	directory: string;
	checkpointEvery: Interval;
	sampleEvery: Interval;
	/** Checkpoints that stay. Default: the last two. */
	keep?: Retention;
	/** Absent: FID and KID are not measured. */
	quality?: QualityOptions;
	/** Default: stop. */
	onDivergence?: OnDivergence;
	engine: Engine;
	/** Aborted: a checkpoint is written and the signal's reason thrown. */
	signal: AbortSignal;
	emit(event: TrainingEvent): void;
	/** Milliseconds since the epoch. */
	now(): number;
}

export type TrainingEvent =
	| {
			type: 'progress';
			arm: string;
			phase: 'compiling' | 'training';
			step: number;
			steps: number;
			/** Real images seen. */
			images: number;
			/** Means since the last progress event, by name; `fid` and `kid` where they were measured at this step. */
			losses: Record<string, number>;
			imagesPerSecond: number;
			secondsLeft: number;
			/** Seconds of training so far, earlier parts included. */
			seconds: number;
			/** Resident memory of this process. */
			memoryBytes: number;
	  }
	| { type: 'sample'; arm: string; step: number; png: Uint8Array }
	| { type: 'checkpoint'; arm: string; step: number; dir: string; manifest: CheckpointManifest }
	| { type: 'log'; level: 'info' | 'warn'; text: string };

export interface TrainResult {
	checkpoint: CheckpointManifest;
	dir: string;
}

const progressSeconds = 1;

/**
 * Trains an arm up to `steps` steps, from its latest checkpoint if there is one.
 *
 * @throws INVALID_INPUT where config and data do not fit, MISMATCH for a checkpoint of another architecture, DIVERGED
 * when a loss is no longer a number (the last good checkpoint stays), or the signal's reason.
 */
export async function trainArm(options: TrainOptions): Promise<TrainResult> {
	const { onDivergence = 'stop', directory, emit, dataset, seed, quality, signal } = options;
	const meter = quality && qualityMeter(dataset, seed, quality, signal);
	for (let attempt: number | undefined; ; ) {
		try {
			return await trainOnce(options, meter, attempt);
		} catch (error) {
			if (onDivergence === 'stop' || !(error instanceof RtilError) || error.code !== 'DIVERGED') throw error;
			const last = await latestCheckpoint(directory);
			attempt = Math.max(attempt ?? 0, last?.manifest.metrics.attempt ?? 0) + 1;
			if (!last || attempt > onDivergence.rollback) throw error;
			const text = `${error.message}. Attempt ${attempt}: it goes on from step ${last.manifest.step} with other draws`;
			emit({ type: 'log', level: 'warn', text });
		}
	}
}

/** Seed of what steps draw in an attempt: after a roll-back, other images, latents and noise than before. */
function drawsOf(seed: number, attempt: number): number {
	return (seed + attempt * 2 ** 40) % 2 ** 53;
}

/** @param again which attempt this is; absent: that of the checkpoint it goes on from. */
async function trainOnce(
	options: TrainOptions,
	meter: QualityMeter | undefined,
	again?: number,
): Promise<TrainResult> {
	const { engine, dataset, seed, steps, signal, now, emit, config } = options;
	const resumed = await latestCheckpoint(options.directory, (dir, error) => {
		emit({ type: 'log', level: 'warn', text: `${path.basename(dir)}: ${error.message}` });
	});
	const attempt = again ?? resumed?.manifest.metrics.attempt ?? 0;
	const recipe = recipeOf(config, seed, drawsOf(seed, attempt));
	checkDataset(recipe, dataset);
	if (resumed) requireSame(resumed, recipe, options);
	if (resumed && resumed.manifest.step >= steps) return { checkpoint: resumed.manifest, dir: resumed.dir };

	let step = resumed?.manifest.step ?? 0;
	let begun = now();
	const spentBefore = resumed?.manifest.metrics.seconds ?? 0;
	const spent = (): number => spentBefore + (now() - begun) / 1000;
	const flopsBefore = resumed ? resumed.manifest.flops : 0;
	report('compiling', {}, 0);
	const state = resumed
		? await recipe.restore((group) => readGroup(resumed.dir, group))
		: recipe.initial(engine, dataset);
	const session = recipe.start(engine, dataset, state, step);
	let parent = resumed?.manifest ?? null;
	let saved: TrainResult | undefined;
	/** As reported last. */
	let latest: Record<string, number> = {};
	/** FID and KID of this step, where they were measured. */
	let measured: Record<string, number> = {};
	const diversityOfData = realDistance(dataset, seed);
	let wasDiverse = false;

	function report(
		phase: 'compiling' | 'training',
		losses: Record<string, number>,
		secondsPerStep: number,
	): void {
		const images = recipe.images(step);
		const batch = recipe.images(step + 1) - images;
		emit({
			type: 'progress',
			arm: options.arm,
			phase,
			step,
			steps,
			images,
			losses,
			imagesPerSecond: secondsPerStep > 0 ? batch / secondsPerStep : 0,
			secondsLeft: (steps - step) * secondsPerStep,
			seconds: spent(),
			memoryBytes: process.memoryUsage.rss(),
		});
	}

	async function save(): Promise<TrainResult> {
		const state = session.read();
		requireFinite(state, step, options.arm);
		const dir = path.join(options.directory, checkpointName(step));
		const flops = session.flops();
		// Solvers want the statistics of a network that is done: measuring them takes a second.
		const latent = step === steps ? recipe.latent(engine, state, step) : null;
		const manifest = await writeCheckpoint(
			dir,
			{
				createdAt: new Date(now()).toISOString(),
				arm: options.arm,
				run: options.run,
				step,
				images: recipe.images(step),
				...(flops !== undefined && flopsBefore !== undefined ? { flops: flopsBefore + flops } : {}),
				seed,
				architecture: recipe.architecture(step),
				rtil: config.rtil,
				training: config.training,
				dataset: { fingerprint: dataset.fingerprint, count: dataset.count, resolution: dataset.resolution },
				engine: engine.description,
				parent: parent?.id ?? null,
				metrics: { ...finite(latest), ...measured, seconds: spent(), ...(attempt > 0 ? { attempt } : {}) },
			},
			{ ...recipe.groups(state), ...(latent ? { latent } : {}) },
		);
		parent = manifest;
		await applyRetention(options.directory, options.keep ?? { keepLast: 2 });
		emit({ type: 'checkpoint', arm: options.arm, step, dir, manifest });
		return { checkpoint: manifest, dir };
	}

	async function drawSamples(): Promise<void> {
		const images = session.samples();
		watchDiversity(meanDistance(images) / diversityOfData);
		emit({ type: 'sample', arm: options.arm, step, png: await sampleGrid(images) });
	}

	function watchDiversity(diversity: number): void {
		if (wasDiverse && diversity < collapse) {
			const share = `${Math.round(100 * diversity)} % as far apart as real images`;
			const text = `Arm ${options.arm} may have collapsed at step ${step}: its samples are ${share}`;
			emit({ type: 'log', level: 'warn', text });
		}
		wasDiverse = diversity >= collapse;
	}

	try {
		if (step === 0) await drawSamples();
		const due = {
			checkpoint: timer(options.checkpointEvery, step, now),
			sample: timer(options.sampleEvery, step, now),
			progress: timer({ seconds: progressSeconds }, step, now),
			quality: options.quality ? timer(options.quality.every, step, now) : () => false,
		};
		let measures = false;
		const recent = new Averages();
		let since = { step, time: now() };
		while (step < steps) {
			if (signal.aborted) {
				await save();
				throw signal.reason;
			}
			recent.add(session.step(step));
			step++;
			measured = {};
			const sampled = due.sample(step) || step === steps;
			if (sampled) recent.add(session.inspect());
			const saves = due.checkpoint(step) || step === steps;
			measures = due.quality(step) || measures;
			if (meter && saves && (measures || step === steps)) {
				const from = now();
				measured = (await meter(session)) ?? {};
				measures = false;
				// Measuring is no training: neither its time nor its speed.
				const taken = now() - from;
				begun += taken;
				since.time += taken;
			}
			if (due.progress(step) || step === steps || 'fid' in measured) {
				const losses = recent.take();
				latest = losses;
				const perStep = (now() - since.time) / 1000 / (step - since.step);
				report('training', { ...losses, ...measured }, perStep);
				since = { step, time: now() };
				guard(losses, step, options.arm);
			}
			if (sampled) await drawSamples();
			if (saves) saved = await save();
			// The process also answers messages: let it.
			await new Promise((resolve) => setImmediate(resolve));
		}
		return saved!;
	} finally {
		session.dispose();
	}
}

/** Seconds a step takes on this machine, lazy regularisers included; `probe` steps are timed. */
export async function secondsPerStep(
	{
		config,
		seed,
		dataset,
		engine,
		now,
	}: Pick<TrainOptions, 'config' | 'seed' | 'dataset' | 'engine' | 'now'>,
	probe = 16,
): Promise<number> {
	const recipe = recipeOf(config, seed);
	checkDataset(recipe, dataset);
	const first = recipe.typicalStep;
	const session = recipe.start(engine, dataset, recipe.initial(engine, dataset), first);
	try {
		session.step(first); // the first runs optimise the graphs
		const start = now();
		for (let step = 1; step <= probe; step++) {
			session.step(first + step);
			await new Promise((resolve) => setImmediate(resolve));
		}
		return (now() - start) / 1000 / probe;
	} finally {
		session.dispose();
	}
}

/** What JSON can hold. */
function finite(values: Record<string, number>): Record<string, number> {
	return Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)));
}

/** Images of a grid stand in rows of eight. */
function sampleGrid({ shape, data }: HostTensor): Promise<Buffer> {
	const [, height, width, channels] = shape as [number, number, number, number];
	return imageGrid(splitBatch(data, { width, height, channels }), { columns: 8, gap: 2 });
}

/** Running means by name. */
class Averages {
	#sums = new Map<string, { sum: number; count: number }>();

	add(values: Record<string, number>): void {
		for (const [name, value] of Object.entries(values)) {
			const entry = this.#sums.get(name) ?? { sum: 0, count: 0 };
			entry.sum += value;
			entry.count++;
			this.#sums.set(name, entry);
		}
	}

	/** The means, and begins anew. */
	take(): Record<string, number> {
		const means = Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
		this.#sums = new Map();
		return means;
	}
}

/** True at each step at which the interval has passed since it was true last. */
function timer(interval: Interval, start: number, now: () => number): (step: number) => boolean {
	if ('steps' in interval) return (step) => step % interval.steps === 0;
	let last = now();
	let lastStep = start;
	return (step) => {
		if (now() - last < interval.seconds * 1000 || step === lastStep) return false;
		last = now();
		lastStep = step;
		return true;
	};
}
