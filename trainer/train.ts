// The training loop of one arm: draws, steps, progress, samples, checkpoints. Everything a step uses is a function of
// (seed, step) or is in the checkpoint, so a resumed run ends with the bytes of an unbroken one on the same engine.
import path from 'node:path';
import {
	applyRetention,
	type CheckpointManifest,
	checkpointName,
	latestCheckpoint,
	readGroup,
	requireArchitecture,
	writeCheckpoint,
} from '../checkpoints/index.ts';
import { batchFlips, batchSampler, type Dataset, imageGrid } from '../data/index.ts';
import { type Engine, type HostTensor, type HostTensors, stream } from '../engine/index.ts';
import { expected, RtilError } from '../errors/index.ts';
import type { ArmConfig } from './config.ts';
import {
	type Arm,
	buildArm,
	compileArm,
	initialState,
	optimizerInput,
	sampleCount,
	type TrainingProgram,
} from './program.ts';
import { familyBatch, latentSource } from './sampling.ts';

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
	keepLast?: number;
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
			/** Means since the last progress event, by name. */
			losses: Record<string, number>;
			imagesPerSecond: number;
			secondsLeft: number;
	  }
	| { type: 'sample'; arm: string; step: number; png: Uint8Array }
	| { type: 'checkpoint'; arm: string; step: number; dir: string; manifest: CheckpointManifest }
	| { type: 'log'; level: 'info' | 'warn'; text: string };

export interface TrainResult {
	checkpoint: CheckpointManifest;
	dir: string;
}

const progressSeconds = 1;
/** Losses above this, or not numbers, end the arm. */
const divergence = 1e6;

/**
 * Trains an arm up to `steps` steps, from its latest checkpoint if there is one.
 *
 * @throws INVALID_INPUT where config and data do not fit, MISMATCH for a checkpoint of another architecture, DIVERGED
 * when a loss is no longer a number (the last good checkpoint stays), or the signal's reason.
 */
export async function trainArm(options: TrainOptions): Promise<TrainResult> {
	const { engine, dataset, seed, steps, signal, now } = options;
	const arm = buildArm(options.config);
	checkDataset(arm, dataset);
	const resumed = await latestCheckpoint(options.directory, (dir, error) => {
		options.emit({ type: 'log', level: 'warn', text: `${path.basename(dir)}: ${error.message}` });
	});
	if (resumed) requireSame(resumed.manifest, options, arm);
	if (resumed && resumed.manifest.step >= steps) return { checkpoint: resumed.manifest, dir: resumed.dir };

	let step = resumed?.manifest.step ?? 0;
	const begun = now();
	const spentBefore = resumed?.manifest.metrics.seconds ?? 0;
	report('compiling', {}, 0);
	const state = resumed ? await restore(arm, resumed.dir) : initialState(arm, seed);
	const program = compileArm(engine, arm, state);
	const loop = trainingLoop(arm, program, dataset, seed);
	const samples = sampler(arm, program, seed);
	let parent = resumed?.manifest ?? null;
	let saved: TrainResult | undefined;

	function report(
		phase: 'compiling' | 'training',
		losses: Record<string, number>,
		secondsPerStep: number,
	): void {
		const { batch } = options.config.training;
		options.emit({
			type: 'progress',
			arm: options.arm,
			phase,
			step,
			steps,
			images: step * batch,
			losses,
			imagesPerSecond: secondsPerStep > 0 ? batch / secondsPerStep : 0,
			secondsLeft: (steps - step) * secondsPerStep,
		});
	}

	async function save(): Promise<TrainResult> {
		const state = program.read();
		requireFinite(state, step, options.arm);
		const dir = path.join(options.directory, checkpointName(step));
		const manifest = await writeCheckpoint(
			dir,
			{
				createdAt: new Date(now()).toISOString(),
				arm: options.arm,
				run: options.run,
				step,
				images: step * options.config.training.batch,
				...flopsOf(arm, program, step),
				seed,
				architecture: {
					generator: { ...options.config.model },
					discriminator: { ...options.config.model },
				},
				rtil: options.config.rtil,
				dataset: { fingerprint: dataset.fingerprint, count: dataset.count, resolution: dataset.resolution },
				engine: engine.description,
				parent: parent?.id ?? null,
				metrics: { seconds: spentBefore + (now() - begun) / 1000 },
			},
			checkpointGroups(arm, state),
		);
		parent = manifest;
		await applyRetention(options.directory, { keepLast: options.keepLast ?? 2 });
		options.emit({ type: 'checkpoint', arm: options.arm, step, dir, manifest });
		return { checkpoint: manifest, dir };
	}

	async function drawSamples(): Promise<void> {
		options.emit({ type: 'sample', arm: options.arm, step, png: await samples() });
	}

	try {
		if (step === 0) await drawSamples();
		const due = {
			checkpoint: timer(options.checkpointEvery, step, now),
			sample: timer(options.sampleEvery, step, now),
			progress: timer({ seconds: progressSeconds }, step, now),
		};
		const recent = new Averages();
		let since = { step, time: now() };
		while (step < steps) {
			if (signal.aborted) {
				await save();
				throw signal.reason;
			}
			recent.add(loop(step));
			step++;
			if (due.progress(step) || step === steps) {
				const losses = recent.take();
				report('training', losses, (now() - since.time) / 1000 / (step - since.step));
				since = { step, time: now() };
				guard(losses, step, options.arm);
			}
			if (due.sample(step) || step === steps) await drawSamples();
			if (due.checkpoint(step) || step === steps) saved = await save();
			// The process also answers messages: let it.
			await new Promise((resolve) => setImmediate(resolve));
		}
		return saved!;
	} finally {
		program.dispose();
	}
}

