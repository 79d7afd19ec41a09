// BRGM: Marinescu, Moyer, Golland, "Bayesian Image Reconstruction using Deep Generative Models" (2021), and L-BRGM: Conny,
// Mukherjee, Schönlieb, "StyleGAN-induced Data-driven Regularization for Inverse Problems" (2022).
//
// BRGM optimises w+ from its mean, λ_pix ‖y − A G(w+)‖² + λ_w Gaussian prior + λ_c Σ |1 − cos(w_i, w_j)| (its equation 6).
// L-BRGM optimises z and w+ together, λ_pix ‖y − A G(w+)‖² + λ_map ‖w_i − M(z)‖² + λ_lat ‖z‖² (equation 5, Algorithm 1),
// from the best of N₁ draws of z.
//
// Deviations. The perceptual term is LPIPS with its weight λ_vgg divided by the 7,995,392 features of VGG16 at 256², of
// which the published code takes the mean; without one, as in `quick` and `paper`, `pixel` carries the data alone and the
// best draw is the one with the lowest data term. Pixel errors count on 0 … 255 as published. Means, not sums, of prior terms as in the published code; the
// sum over pairs of cosines as in BRGM's. Statistics of w are the model's own, by coordinate, and w+ moves in units of
// its deviation: the published λ_map = 30 is of FFHQ's w, whose deviation is 0.44, and is 5.8 in these units. Iterates
// are selected by the measurements, where the paper stops by LPIPS to the truth. Both run at rate 0.1 with the paper's
// β 0.96 and 0.9999 (the published code sets, but does not use them, and runs its BRGM at a tenth of that rate).
import { z } from 'zod';
import { type Prior, requireStyles } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import {
	type PerceptualOptions,
	type PerceptualTerm,
	perceptualSchema,
	perceptualTerm,
} from './perceptual.ts';
import type { LayerPlan } from './plan.ts';
import { selectionSchema } from './selection.ts';
import { type LayerSchedule, solveLayers } from './solve.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';

const common = {
	steps: z.int().min(1).max(100_000),
	/** Of Adam. */
	rate: z.number().positive().max(10),
	/** Of Adam. */
	betas: z.tuple([z.number().min(0).max(0.9999), z.number().min(0).max(0.999999)]),
	/** Ramps at both ends, as fractions of the steps. */
	ramp: z.strictObject({ up: z.number().min(0).max(1), down: z.number().min(0).max(1) }),
	/** λ_pix: of the mean squared error on 0 … 255. */
	pixel: z.number().positive().max(1e9),
	/** End an image after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	/** Beside the mean squared error on 0 … 255; absent: none. */
	perceptual: perceptualSchema.optional(),
	select: selectionSchema,
};

const brgmSchema = z.strictObject({
	...common,
	/** λ_w: of the mean of ((w − μ) / σ)². */
	gaussian: z.number().min(0).max(1e9),
	/** λ_c: of the sum of |1 − cos| over all pairs of rows of w+. */
	cosine: z.number().min(0).max(1e9),
});

const lbrgmSchema = z.strictObject({
	...common,
	/** N₁: draws of z, of which the best is the start. */
	draws: z.int().min(1).max(10_000),
	/** λ_map: of the mean of (w_i − M(z))², in units of the deviation of w. */
	map: z.number().min(0).max(1e9),
	/** λ_lat: of the mean of z². */
	latent: z.number().min(0).max(1e9),
});

type Common = Pick<z.output<typeof brgmSchema>, keyof typeof common>;

/** Squares on [−1, 1] to squares on 0 … 255. */
const GREY_LEVELS = 127.5 ** 2;

function scheduleOf(
	options: Common,
	context: SolveContext,
	plan: Pick<LayerPlan, 'cosine' | 'mapped' | 'draws'>,
	weights: NonNullable<LayerSchedule['weights']>,
	term: PerceptualTerm | null,
): LayerSchedule {
	// Everything in units of the data term, the mean of r².
	const unit = options.pixel * GREY_LEVELS;
	return {
		plan: {
			space: 'w+',
			layers: [{ cut: null, noises: 0 }],
			truth: context.truth !== undefined,
			fit: 'mean',
			descent: { betas: options.betas },
			...plan,
		},
		steps: [options.steps],
		rates: [options.rate],
		ramp: options.ramp,
		patience: options.patience,
		start: 'mean',
		weights: Object.fromEntries(Object.entries(weights).map(([name, value]) => [name, value / unit])),
		perceptual: term && { ...term, weight: term.weight / unit },
		selection: options.select,
	};
}

