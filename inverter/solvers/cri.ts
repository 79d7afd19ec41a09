// CRI: Wang, Lin, Luo, Tai, Zhang, Xie, "High-Resolution GAN Inversion for Degraded Images in Large Diverse Datasets"
// (AAAI 2023), Algorithm 1: w starts at the centroid of its clusters whose image is closest in perceptual features,
// an offset to it is optimised (equation 6), then the generator is tuned as in PTI, with the locality term (7, 8).
//
// Kept: ten clusters, 500 and 20 steps (its StyleGAN2), w+. The weights, rates and M are in a supplement that is not to be
// had: those of `paper` are PTI's, and our own for the offset. Deviations: ‖w_off‖² is squared as in the ablation ("L2"),
// its mean in units of the deviation of w; where there is no perceptual network the data term chooses the centroid.
import { z } from 'zod';
import { expected } from '../../errors/index.ts';
import { type Prior, requireStyles } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { centroidsOf } from './centroids.ts';
import { perceptualSchema, perceptualTerm } from './perceptual.ts';
import { pivotalTuning, pivotSchedule, rampSchema, tuningSchema } from './pti.ts';
import { selectionSchema } from './selection.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';
import { solveTuning } from './tune.ts';

const schema = z.strictObject({
	/** M: draws of w that are clustered. */
	samples: z.int().min(1).max(1_000_000),
	/** N: clusters. */
	clusters: z.int().min(1).max(1000),
	/** Of the offset: one for all layers, or one for each. */
	space: z.enum(['w', 'w+']),
	offset: z.strictObject({
		steps: z.int().min(1).max(100_000),
		/** Of Adam. */
		rate: z.number().positive().max(10),
		ramp: rampSchema,
		/** λ₂: of the mean of (w_off / σ)². */
		weight: z.number().min(0).max(1e6),
	}),
	tuning: tuningSchema,
	/** Beside the mean squared error; absent: the data term alone. */
	perceptual: perceptualSchema.optional(),
	/** End an image's stage after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	select: selectionSchema,
});

type CriOptions = z.output<typeof schema>;

function check(prior: Prior, { samples, clusters }: CriOptions): void {
	requireStyles('cri', prior);
	if (clusters > samples)
		throw expected(`at most ${samples} clusters of as many samples`, 'clusters', clusters);
}

async function* solve(
	prior: Prior,
	measurements: Measurements,
	options: CriOptions,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	check(prior, options);
	const { space, offset, tuning, samples, clusters } = options;
	const { numStyles, wDim } = prior.generator;
	const term = await perceptualTerm(options.perceptual, prior, measurements, context);
	const centroids = context.programs.remember(`centroids ${prior.id} ${samples} ${clusters}`, () =>
		centroidsOf(context.engine, prior, { samples, clusters }),
	);
	const first = pivotSchedule(space, offset, options, term, context);
	first.plan = { ...first.plan, centre: true, draws: 'centre' };
	first.draws = centroids;
	const size = space === 'w' ? wDim : numStyles * wDim;
	first.weights = { latent: offset.weight / size };
	const second = pivotalTuning(prior, tuning, options, term);
	return yield* solveTuning(prior, measurements, first, second, context);
}

const heldOut = { by: 'held-out', fraction: 0.1 } as const;

export const cri: Solver<typeof schema> = {
	kind: 'cri',
	summary: 'CRI (Wang et al. 2023): an offset to the closest centroid of w, then the generator is tuned',
	schema,
	presets: {
		quick: {
			samples: 2048,
			clusters: 10,
			space: 'w+',
			offset: { steps: 150, rate: 0.05, ramp: { up: 0.05, down: 0.5 }, weight: 0.01 },
			tuning: { steps: 40, rate: 0.003, until: 0, locality: { weight: 0.1, reach: 0.7 } },
			perceptual: { weight: 0.1, network: 'auto', observed: 0, reduction: 32 },
			patience: 40,
			select: heldOut,
		},
		paper: {
			samples: 10_000,
			clusters: 10,
			space: 'w+',
			offset: { steps: 500, rate: 0.023, ramp: { up: 0.05, down: 0.25 }, weight: 0.01 },
			tuning: { steps: 20, rate: 3e-4, until: 0, locality: { weight: 0.1, reach: 0.7 } },
			perceptual: { weight: 1, network: 'auto', observed: 0, reduction: 32 },
			patience: 0,
			select: heldOut,
		},
	},
	check: (prior, options) => check(prior, options),
	solve,
};
