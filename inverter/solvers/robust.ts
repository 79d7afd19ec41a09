// Robust restoration without tuning: Poirier-Ginter and Lalonde, "Robust Unsupervised StyleGAN Image Restoration" (CVPR
// 2023). Three phases, each with more freedom: one w for all layers, a row of w+ for each, a style for each filter (W++).
// Normalised gradient steps, no momentum, from the mean of w; the same numbers for every task.
//
// Deviations. There is no perceptual term here: the sum over a pyramid of halved images is of squares. A filter of a
// convolution and one of the RGB layer that share a row of w+ have a style each in W++. Rates are shares of the radius of
// the model's own w: published 0.08, 0.02 and 0.005 are of FFHQ's, √Σσ² = 9.95. Nothing random is drawn into the holes of
// a mask: both images are 0 there. Iterates are selected by the measurements.
import { z } from 'zod';
import { type Prior, requireStyles } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { selectionSchema } from './selection.ts';
import { solveLayers } from './solve.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';

const phases = ['w', 'w+', 'w++'] as const;

const schema = z.strictObject({
	/** Of w, w+ and w++. */
	steps: z.tuple([z.int().min(1).max(100_000), z.int().min(1).max(100_000), z.int().min(1).max(100_000)]),
	/** Length of a step in each phase, as a share of the radius √Σσ² of w. */
	rate: z.tuple([
		z.number().positive().max(10),
		z.number().positive().max(10),
		z.number().positive().max(10),
	]),
	/** Ramps at both ends of a phase, as fractions of its steps. */
	ramp: z.strictObject({ up: z.number().min(0).max(1), down: z.number().min(0).max(1) }),
	/** Weight of |r| at the top of the pyramid beside the squares. */
	l1: z.number().min(0).max(1000),
	/** End an image's phase after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	select: selectionSchema,
});

type RobustOptions = z.output<typeof schema>;

async function* solve(
	prior: Prior,
	measurements: Measurements,
	options: RobustOptions,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	requireStyles('robust', prior);
	return yield* solveLayers(
		prior,
		measurements,
		{
			plan: {
				space: 'w+',
				layers: phases.map((phase) => ({ cut: null, noises: 0, phase })),
				truth: context.truth !== undefined,
				fit: 'mean',
				pyramid: true,
				descent: 'normalised',
			},
			steps: options.steps,
			rates: options.rate,
			ramp: options.ramp,
			patience: options.patience,
			start: 'mean',
			weights: { l1: options.l1 },
			selection: options.select,
		},
		context,
	);
}

const heldOut = { by: 'held-out', fraction: 0.1 } as const;

/** √Σσ² of w of FFHQ's StyleGAN2. */
const FFHQ_RADIUS = 9.9468;

export const robust: Solver<typeof schema> = {
	kind: 'robust',
	summary: 'Poirier-Ginter and Lalonde 2023: w, then w+, then a style for each filter, by normalised steps',
	schema,
	presets: {
		quick: {
			steps: [80, 80, 80],
			rate: [0.02, 0.006, 0.002],
			ramp: { up: 0, down: 0.7 },
			l1: 0.1,
			patience: 0,
			select: heldOut,
		},
		paper: {
			steps: [150, 150, 150],
			rate: [0.08 / FFHQ_RADIUS, 0.02 / FFHQ_RADIUS, 0.005 / FFHQ_RADIUS],
			ramp: { up: 0, down: 0 },
			l1: 0.1,
			patience: 0,
			select: heldOut,
		},
	},
	check: (prior) => requireStyles('robust', prior),
	solve,
};