const none = { up: 0, down: 0 };
const settled = { up: 0.05, down: 0.5 };
const vgg = (weight: number): PerceptualOptions => ({ weight, network: 'vgg', observed: 0, reduction: 32 });
const heldOut = { by: 'held-out', fraction: 0.1 } as const;

export const brgm: Solver<typeof brgmSchema> = {
	kind: 'brgm',
	summary: 'BRGM (Marinescu et al. 2021): w+ with a Gaussian and a cosine prior',
	schema: brgmSchema,
	presets: {
		quick: {
			steps: 250,
			rate: 0.05,
			betas: [0.9, 0.999],
			ramp: settled,
			pixel: 10,
			gaussian: 100,
			cosine: 0.1,
			patience: 60,
			select: heldOut,
		},
		paper: {
			steps: 2000,
			rate: 0.1,
			betas: [0.96, 0.9999],
			ramp: none,
			pixel: 1,
			gaussian: 100,
			cosine: 0.1,
			patience: 0,
			select: heldOut,
		},
		'paper-perceptual': {
			steps: 2000,
			rate: 0.1,
			betas: [0.96, 0.9999],
			ramp: none,
			pixel: 0.001,
			gaussian: 100,
			cosine: 0.1,
			patience: 0,
			perceptual: vgg(1.25),
			select: heldOut,
		},
	},
	check: (prior) => requireStyles('brgm', prior),
	async *solve(
		prior: Prior,
		measurements: Measurements,
		options: z.output<typeof brgmSchema>,
		context: SolveContext,
	): AsyncGenerator<Progress, Reconstruction> {
		requireStyles('brgm', prior);
		const { numStyles, wDim } = prior.generator;
		const weights = { latent: options.gaussian / (numStyles * wDim), cosine: options.cosine };
		const term = await perceptualTerm(options.perceptual, prior, measurements, context);
		const schedule = scheduleOf(options, context, { cosine: true }, weights, term);
		return yield* solveLayers(prior, measurements, schedule, context);
	},
};

export const lbrgm: Solver<typeof lbrgmSchema> = {
	kind: 'l-brgm',
	summary: 'L-BRGM (Conny et al. 2022): z and w+ together, w+ near M(z), from the best of many draws',
	schema: lbrgmSchema,
	presets: {
		quick: {
			steps: 250,
			rate: 0.05,
			betas: [0.9, 0.999],
			ramp: settled,
			draws: 32,
			pixel: 1,
			map: 5.8,
			latent: 0.4,
			patience: 60,
			select: heldOut,
		},
		paper: {
			steps: 2000,
			rate: 0.1,
			betas: [0.96, 0.9999],
			ramp: none,
			draws: 100,
			pixel: 0.1,
			map: 5.8,
			latent: 0.4,
			patience: 0,
			select: heldOut,
		},
		'paper-perceptual': {
			steps: 2000,
			rate: 0.1,
			betas: [0.96, 0.9999],
			ramp: none,
			draws: 100,
			pixel: 2e-5,
			map: 5.8,
			latent: 0.4,
			patience: 0,
			perceptual: vgg(2.5),
			select: heldOut,
		},
	},
	check: (prior) => requireStyles('l-brgm', prior),
	async *solve(
		prior: Prior,
		measurements: Measurements,
		options: z.output<typeof lbrgmSchema>,
		context: SolveContext,
	): AsyncGenerator<Progress, Reconstruction> {
		requireStyles('l-brgm', prior);
		const { numStyles, wDim, zDim } = prior.generator;
		const weights = { latent: 0, map: options.map / (numStyles * wDim), z: options.latent / zDim };
		const term = await perceptualTerm(options.perceptual, prior, measurements, context);
		const schedule = scheduleOf(options, context, { mapped: true, draws: 'latent' }, weights, term);
		return yield* solveLayers(prior, measurements, { ...schedule, draws: options.draws }, context);
	},
};
