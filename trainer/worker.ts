// The worker process of a trainer node: owns the tensors, does one training job at a time. Started by the supervisor.
import { z } from 'zod';
import { serveWorker } from '../bus/index.ts';
import { retentionSchema } from '../checkpoints/index.ts';
import { openDataset } from '../data/index.ts';
import { openEngine } from '../engine/index.ts';
import { armConfigSchema, onDivergenceSchema } from './config.ts';
import { openQuality, qualitySchema } from './quality.ts';
import { secondsPerStep, trainArm } from './train.ts';

const interval = z.union([
	z.strictObject({ steps: z.int().min(1) }),
	z.strictObject({ seconds: z.number().positive() }),
]);
/** The prepared data set, as a file on this machine. */
const dataset = z.looseObject({ file: z.string() });

const trainPayload = z.looseObject({
	run: z.string(),
	arm: z.string(),
	config: armConfigSchema,
	dataset,
	/** Folder of the arm's checkpoints on this machine. */
	directory: z.string(),
	seed: z.int().min(0),
	steps: z.int().min(1),
	checkpointEvery: interval,
	keep: retentionSchema.prefault({}),
	onDivergence: onDivergenceSchema,
	quality: qualitySchema.optional(),
	sampleEvery: interval,
});

const calibratePayload = z.looseObject({
	configs: z.array(armConfigSchema).min(1),
	dataset,
	seed: z.int().min(0),
});

const threads = process.env.RTIL_THREADS ? { threads: Number(process.env.RTIL_THREADS) } : {};
const engine = await openEngine(threads);

serveWorker(
	{
		async train(payload: unknown, { signal, emit }) {
			const { dataset, quality, ...options } = trainPayload.parse(payload);
			using images = openDataset(dataset.file);
			const measured = quality && (await openQuality(engine, quality));
			try {
				const given = { ...options, ...(measured ? { quality: measured } : {}), dataset: images };
				return await trainArm({ ...given, engine, signal, emit, now: Date.now });
			} finally {
				measured?.dispose();
			}
		},
		async calibrate(payload: unknown) {
			const { configs, dataset, seed } = calibratePayload.parse(payload);
			using images = openDataset(dataset.file);
			const seconds: number[] = [];
			for (const config of configs) {
				seconds.push(
					await secondsPerStep({
						config,
						seed,
						dataset: images,
						engine,
						now: performance.now.bind(performance),
					}),
				);
			}
			return { secondsPerStep: seconds };
		},
	},
	{ describe: () => ({ engine: engine.description }) },
);
