// DGP: Pan, Zhan, Dai, Lin, Loy, Luo, "Exploiting Deep Generative Prior for Versatile Image Restoration and Manipulation"
// (ECCV 2020): z starts at the best of many draws, then z and the generator's weights are tuned together, from the shallow
// blocks to all, by the L1 distance of the discriminator's features, the squared error and a Gaussian prior on z.
//
// Kept from the published code: draws, stages, rates, factors, Adam's β. Deviations: BigGAN's seven blocks are shares of the
// blocks at hand; z is drawn as the generator was trained, not narrower; rates count for weights as they act (BigGAN's are
// not at an equalised learning rate); a StyleGAN2's mapping network stays as it is; A is the same for target and estimate;
// the measurements select the iterate, where the published code returns the last and stops by thresholds; no part of the
// result is taken from the target.
import { z } from 'zod';
import { RtilError } from '../../errors/index.ts';
import type { Prior } from '../prior.ts';
import type { Measurements, ProblemSpec } from '../problems/index.ts';
import { operatorFor } from '../problems/registry.ts';
import { perceptualTerm } from './perceptual.ts';
import { selectionSchema } from './selection.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';
import { solveTuning } from './tune.ts';

const stageSchema = z.strictObject({
	/** For each image. */
	steps: z.int().min(1).max(100_000),
	/** Share of the generator's blocks that is tuned, from 4² on; rounded up. */
	share: z.number().positive().max(1),
	/** Of Adam, for the weights as they act. */
	rate: z.number().min(0).max(10),
	/** Of Adam, for z. */
	latentRate: z.number().min(0).max(10),
	/** Factor of the distance of features. */
	features: z.number().min(0).max(1e6),
	/** Factor of the mean squared error. */
	data: z.number().min(0).max(1e6),
});

const schema = z.strictObject({
	/** Of z, of which the one whose image is closest in the last three maps of features is the start. */
	draws: z.int().min(1).max(10_000),
	stages: z.array(stageSchema).min(1).max(9),
	/** Factor of the mean of z² / 2. */
	latent: z.number().min(0).max(1e6),
	/** End an image's stage after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	select: selectionSchema,
});

type DgpOptions = z.output<typeof schema>;

/** Maps of features that judge the draws. */
const DRAW_TAPS = 3;

function check({ generator, discriminator }: Prior, problem: ProblemSpec): void {
	const refuse = (why: string): never => {
		throw new RtilError(
			'MISMATCH',
			`The solver dgp compares images by the features of the discriminator, but ${why}.`,
			'csgm, ilo and mgan serve every generator with cuts; pti and cri tune a StyleGAN2 without it.',
		);
	};
	if (!discriminator) refuse('the checkpoint has none that fits its generator');
	const { resolution, channels } = generator;
	const image = { height: resolution, width: resolution, channels };
	const shape = operatorFor(problem).measurementShape(problem as never, image);
	if (shape.length !== 3 || (shape[2] !== 1 && shape[2] !== 3)) {
		refuse(`a measurement of ${problem.kind} is no image`);
	}
}

async function* solve(
	prior: Prior,
	measurements: Measurements,
	options: DgpOptions,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	check(prior, measurements.problem);
	const { blocks, zDim } = prior.generator;
	const by = {
		weight: 1,
		network: 'discriminator',
		observed: 0,
		reduction: Number.POSITIVE_INFINITY,
	} as const;
	const found = (await perceptualTerm(by, prior, measurements, context))!;
	const term = { ...found, comparison: { ...found.comparison, absolute: true } };
	const upTo = (share: number): number => Math.ceil(share * blocks.length);
	return yield* solveTuning(
		prior,
		measurements,
		{
			plan: {
				space: 'z',
				layers: [{ cut: null, noises: 0 }],
				truth: context.truth !== undefined,
				fit: 'mean',
				draws: 'latent',
			},
			// Nothing but the start is looked for.
			steps: [0],
			rates: [0],
			ramp: { up: 0, down: 0 },
			patience: 0,
			start: 'mean',
			draws: options.draws,
			perceptual: { ...term, comparison: { ...term.comparison, taps: DRAW_TAPS } },
			selection: options.select,
		},
		{
			betas: [0, 0.999],
			stages: options.stages.map(({ share, features, ...stage }) => ({
				...stage,
				name: `weights to b${4 * 2 ** (upTo(share) - 1)}`,
				blocks: upTo(share),
				perceptual: features,
			})),
			ramp: { up: 0, down: 0 },
			acting: true,
			latentPrior: options.latent / (2 * zDim),
			perceptual: term,
			locality: null,
			patience: options.patience,
			until: 0,
			selection: options.select,
		},
		context,
	);
}

type Stage = z.output<typeof stageSchema>;

/** Stages by columns; a single value holds for all. */
function stages(columns: { [K in keyof Stage]: readonly number[] }): Stage[] {
	const at = (values: readonly number[], i: number): number => values[i] ?? values[values.length - 1]!;
	const { steps, share, rate, latentRate, features, data } = columns;
	return latentRate.map((_, i) => ({
		steps: at(steps, i),
		share: at(share, i),
		rate: at(rate, i),
		latentRate: at(latentRate, i),
		features: at(features, i),
		data: at(data, i),
	}));
}

const heldOut = { by: 'held-out', fraction: 0.1 } as const;

/** Super-resolution, published. */
const paper: DgpOptions = {
	draws: 500,
	stages: stages({
		steps: [200],
		share: [2 / 7, 3 / 7, 4 / 7, 5 / 7, 1],
		rate: [5e-5, 5e-5, 2e-5, 1e-5, 1e-5],
		latentRate: [2e-3, 1e-3, 2e-5, 1e-5, 1e-5],
		features: [1],
		data: [1],
	}),
	latent: 0.02,
	patience: 0,
	select: heldOut,
};

export const dgp: Solver<typeof schema> = {
	kind: 'dgp',
	summary:
		"DGP (Pan et al. 2020): z and the generator's weights, block by block, by the discriminator's features",
	schema,
	presets: {
		quick: {
			...paper,
			draws: 64,
			stages: stages({
				steps: [40],
				share: [0.5, 0.75, 1],
				rate: [5e-4, 3e-4, 1e-4],
				latentRate: [0.1, 0.05, 0.01],
				features: [1],
				data: [10],
			}),
		},
		paper,
		'paper-inpainting': {
			...paper,
			stages: stages({
				steps: [200],
				share: [1],
				rate: [5e-5, 5e-5, 2e-5, 2e-5, 1e-5],
				latentRate: [2e-3, 1e-3, 2e-5, 2e-5, 1e-5],
				features: [1, 1, 1, 1, 0.5],
				data: [1, 1, 1, 1, 10],
			}),
		},
		'paper-colorization': {
			...paper,
			stages: stages({
				steps: [200, 200, 300, 400, 300],
				share: [2 / 7, 3 / 7, 4 / 7, 5 / 7, 6 / 7],
				rate: [5e-5, 5e-5, 5e-5, 5e-5, 2e-5],
				latentRate: [2e-3, 1e-3, 5e-4, 5e-5, 2e-5],
				features: [1],
				data: [0],
			}),
		},
	},
	check: (prior, _options, problem) => check(prior, problem),
	solve,
};
