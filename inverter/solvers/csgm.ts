// CSGM: Bora, Jalal, Price, Dimakis, "Compressed Sensing using Generative Models" (ICML 2017). The latent alone is
// optimised, from several random starts; the start with the lowest measurement loss wins. No ground truth takes part.
import { z } from 'zod';
import type { HostTensor, HostTensors } from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import { type Measurements, selectMeasurements } from '../problems/index.ts';
import { takeRows } from './rows.ts';
import { selectionSchema } from './selection.ts';
import { type LayeredReconstruction, type LayerSchedule, solveLayers } from './solve.ts';
import type { LayerHistory, Progress, Reconstruction, SolveContext, Solver } from './solver.ts';

const schema = z.strictObject({
	/** What is optimised: z (as published), one w for all layers, or a w for each layer. */
	space: z.enum(['z', 'w', 'w+']),
	steps: z.int().min(1).max(100_000),
	/** Of Adam. */
	rate: z.number().positive().max(10),
	/** Ramps at both ends, as fractions of the steps. */
	ramp: z.strictObject({ up: z.number().min(0).max(1), down: z.number().min(0).max(1) }),
	/** Starts of each image, solved together. */
	restarts: z.int().min(1).max(64),
	/** Start number 0 of w and w+: the mean, or as random as the others. */
	start: z.enum(['mean', 'random']),
	/** Share ‖r‖ / ‖y‖ that noise and model are expected to leave: sets the weight of the prior on the latent; 0: none. */
	misfit: z.number().min(0).max(1),
	/** Data term: ‖r‖² / ‖y‖², or the mean of r² as published. */
	fit: z.enum(['relative', 'mean']),
	/** End an image after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	select: selectionSchema,
});

type CsgmOptions = z.output<typeof schema>;

const heldOut = { by: 'held-out', fraction: 0.1 } as const;

/** Row i · R + r of the batch is restart r of image i. */
function pickRestarts(
	{ images, latents, ...rest }: LayeredReconstruction,
	restarts: number,
): LayeredReconstruction {
	const N = images.shape[0]! / restarts;
	const chosen = Array.from({ length: N }, (_, i) => {
		const rows = Array.from({ length: restarts }, (_, r) => i * restarts + r);
		return rows.reduce((best, row) => (rest.scores[row]! < rest.scores[best]! ? row : best));
	});
	const take = <T>(values: readonly T[]): T[] => chosen.map((row) => values[row]!);
	const rows = (tensor: HostTensor): HostTensor => takeRows(tensor, chosen);
	const takeHistory = (layer: LayerHistory): LayerHistory => ({
		name: layer.name,
		objective: layer.objective.map(take<number>),
		residual: layer.residual.map(take<number>),
		heldOut: layer.heldOut.map(take<number>),
	});
	const kept: HostTensors = Object.fromEntries(
		Object.entries(latents).map(([name, value]) => [name, rows(value)]),
	);
	return {
		...rest,
		images: rows(images),
		latents: kept,
		residual: take(rest.residual),
		heldOut: rest.heldOut && take(rest.heldOut),
		reasons: take(rest.reasons),
		steps: take(rest.steps),
		scores: take(rest.scores),
		history: rest.history.map(takeHistory),
		// The oracle chooses among restarts, too.
		oraclePsnr:
			rest.oraclePsnr &&
			chosen.map((_, i) => Math.max(...rest.oraclePsnr!.slice(i * restarts, (i + 1) * restarts))),
	};
}

async function* solve(
	prior: Prior,
	measurements: Measurements,
	options: CsgmOptions,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	const { restarts } = options;
	const schedule: LayerSchedule = {
		plan: {
			space: options.space,
			layers: [{ cut: null, noises: 0 }],
			sphere: false,
			geodesic: false,
			ball: false,
			truth: context.truth !== undefined,
			fit: options.fit,
		},
		steps: [options.steps],
		rates: [options.rate],
		ramp: options.ramp,
		patience: options.patience,
		misfit: options.misfit,
		offsetPrior: false,
		radii: null,
		sigmas: [1],
		geodesic: 0,
		start: options.start,
		selection: options.select,
	};
	const rows = measurements.keys.flatMap((_, i) => new Array<number>(restarts).fill(i));
	const batch = restarts === 1 ? measurements : selectMeasurements(measurements, rows);
	const starts = measurements.keys.flatMap(() => Array.from({ length: restarts }, (_, r) => r));
	const truth = context.truth && takeRows(context.truth, rows);
	const run = solveLayers(prior, batch, schedule, { ...context, ...(truth ? { truth } : {}) }, starts);
	for (;;) {
		const { value, done } = await run.next();
		if (done) return pickRestarts(value, restarts);
		yield oneEach(value, restarts);
	}
}

/** The rows of the first restarts. */
const firsts = (N: number, restarts: number): number[] => Array.from({ length: N }, (_, i) => i * restarts);

/** Progress of a batch with restarts, as of the restart that fits best now. */
function oneEach(progress: Progress, restarts: number): Progress {
	if (restarts === 1) return progress;
	const best = (values: number[]): number[] =>
		Array.from({ length: values.length / restarts }, (_, i) =>
			Math.min(...values.slice(i * restarts, (i + 1) * restarts)),
		);
	const { preview, ...rest } = progress;
	return {
		...rest,
		residual: best(progress.residual),
		heldOut: progress.heldOut && best(progress.heldOut),
		objective: best(progress.objective),
		...(preview ? { preview: takeRows(preview, firsts(preview.shape[0]! / restarts, restarts)) } : {}),
	};
}

export const csgm: Solver<typeof schema> = {
	kind: 'csgm',
	summary: 'CSGM (Bora et al. 2017): the latent alone, restarts chosen by measurement loss',
	schema,
	presets: {
		quick: {
			space: 'w',
			steps: 150,
			rate: 0.1,
			ramp: { up: 0.05, down: 0.5 },
			restarts: 2,
			start: 'mean',
			misfit: 0.1,
			fit: 'relative',
			patience: 50,
			select: heldOut,
		},
		// Bora et al., CelebA: Adam 0.1, 500 steps, 10 restarts, 0.001 ‖z‖² beside the mean squared residual of an
		// un-normalised Gaussian matrix; relative to ‖y‖² that is a misfit of about 0.01.
		paper: {
			space: 'z',
			steps: 500,
			rate: 0.1,
			ramp: { up: 0, down: 0 },
			restarts: 10,
			start: 'random',
			misfit: 0.01,
			fit: 'relative',
			patience: 0,
			select: { by: 'loss' },
		},
	},
	check() {},
	solve,
};
