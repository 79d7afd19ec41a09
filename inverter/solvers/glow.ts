// Inversion with a Glow: Oberlin and Verm, "Regularization via Deep Generative Models: an Analysis Point of View" (ICIP
// 2021). Synthesis (equation 3) finds latents: min over eps of ‖A G(eps) − y‖² + λ ‖eps‖². Analysis (equation 4) finds the
// image itself: min over x of ‖A x − y‖² + λ R(x). Images x lie in [−½, ½] in both.
//
// The paper puts ½ before the data term: its λ counts twice here. Its published notebook has no ½, and differs otherwise:
// the synthesis penalises eps before the learned priors but the analysis the raw latents z behind them; the analysis
// starts at uniform noise where the paper has G(0); λ and steps differ by problem; a penalty on checkerboards in
// super-resolution, which is not in the paper, is left out here; the best iterate is meant to be kept, but the last one is
// returned. Presets `paper` and `published-code*` say which; iterates of the first are selected by the measurements.
import { z } from 'zod';
import type { GlowPrior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { type GlowOptimiser, type GlowSchedule, solveGlow } from './glow-solve.ts';
import { solveGlowFrom } from './glow-stages.ts';
import { selectionSchema } from './selection.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';

const common = {
	/** Evaluations of the objective and its gradient. */
	steps: z.int().min(1).max(100_000),
	optimiser: z.discriminatedUnion('kind', [
		z.strictObject({
			kind: z.literal('adam'),
			rate: z.number().positive().max(10),
			/** Ramps at both ends, as fractions of the steps. */
			ramp: z.strictObject({ up: z.number().min(0).max(1), down: z.number().min(0).max(1) }),
		}),
		z.strictObject({
			kind: z.literal('l-bfgs'),
			/** Pairs of steps and changes of the gradient remembered. */
			memory: z.int().min(1).max(100),
		}),
	]),
	/** λ. */
	weight: z.number().min(0).max(1e6),
	/**
	 * Where the measurement has noise, λ is no lower than what makes the result the most probable image: with σ in the
	 * units of x, σ² of ‖eps‖² or ‖z‖², and 2 σ² of −log p.
	 */
	map: z.boolean(),
	/** End an image after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	select: selectionSchema,
};

const synthesisSchema = z.strictObject(common);

const analysisSchema = z.strictObject({
	...common,
	/** R: ‖eps‖² of the latents as their learned priors see them, ‖z‖² of the raw ones, or −log p(x). */
	regulariser: z.enum(['eps', 'z', 'likelihood']),
	/** x at the start: what the fitted measurements show, G(0), uniform noise, or what a synthesis of so many steps finds. */
	start: z.union([
		z.enum(['degraded', 'mean', 'uniform']),
		z.strictObject({ synthesis: z.int().min(1).max(100_000) }),
	]),
	/** Clip x to the range of images before everything else (as published: Hardtanh). */
	clip: z.boolean(),
});

type Common = z.output<typeof synthesisSchema>;

/** λ of each image. */
function weightsOf({ weight, map }: Common, { keys, sigma }: Measurements, factor: 1 | 2): number[] {
	return keys.map((_, n) => (map && sigma ? Math.max(weight, factor * (sigma[n]! / 2) ** 2) : weight));
}

const scheduleOf = (
	options: Common,
	measurements: Measurements,
	{ truth }: SolveContext,
	plan: Omit<GlowSchedule['plan'], 'truth'>,
	start: GlowSchedule['start'],
): GlowSchedule => ({
	plan: { ...plan, truth: truth !== undefined },
	steps: options.steps,
	optimiser: options.optimiser,
	weights: weightsOf(options, measurements, plan.regulariser === 'likelihood' ? 2 : 1),
	start,
	patience: options.patience,
	selection: options.select,
});

/** The plan of a synthesis. */
const eps = { formulation: 'synthesis', regulariser: 'eps', clip: false } as const;

const heldOut = { by: 'held-out', fraction: 0.1 } as const;
const last = { by: 'last' } as const;

/** Of both formulations: Adam at 0.1, never ramped. */
const published: GlowOptimiser = { kind: 'adam', rate: 0.1, ramp: { up: 0, down: 0 } };

const quick = {
	steps: 150,
	optimiser: { kind: 'l-bfgs', memory: 10 },
	map: true,
	patience: 40,
	select: heldOut,
} as const;

