// PTI: Roich, Mokady, Bermano, Cohen-Or, "Pivotal Tuning for Latent-based Editing of Real Images" (2021), in the degraded
// domain as CRI compares with it: a pivot in w by Adam with noise that fades, then the generator's weights are tuned with
// the pivot fixed, λ_L2 ‖y − A G‖² + λ_P perceptual distance + λ_R locality (its equations 2 to 5).
//
// Kept from the published code: 450 and at most 350 steps, the noise 0.05 σ_w (1 − t / 0.75)², the rate of the tuning, the
// end at an LPIPS of 0.06, locality off. Deviations: the pivot has the data term beside the perceptual distance; w moves in
// units of its deviation by coordinate, which makes the published rate of 0.01 0.023 (FFHQ's deviation is 0.44); noise maps
// are not optimised (the published code drops them after the pivot); weights are tuned one image after another.
import { z } from 'zod';
import { type Prior, requireStyles } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { type PerceptualTerm, perceptualSchema, perceptualTerm } from './perceptual.ts';
import { type Selection, selectionSchema } from './selection.ts';
import type { LayerSchedule } from './solve.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';
import { solveTuning } from './tune.ts';
import type { TuningSchedule } from './tune-image.ts';

export const rampSchema = z.strictObject({ up: z.number().min(0).max(1), down: z.number().min(0).max(1) });

/** Of the second stage, which CRI has as well. */
export const tuningSchema = z.strictObject({
	/** At most, for each image. */
	steps: z.int().min(1).max(100_000),
	/** Of Adam, for all weights of the synthesis network. */
	rate: z.number().positive().max(10),
	/** An image ends at this LPIPS to its measurement, if an LPIPS is what the term compares; 0: never. */
	until: z.number().min(0).max(10),
	/**
	 * Weight of L_R, which holds images beside the pivot as they were, and how far beside: in root mean squared distances
	 * of w from its mean. Absent: no such term.
	 */
	locality: z
		.strictObject({ weight: z.number().positive().max(1e6), reach: z.number().positive().max(100) })
		.optional(),
});

const schema = z.strictObject({
	/** Of the pivot: one w for all layers (as published), or a w for each. */
	space: z.enum(['w', 'w+']),
	pivot: z.strictObject({
		steps: z.int().min(1).max(100_000),
		/** Of Adam. */
		rate: z.number().positive().max(10),
		ramp: rampSchema,
		/** Deviation of the noise that is added to w at the start, in units of that of w. */
		noise: z.number().min(0).max(1),
	}),
	tuning: tuningSchema,
	/** Beside the mean squared error; absent: the data term alone. */
	perceptual: perceptualSchema.optional(),
	/** End an image's stage after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	select: selectionSchema,
});

type PtiOptions = z.output<typeof schema>;

/** The first stage of PTI and CRI without what they differ in: one latent by Adam, the mean squared error. */
export function pivotSchedule(
	space: 'w' | 'w+',
	{ steps, rate, ramp }: Pick<PtiOptions['pivot'], 'steps' | 'rate' | 'ramp'>,
	{ patience, select }: { patience: number; select: Selection },
	term: PerceptualTerm | null,
	context: SolveContext,
): LayerSchedule {
	return {
		plan: {
			space,
			layers: [{ cut: null, noises: 0 }],
			truth: context.truth !== undefined,
			fit: 'mean',
		},
		steps: [steps],
		rates: [rate],
		ramp,
		patience,
		start: 'mean',
		perceptual: term,
		selection: select,
	};
}

/** The second stage of PTI and CRI: all blocks at once. */
export function pivotalTuning(
	{ generator }: Prior,
	{ steps, rate, until, locality }: z.output<typeof tuningSchema>,
	{ patience, select }: { patience: number; select: Selection },
	term: PerceptualTerm | null,
): TuningSchedule {
	const blocks = generator.blocks.length;
	return {
		betas: [0.9, 0.999],
		stages: [{ name: 'weights', steps, rate, latentRate: 0, blocks, data: 1, perceptual: 1 }],
		ramp: { up: 0, down: 0 },
		acting: false,
		latentPrior: 0,
		perceptual: term,
		locality: locality ?? null,
		patience,
		until,
		selection: select,
	};
}

async function* solve(
	prior: Prior,
	measurements: Measurements,
	options: PtiOptions,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	requireStyles('pti', prior);
	const { space, pivot, tuning } = options;
	const term = await perceptualTerm(options.perceptual, prior, measurements, context);
	const first = pivotSchedule(space, pivot, options, term, context);
	if (pivot.noise > 0) {
		first.plan = { ...first.plan, jitter: true };
		first.jitter = (t, steps) => pivot.noise * Math.max(0, 1 - t / steps / 0.75) ** 2;
	}
	const second = pivotalTuning(prior, tuning, options, term);
	return yield* solveTuning(prior, measurements, first, second, context);
}

const heldOut = { by: 'held-out', fraction: 0.1 } as const;

export const pti: Solver<typeof schema> = {
	kind: 'pti',
	summary: 'PTI (Roich et al. 2021): a pivot in w, then the generator is tuned to each image',
	schema,
	presets: {
		quick: {
			space: 'w',
			pivot: { steps: 150, rate: 0.1, ramp: { up: 0.05, down: 0.5 }, noise: 0.05 },
			tuning: { steps: 60, rate: 0.003, until: 0 },
			perceptual: { weight: 0.1, network: 'auto', observed: 0, reduction: 32 },
			patience: 40,
			select: heldOut,
		},
		paper: {
			space: 'w',
			pivot: { steps: 450, rate: 0.023, ramp: { up: 0.05, down: 0.25 }, noise: 0.05 },
			tuning: { steps: 350, rate: 3e-4, until: 0.06 },
			perceptual: { weight: 1, network: 'auto', observed: 0, reduction: 32 },
			patience: 0,
			select: heldOut,
		},
	},
	check: (prior) => requireStyles('pti', prior),
	solve,
};