/** Seconds a step takes on this machine, lazy regularisers included; `probe` steps are timed. */
export async function secondsPerStep(
	options: Pick<TrainOptions, 'config' | 'seed' | 'dataset' | 'engine' | 'now'>,
	probe = 16,
): Promise<number> {
	const arm = buildArm(options.config);
	checkDataset(arm, options.dataset);
	const program = compileArm(options.engine, arm, initialState(arm, options.seed));
	try {
		const loop = trainingLoop(arm, program, options.dataset, options.seed);
		loop(0); // the first runs optimise the graphs
		const start = options.now();
		for (let step = 1; step <= probe; step++) {
			loop(step);
			await new Promise((resolve) => setImmediate(resolve));
		}
		return (options.now() - start) / 1000 / probe;
	} finally {
		program.dispose();
	}
}

/** One iteration at a given step (Karras et al. 2020: D, then G, each with its lazy regulariser, then the average). */
function trainingLoop(
	arm: Arm,
	program: TrainingProgram,
	dataset: Dataset,
	seed: number,
): (step: number) => Record<string, number> {
	const { config, generator, members, cuts } = arm;
	const { training } = config;
	const { batch, r1, pathLength } = training;
	const size = generator.resolution;
	const draw = { members, cuts, sigma: config.rtil?.sigma ?? 1, mixing: training.mixing };
	const latents = {
		d: latentSource(seed, 'd', generator, { ...draw, batch: arm.batch }),
		g: latentSource(seed, 'g', generator, { ...draw, batch: arm.batch }),
		path: latentSource(seed, 'path', generator, { ...draw, batch: arm.pathBatch }),
	};
	const projection = stream(seed, 'path y');
	const indices = batchSampler({ seed, count: dataset.count, batch });

	return (step) => {
		const losses: Record<string, number> = {};
		const real = dataset.read(
			indices(step),
			undefined,
			training.flips ? batchFlips({ seed, batch, step }) : undefined,
		);
		// Optimiser steps so far: one an iteration, and one for each lazy regulariser before this iteration.
		const lazyR1 = r1.gamma > 0 && step % r1.every === 0;
		const lazyPath = pathLength.weight > 0 && step % pathLength.every === 0;
		const t = {
			d: step + lazySteps({ weight: r1.gamma, every: r1.every }, step) + 1,
			g: step + lazySteps(pathLength, step) + 1,
		};

		const d = program.call('d', { ...latents.d(step), real, adam: optimizerInput(arm, 'd', t.d) });
		losses.d = d.loss!.data[0]!;
		losses['score real'] = d.real!.data[0]!;
		members.forEach(({ name }, k) => {
			losses[`score ${name}`] = d.fake!.data[k]!;
		});
		if (lazyR1)
			losses.r1 = program.call('r1', { real, adam: optimizerInput(arm, 'd', t.d + 1) }).penalty!.data[0]!;

		losses.g = program.call('g', { ...latents.g(step), adam: optimizerInput(arm, 'g', t.g) }).loss!.data[0]!;
		if (lazyPath) {
			const { penalty, length } = program.call('path', {
				...latents.path(step),
				y: projection.normals(step, arm.pathBatch.size * size * size * 3),
				adam: optimizerInput(arm, 'g', t.g + 1),
			});
			losses.path = penalty!.data[0]!;
			losses['path length'] = length!.data[0]!;
		}
		program.call('average', { decay: Float32Array.of(averageDecay(training.emaHalfLife, batch, step)) });
		return losses;
	};
}

/** Optimiser steps a network took in iterations 0 … step − 1 for a regulariser that is due every so many. */
function lazySteps({ weight, every }: { weight: number; every: number }, step: number): number {
	return weight > 0 ? Math.ceil(step / every) : 0;
}

/** Floating-point operations of `step` iterations, where the engine counts them. */
function flopsOf({ config }: Arm, program: TrainingProgram, step: number): { flops?: number } {
	const { r1, pathLength } = config.training;
	const counts = {
		d: step,
		g: step,
		r1: lazySteps({ weight: r1.gamma, every: r1.every }, step),
		path: lazySteps(pathLength, step),
	};
	let flops = 0;
	for (const [name, count] of Object.entries(counts)) {
		const once = program.flops(name as keyof typeof counts);
		if (once === undefined) return {};
		flops += once * count;
	}
	return { flops };
}