/** λ around 10⁻⁴ (§4) beside ½ ‖·‖²; as many steps as the code takes. */
const paper = {
	steps: 1000,
	optimiser: published,
	weight: 2e-4,
	map: false,
	patience: 0,
	select: heldOut,
} as const;

const notebook = { optimiser: published, map: false, patience: 0, select: last } as const;

export const glowSynthesis: Solver<typeof synthesisSchema, GlowPrior> = {
	kind: 'glow-synthesis',
	summary: 'Glow synthesis (Oberlin and Verm 2021): the latents of a Glow, from their mean',
	needs: 'glow',
	schema: synthesisSchema,
	presets: {
		quick: { ...quick, weight: 1e-3 },
		paper,
		'published-code': { ...notebook, steps: 1000, weight: 1e-4 },
		'published-code-inpainting': { ...notebook, steps: 1000, weight: 4e-4 },
		'published-code-super-resolution': { ...notebook, steps: 500, weight: 5e-4 },
		'published-code-super-resolution-x4': { ...notebook, steps: 400, weight: 5e-3 },
	},
	check() {},
	async *solve(
		prior: GlowPrior,
		measurements: Measurements,
		options: Common,
		context: SolveContext,
	): AsyncGenerator<Progress, Reconstruction> {
		const schedule = scheduleOf(options, measurements, context, eps, 'mean');
		return yield* solveGlow(prior, measurements, schedule, context);
	},
};

const raw = { ...notebook, regulariser: 'z', start: 'uniform', clip: true } as const;

/**
 * Pixels held out judge the network's guess of them, not the pixels that are fitted: λ alone decides, and the minimum is
 * what is wanted. −log p is steep and crooked in x, and where images are far from likely (compressed sensing, noise) no
 * descent from the degraded one leaves its surroundings; a synthesis does, its latents being how the network measures.
 * A Glow of faces at 32² gave, on 4 test images, from the degraded start, from a synthesis, and the synthesis alone, in
 * dB: compressed sensing (10 %) 13.0, 24.5, 23.4; inpainting (25 %) 21.9, 22.9, 21.5; super-resolution ×4 19.6, 21.4,
 * 21.2; colorization 27.4, 23.9, 22.8; denoising (σ 0.2) 21.2, 26.7, 27.0; deblurring 24.3, 25.7, 23.8.
 */
const analysis = {
	...quick,
	weight: 1e-4,
	select: last,
	patience: 0,
	regulariser: 'likelihood',
	start: { synthesis: quick.steps },
	clip: false,
} as const;

export const glowAnalysis: Solver<typeof analysisSchema, GlowPrior> = {
	kind: 'glow-analysis',
	summary: 'Glow analysis (Oberlin and Verm 2021): the image itself, its latents under a Glow kept short',
	needs: 'glow',
	schema: analysisSchema,
	presets: {
		quick: {
			...analysis,
			steps: 200,
			optimiser: { kind: 'adam', rate: 0.02, ramp: { up: 0.05, down: 0.5 } },
		},
		// For noise: there λ makes the problem stiff, and Adam's steps are no match for it.
		noisy: analysis,
		paper: { ...paper, regulariser: 'eps', start: 'mean', clip: false },
		'published-code': { ...raw, steps: 1000, weight: 1e-5 },
		'published-code-inpainting': { ...raw, steps: 1000, weight: 5e-4, start: 'mean' },
		'published-code-super-resolution': { ...raw, steps: 400, weight: 1e-4 },
		'published-code-super-resolution-x4': { ...raw, steps: 400, weight: 1e-5 },
	},
	check() {},
	async *solve(
		prior: GlowPrior,
		measurements: Measurements,
		options: z.output<typeof analysisSchema>,
		context: SolveContext,
	): AsyncGenerator<Progress, Reconstruction> {
		const { regulariser, clip, start } = options;
		const plan = { formulation: 'analysis', regulariser, clip } as const;
		if (typeof start === 'string') {
			const schedule = scheduleOf(options, measurements, context, plan, start);
			return yield* solveGlow(prior, measurements, schedule, context);
		}
		const latents = { ...glowSynthesis.presets.quick!, map: options.map, steps: start.synthesis };
		const lead = scheduleOf(latents, measurements, context, eps, 'mean');
		const schedule = scheduleOf(options, measurements, context, plan, 'mean');
		return yield* solveGlowFrom(lead, prior, measurements, schedule, context);
	},
};
