// mGANprior: Gu, Shen, Zhou, "Image Processing Using Multi-Code GAN Prior" (CVPR 2020), and its settings for priors trained
// with RTIL: Gunn, Cocola, Hand (TMLR 2023), §2.3, Algorithm 2, appendix A.4. N codes each make their features at a cut;
// their sum, each channel of each code by a weight of its own, goes on to the image. Codes and weights are optimised.
//
// Deviations: the perceptual term is LPIPS, where theirs is the mean absolute difference at relu3_3 of a VGG16; the sum is not divided by N once more (`published-code` does); measurements select the
// iterate. On a StyleGAN2, which the paper has not, the styles after the cut are the mean of the codes' and the RGB image
// so far is mixed by the mean weight of its code.
import { z } from 'zod';
import { RtilError } from '../../errors/index.ts';
import type { Cut } from '../../models/index.ts';
import { type Prior, usualCuts } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { type PerceptualOptions, perceptualSchema, perceptualTerm } from './perceptual.ts';
import { selectionSchema } from './selection.ts';
import { solveLayers } from './solve.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';

const schema = z.strictObject({
	/** N. */
	codes: z.int().min(1).max(256),
	/** Where codes are mixed; absent: where the prior was trained with RTIL, else at an eighth of the image's side. */
	cut: z.string().optional(),
	steps: z.int().min(1).max(100_000),
	descent: z.enum(['sgd', 'adam']),
	rate: z.number().positive().max(100),
	/** Ramps at both ends, as fractions of the steps. */
	ramp: z.strictObject({ up: z.number().min(0).max(1), down: z.number().min(0).max(1) }),
	/** Every weight at the start; absent: 1 / N. */
	weight: z.number().positive().max(10).optional(),
	/** End an image after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	/** Absent: the data term alone. */
	perceptual: perceptualSchema.optional(),
	select: selectionSchema,
});

type MganOptions = z.output<typeof schema>;

function cutFor(prior: Prior, options: MganOptions): Cut {
	const { cuts, resolution } = prior.generator;
	const eighth = cuts.find((cut) => cut.resolution >= resolution / 8) ?? cuts[0]!;
	const name = options.cut ?? usualCuts(prior)?.at(-1) ?? eighth.name;
	const found = cuts.find((cut) => cut.name === name);
	if (found) return found;
	throw new RtilError(
		'MISMATCH',
		`The generator has no cut "${name}" but ${cuts.map((cut) => cut.name).join(', ')}.`,
		'Name another cut, or take another checkpoint.',
	);
}

async function* solve(
	prior: Prior,
	measurements: Measurements,
	options: MganOptions,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	return yield* solveLayers(
		prior,
		measurements,
		{
			plan: {
				space: 'z',
				layers: [{ cut: null, noises: 0 }],
				truth: context.truth !== undefined,
				fit: 'mean',
				mixture: { cut: cutFor(prior, options), codes: options.codes },
				...(options.descent === 'sgd' ? { descent: 'sgd' } : {}),
			},
			steps: [options.steps],
			rates: [options.rate],
			ramp: options.ramp,
			patience: options.patience,
			start: 'mean',
			perceptual: await perceptualTerm(options.perceptual, prior, measurements, context),
			channelWeight: options.weight ?? 1 / options.codes,
			selection: options.select,
		},
		context,
	);
}

const none = { up: 0, down: 0 };
const heldOut = { by: 'held-out', fraction: 0.1 } as const;

/** RTIL, appendix A.4. */
const paper: MganOptions = {
	codes: 20,
	steps: 2500,
	descent: 'sgd',
	rate: 1,
	ramp: none,
	patience: 0,
	select: heldOut,
};

const published = (weight: number): PerceptualOptions => ({
	weight: { inpainting: weight, 'super-resolution': weight },
	network: 'vgg',
	observed: 0,
	reduction: 8,
});

export const mgan: Solver<typeof schema> = {
	kind: 'mgan',
	summary: 'mGANprior (Gu et al. 2020) with the settings of RTIL: N codes mixed by channel weights at a cut',
	schema,
	presets: {
		quick: {
			codes: 10,
			steps: 250,
			descent: 'adam',
			rate: 0.05,
			ramp: { up: 0.05, down: 0.5 },
			patience: 60,
			select: heldOut,
		},
		paper,
		'paper-rtil': { ...paper, descent: 'adam', rate: 0.1 },
		// λ of RTIL, appendix A.4, for priors without and with RTIL; not where sides are a sixteenth.
		'paper-perceptual': { ...paper, perceptual: published(0.5) },
		'paper-rtil-perceptual': { ...paper, descent: 'adam', rate: 0.1, perceptual: published(0.1) },
		'published-code': { ...paper, weight: 1 / 20 ** 2, select: { by: 'last' } },
	},
	check: (prior, options) => void cutFor(prior, options),
	solve,
};