/**
 * Decay of the weight average at a step. The half-life is at most 5 % of the images seen, so that a young average
 * forgets its random start (the ramp-up of StyleGAN2-ADA).
 */
export function averageDecay(halfLifeKimg: number, batch: number, step: number): number {
	const images = Math.min(halfLifeKimg * 1000, Math.max(0.05 * step * batch, 1e-8));
	return 0.5 ** (batch / images);
}

/** Draws the grid of samples: the weight average at fixed latents, the same at every step and in every arm. */
function sampler(arm: Arm, program: TrainingProgram, seed: number): () => Promise<Buffer> {
	const { generator } = arm;
	const base = [{ name: 'G0', cuts: [], weight: 1 }];
	const batch = familyBatch(base, sampleCount, 'each');
	const inputs = latentSource(seed, 'samples', generator, {
		batch,
		members: base,
		cuts: [],
		sigma: 1,
		mixing: 0,
	})(0);
	const pixels = generator.resolution ** 2 * 3;
	return () => {
		const { images } = program.call('sample', inputs);
		const each = Array.from({ length: sampleCount }, (_, i) =>
			images!.data.subarray(i * pixels, (i + 1) * pixels),
		);
		return imageGrid(
			each.map((data) => ({ data, width: generator.resolution, height: generator.resolution, channels: 3 })),
			{ columns: 8, gap: 2 },
		);
	};
}

/** What a checkpoint holds, by file: networks under their parameters' names, and what else exact resuming needs. */
function checkpointGroups({ layout }: Arm, state: HostTensors): Record<string, HostTensors> {
	return {
		g_ema: layout.g.toHost(state.average!),
		g: layout.g.toHost(state.g!),
		d: layout.d.toHost(state.d!),
		g_optimizer: layout.g.toHost(state['g.v']!),
		d_optimizer: layout.d.toHost(state['d.v']!),
		state: { path_mean: state.pathMean! },
	};
}

async function restore({ layout }: Arm, dir: string): Promise<HostTensors> {
	const flat = async (network: 'g' | 'd', group: string): Promise<HostTensor> =>
		layout[network].fromHost(await readGroup(dir, group));
	return {
		average: await flat('g', 'g_ema'),
		g: await flat('g', 'g'),
		d: await flat('d', 'd'),
		'g.v': await flat('g', 'g_optimizer'),
		'd.v': await flat('d', 'd_optimizer'),
		pathMean: (await readGroup(dir, 'state')).path_mean!,
	};
}

function checkDataset({ generator }: Arm, dataset: Dataset): void {
	if (dataset.resolution !== generator.resolution || dataset.channels !== 3) {
		throw expected(
			`images of ${generator.resolution}×${generator.resolution}×3`,
			'the data set',
			`${dataset.resolution}×${dataset.resolution}×${dataset.channels}`,
			'Prepare it at the resolution of the model',
		);
	}
}

/** A run goes on only with the data, seed, networks and family it began with. */
function requireSame(manifest: CheckpointManifest, options: TrainOptions, arm: Arm): void {
	requireArchitecture(manifest, { generator: arm.config.model, discriminator: arm.config.model });
	const { batch } = options.config.training;
	const pairs = [
		['seed', manifest.seed, options.seed],
		['batch', manifest.step > 0 ? manifest.images / manifest.step : batch, batch],
		['rtil', JSON.stringify(manifest.rtil), JSON.stringify(options.config.rtil)],
		['data set', manifest.dataset?.fingerprint, options.dataset.fingerprint],
	] as const;
	for (const [what, found, wanted] of pairs) {
		if (found === wanted) continue;
		throw new RtilError(
			'MISMATCH',
			`The checkpoint of step ${manifest.step} in ${options.directory} has another ${what}: ${found}, not ${wanted}`,
			'Train into another folder, or go on with what the run began with',
		);
	}
}

function guard(losses: Record<string, number>, step: number, arm: string): void {
	for (const [name, value] of Object.entries(losses)) {
		if (Math.abs(value) < divergence) continue;
		throw diverged(arm, step, `${name} is ${value}`);
	}
}

/** Losses show a step late that a parameter went bad: a checkpoint looks at the parameters themselves. */
function requireFinite(state: HostTensors, step: number, arm: string): void {
	for (const [name, { data }] of Object.entries(state)) {
		const bad = data.findIndex((value) => !Number.isFinite(value));
		if (bad >= 0) throw diverged(arm, step, `element ${bad} of "${name}" is ${data[bad]}`);
	}
}

function diverged(arm: string, step: number, what: string): RtilError {
	return new RtilError(
		'DIVERGED',
		`Arm ${arm} diverged before step ${step}: ${what}`,
		'Lower training.learningRate or raise training.r1.gamma; the last checkpoint is from before',
	);
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
