// CSGM: Bora, Jalal, Price, Dimakis, "Compressed Sensing using Generative Models" (ICML 2017). The latent alone is
// optimised, from several random starts; the start with the lowest measurement loss wins. No ground truth takes part.
import { z } from 'zod';
import type { Prior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { solveRestarts } from './restarts.ts';
import { selectionSchema } from './selection.ts';
import type { LayerSchedule } from './solve.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';

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
			truth: context.truth !== undefined,
			fit: options.fit,
		},
		steps: [options.steps],
		rates: [options.rate],
		ramp: options.ramp,
		patience: options.patience,
		misfit: options.misfit,
		start: options.start,
		selection: options.select,
	};
	return yield* solveRestarts(prior, measurements, schedule, context, restarts);
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
