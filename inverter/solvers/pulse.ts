// PULSE: Menon, Damian, Hu, Ravi, Rudin, "PULSE: Self-Supervised Photo Upsampling via Latent Space Exploration of
// Generative Models" (CVPR 2020), as ILO and CRI compare with it: w+ and the first noise maps on the spheres they start
// on, the loss of the measurement (published for super-resolution, here any operator) down to ε, the geodesic
// cross-distance (geocross) that draws the rows of w+ together.
//
// Kept from the published code: Adam 0.4 over 100 steps with its rate curve, five noise maps, ε, weights 100 and 0.05.
// Different on purpose: the statistics of w are the model's own, by coordinate, on w itself and not before a leaky ReLU;
// the last noise map is random as the others, not zero; the published loss is of images in [0, 1], hence a factor of 4
// in ε and in the weight; a result is returned even when ε is not reached; restarts are chosen by the measurements.
import { z } from 'zod';
import { type Prior, requireStyles } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { selectionSchema } from './selection.ts';
import { solveLayers } from './solve.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';

const schema = z.strictObject({
	steps: z.int().min(1).max(100_000),
	/** Of Adam, at the top of the curve. */
	rate: z.number().positive().max(10),
	/** Noise maps optimised, from the first. */
	noises: z.int().min(0).max(32),
	/** Weight of the geodesic cross-distance beside the mean of r². */
	geodesic: z.number().min(0).max(100),
	/** ε: the mean of r² is lowered no further. */
	epsilon: z.number().min(0).max(4),
	/** End an image after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	select: selectionSchema,
});

type PulseOptions = z.output<typeof schema>;

async function* solve(
	prior: Prior,
	measurements: Measurements,
	options: PulseOptions,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	requireStyles('pulse', prior);
	return yield* solveLayers(
		prior,
		measurements,
		{
			plan: {
				space: 'w+',
				layers: [{ cut: null, noises: options.noises }],
				sphere: true,
				geodesic: options.geodesic > 0,
				truth: context.truth !== undefined,
				fit: 'mean',
				floor: true,
			},
			steps: [options.steps],
			rates: [options.rate],
			ramp: 'one-cycle',
			patience: options.patience,
			geodesic: options.geodesic,
			start: 'random',
			weights: { floor: options.epsilon },
			selection: options.select,
		},
		context,
	);
}

export const pulse: Solver<typeof schema> = {
	kind: 'pulse',
	summary: 'PULSE (Menon et al. 2020): w+ and noises on spheres, rows of w+ drawn together',
	schema,
	presets: {
		paper: {
			steps: 100,
			rate: 0.4,
			noises: 5,
			geodesic: 0.002,
			epsilon: 0.008,
			patience: 0,
			select: { by: 'loss' },
		},
		quick: {
			steps: 100,
			rate: 0.4,
			noises: 5,
			geodesic: 0.002,
			epsilon: 0.0001,
			patience: 0,
			select: { by: 'held-out', fraction: 0.1 },
		},
	},
	check: (prior) => requireStyles('pulse', prior),
	solve,
};
