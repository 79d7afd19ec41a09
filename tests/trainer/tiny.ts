// A training run of seconds: 8² faces, a tiny network of each kind, everything that a run has.
import path from 'node:path';
import { openDataset, type PreparedDataset, prepareDataset } from '../../data/index.ts';
import type { Engine } from '../../engine/index.ts';
import {
	type ArmConfig,
	armConfigSchema,
	type TrainingEvent,
	type TrainOptions,
	type TrainResult,
	trainArm,
} from '../../trainer/index.ts';

export const kinds = [
	'vanilla',
	'rtil',
	'turns',
	'mixture',
	'augmented',
	'augmented-turns',
	'pggan',
	'pggan-mixture',
	'glow',
] as const;
export type Kind = (typeof kinds)[number];

/** Regularisers come round often, so that few steps meet all of them; a batch of 8 from 12 images crosses epochs. */
export function tinyConfig(kind: Kind): ArmConfig {
	const rtil = {
		rtil: { cuts: ['b4'], family: 'pair' },
		turns: { cuts: ['b4'], batch: 'each' },
		'augmented-turns': { cuts: ['b4'], batch: 'each' },
		mixture: { cut: 'b4', codes: [3] },
		'pggan-mixture': { cut: 'b4', codes: [3], batch: 'each' },
	}[kind as string];
	if (kind === 'glow') {
		return armConfigSchema.parse({
			model: { kind: 'glow', resolution: 8, blocks: 2, steps: 2, filters: 8 },
			training: { kind: 'glow', batch: 8, warmup: 3 },
		});
	}
	if (kind.startsWith('pggan')) {
		return armConfigSchema.parse({
			model: { kind: 'pggan', resolution: 8, channels: [8, 8], zDim: 8 },
			rtil: rtil ?? null,
			// 4² for two steps, then 8², which fades in over three.
			training: { kind: 'pggan', batch: 8, growing: { fade: 0.024, stable: 0.016 } },
		});
	}
	// An odd interval and a strong pull: a checkpoint falls between two changes of the probability.
	const augment = kind.startsWith('augmented') ? { kind: 'ada', p: 0.4, every: 3, kimg: 0.2 } : null;
	return armConfigSchema.parse({
		model: { resolution: 8, channels: [8, 8], zDim: 8, wDim: 8, mappingLayers: 2 },
		rtil: rtil ?? null,
		training: { batch: 8, r1: { every: 3 }, pathLength: { every: 2 }, augment },
	});
}

export function tinyFaces(folder: string, resolution = 8, seed = 1): Promise<PreparedDataset> {
	return prepareDataset(
		{ kind: 'faces', count: 12, resolution, seed },
		{ cache: path.join(folder, 'cache') },
	);
}

/** A run of the tiny arm up to `steps`, a checkpoint every two; `change` overrides anything. */
export async function trainTiny(
	engine: Engine,
	kind: Kind,
	{
		file,
		directory,
		steps,
		...change
	}: { file: string; directory: string; steps: number } & Partial<TrainOptions>,
): Promise<TrainResult & { events: TrainingEvent[] }> {
	using dataset = openDataset(file);
	const events: TrainingEvent[] = [];
	const result = await trainArm({
		run: 'test',
		arm: kind,
		config: tinyConfig(kind),
		seed: 7,
		steps,
		dataset,
		directory,
		checkpointEvery: { steps: 2 },
		sampleEvery: { steps: 1000 },
		engine,
		signal: new AbortController().signal,
		emit: (event) => events.push(event),
		now: Date.now,
		...change,
	});
	return { ...result, events };
}
