// ILO: Daras, Dean, Jalal, Dimakis, "Intermediate Layer Optimization" (2021), and its settings for priors trained with
// RTIL: Gunn, Cocola, Hand (TMLR 2023), §3.1, Algorithm 1, appendix A.3. Optimises the latents, then layer by layer an
// offset to the features at a cut. Kept from the published code: ramped rates, noises, geodesic term, spheres.
// Different on purpose: see layers.ts; and the offsets have a Gaussian prior with the σ of training.
//
// The code of both papers differs from their text. `published` brings its slips back one by one, and the presets
// `published-code*` all of them; golden tensors of that code hold them to it. Not brought back: iterates selected by the
// true image (the last one is returned instead), images in [0, 1] compared with a generator of [−1, 1], statistics of w
// taken from another network. The presets `paper-perceptual` and `paper-rtil-perceptual` have LPIPS; see perceptual.ts.
//
// Inpainting (workshop paper, equation 3): ‖M ⊙ I − M ⊙ G(z)‖² + α LPIPS(M ⊙ I + Mᶜ ⊙ G(z), G(z)) + β R(z). The image
// superposed on the estimate matters to a perceptual distance alone: by squares it is the masked data term.
import { z } from 'zod';
import { RtilError } from '../../errors/index.ts';
import type { Cut } from '../../models/index.ts';
import { type Prior, requireStyles, usualCuts } from '../prior.ts';
import type { Measurements, ProblemSpec } from '../problems/index.ts';
import { proxyStatistics } from '../statistics.ts';
import { perceptualSchema, perceptualTerm } from './perceptual.ts';
import { solveRestarts } from './restarts.ts';
import { selectionSchema } from './selection.ts';
import type { LayerSchedule } from './solve.ts';
import type { Progress, Reconstruction, SolveContext, Solver } from './solver.ts';

const schema = z.strictObject({
	/** Steps of the latents, then of each cut; as many layers as there are numbers, and cuts to serve them. */
	steps: z.array(z.int().min(1).max(100_000)).min(1).max(9),
	/** Of Adam: one, or one a layer. */
	rate: z.union([z.number().positive().max(10), z.array(z.number().positive().max(10)).min(1).max(9)]),
	/** Ramps at both ends of a layer, as fractions of its steps. */
	ramp: z.strictObject({ up: z.number().min(0).max(1), down: z.number().min(0).max(1) }),
	/** Where to cut; absent: where the prior was trained with RTIL, else after its first blocks. */
	cuts: z.array(z.string()).min(1).max(8).optional(),
	/** Noise maps optimised with the latents, and how many more with each cut; 0: they stay at their start. */
	noises: z.strictObject({ first: z.int().min(0).max(32), more: z.int().min(0).max(8) }),
	/** Latents and noises start at their mean or at random. */
	start: z.enum(['mean', 'random']),
	/** Keep latents and noises on the spheres they start on; needs a random start. */
	sphere: z.boolean(),
	/** Weight of the geodesic term, which draws the rows of w+ together; it acts in every layer. */
	geodesic: z.number().min(0).max(100),
	/**
	 * The offsets at cuts: with a Gaussian prior, in an ℓ1 ball (radius by layer, in units of σ), or free. σ: of training
	 * with RTIL; else that of the features; or a number.
	 */
	offset: z.discriminatedUnion('prior', [
		z.strictObject({ prior: z.literal('gaussian'), sigma: z.number().positive().optional() }),
		z.strictObject({
			prior: z.literal('l1-ball'),
			radius: z.array(z.number().positive()).min(1).max(9),
			sigma: z.number().positive().optional(),
		}),
		z.strictObject({ prior: z.literal('none'), sigma: z.number().positive().optional() }),
	]),
	/**
	 * Denoising by stochastic addition of noise (ILO workshop paper, equation 4): Gaussian noise of the measurement's σ, drawn
	 * anew for each step, is added to what is measured of the estimate before it is compared. Needs that noise in the
	 * problem.
	 */
	stochastic: z.boolean().optional(),
	/** Slips of the published code; absent: none. */
	published: z
		.strictObject({
			/** The image of the RGB layers up to a cut is lost on entering its layer. */
			dropRgb: z.boolean(),
			/** The geodesic term acts in the first layer alone. */
			geodesicFirst: z.boolean(),
			/** w+ = LeakyReLU(σ z + μ) with a Gaussian fitted before that activation. */
			proxy: z.boolean(),
			/** The first step of every layer has rate 0. */
			lateRate: z.boolean(),
		})
		.optional(),
	/** Share ‖r‖ / ‖y‖ that noise and model are expected to leave: sets the weight of the Gaussian priors; 0: none. */
	misfit: z.number().min(0).max(1),
	/** Data term: ‖r‖² / ‖y‖², or the mean of r² as published. */
	fit: z.enum(['relative', 'mean']),
	/** Starts of each image, solved together; absent: 1. The first is as `start` says, the others are random. */
	restarts: z.int().min(1).max(64).optional(),
	/** End an image's layer after so many steps without a better score; 0: never. */
	patience: z.int().min(0),
	/** Absent: the data term alone. */
	perceptual: perceptualSchema.optional(),
	select: selectionSchema,
});

type IloOptions = z.output<typeof schema>;

/** Cuts that serve the layers after the first, in the order of the network. */
function cutsFor(prior: Prior, options: IloOptions): Cut[] {
	const all = prior.generator.cuts;
	const names = options.cuts ?? usualCuts(prior) ?? all.map(({ name }) => name);
	for (const name of names) {
		if (all.some((cut) => cut.name === name)) continue;
		throw new RtilError(
			'MISMATCH',
			`The generator has no cut "${name}" but ${all.map((cut) => cut.name).join(', ')}.`,
			'Name other cuts, or take another checkpoint.',
		);
	}
	return all.filter(({ name }) => names.includes(name)).slice(0, options.steps.length - 1);
}

function check(prior: Prior, options: IloOptions, problem: ProblemSpec): void {
	cutsFor(prior, options);
	if (options.published?.proxy) requireStyles('ilo (published.proxy)', prior);
	if (options.stochastic && (!problem.noise || problem.noise.kind === 'none')) {
		throw new RtilError(
			'MISMATCH',
			'Stochastic addition of noise needs the noise level, but the problem has no noise.',
			'Add `noise: {kind: gaussian, sigma: …}` to the problem, or set `stochastic: false`.',
		);
	}
	if (options.sphere && options.start !== 'random') {
		throw new RtilError('INVALID_INPUT', 'The spheres of ILO need a random start.', 'Set `start: random`.');
	}
}

const at = (values: number | readonly number[], layer: number): number =>
	typeof values === 'number' ? values : (values[layer] ?? values[values.length - 1]!);

/** The layers of these options for a prior. */
export function iloSchedule(prior: Prior, options: IloOptions, truth: boolean): LayerSchedule {
	const { offset, noises, published } = options;
	const layers = [null, ...cutsFor(prior, options)].map((cut, i) => ({
		cut,
		noises: noises.first === 0 ? 0 : noises.first + i * noises.more,
	}));
	return {
		plan: {
			space: 'w+',
			layers,
			sphere: options.sphere,
			geodesic: options.geodesic > 0,
			ball: offset.prior === 'l1-ball',
			truth,
			fit: options.fit,
			...(published?.dropRgb ? { dropRgb: true } : {}),
			...(published?.geodesicFirst ? { geodesicFirst: true } : {}),
			...(published?.proxy ? { proxy: true } : {}),
			...(options.stochastic ? { stochastic: true } : {}),
		},
		steps: layers.map((_, i) => options.steps[i]!),
		rates: layers.map((_, i) => at(options.rate, i)),
		ramp: { ...options.ramp, late: published?.lateRate },
		patience: options.patience,
		misfit: options.misfit,
		offsetPrior: offset.prior === 'gaussian',
		...(offset.prior === 'l1-ball'
			? { radii: layers.map((_, i) => at(offset.radius, Math.max(0, i - 1))) }
			: {}),
		sigmas: layers.map(({ cut }) =>
			cut ? (offset.sigma ?? prior.rtil?.sigmas[cut.name] ?? prior.latent.featureStd[cut.name] ?? 1) : 1,
		),
		geodesic: options.geodesic,
		start: options.start,
		selection: options.select,
	};
}

async function* solve(
	prior: Prior,
	measurements: Measurements,
	options: IloOptions,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	check(prior, options, measurements.problem);
	const schedule = iloSchedule(prior, options, context.truth !== undefined);
	const proxy = schedule.plan.proxy ? { proxy: proxyStatistics(context.engine, prior, { seed: 0 }) } : {};
	const perceptual = await perceptualTerm(options.perceptual, prior, measurements, context);
	const whole = { ...schedule, ...proxy, perceptual };
	return yield* solveRestarts(prior, measurements, whole, context, options.restarts ?? 1);
}

const heldOut = { by: 'held-out', fraction: 0.1 } as const;
const publishedRamp = { up: 0.05, down: 0.75 };

/** RTIL, appendix A.3: steps by layer, σ = 1, no prior on the offsets; rates differ by how the prior was trained. */
const paper: IloOptions = {
	steps: [2000, 1000, 1000, 1000, 2000],
	rate: 0.1,
	ramp: publishedRamp,
	noises: { first: 5, more: 2 },
	start: 'random',
	sphere: true,
	geodesic: 0.01,
	offset: { prior: 'none', sigma: 1 },
	misfit: 0,
	fit: 'mean',
	patience: 0,
	select: heldOut,
};

const perceptual = { network: 'vgg', observed: 0.5, reduction: 8 } as const;

/** As the code of RTIL runs its vanilla arm, but for what it selects. */
const publishedCode: IloOptions = {
	...paper,
	published: { dropRgb: true, geodesicFirst: true, proxy: true, lateRate: true },
	select: { by: 'last' },
};

export const ilo: Solver<typeof schema> = {
	kind: 'ilo',
	summary:
		'ILO (Daras et al. 2021) with the schedules of RTIL: latents, then offsets at cuts, layer by layer',
	schema,
	presets: {
		quick: {
			steps: [100, 60, 60, 60],
			rate: 0.1,
			ramp: { up: 0.1, down: 0.5 },
			noises: { first: 5, more: 2 },
			start: 'mean',
			sphere: false,
			geodesic: 0.001,
			offset: { prior: 'gaussian' },
			misfit: 0.2,
			fit: 'relative',
			patience: 30,
			select: heldOut,
		},
		paper,
		'paper-rtil': { ...paper, rate: 0.2 },
		// The same with the perceptual term of RTIL, appendix A.3, for priors without and with RTIL: beside the mean squared
		// error, but not where more than half of the pixels are missing or sides are a sixteenth.
		'paper-perceptual': {
			...paper,
			perceptual: { ...perceptual, weight: { inpainting: 1, 'super-resolution': 1.5 } },
		},
		'paper-rtil-perceptual': {
			...paper,
			rate: 0.2,
			perceptual: { ...perceptual, weight: { inpainting: 1, 'super-resolution': 1 } },
		},
		'published-code': publishedCode,
		'published-code-rtil': { ...publishedCode, rate: 0.2 },
		// ILO's own repository: fewer steps, and the iterate with the lowest loss.
		'published-code-ilo': { ...publishedCode, steps: [50, 50, 25, 25], select: { by: 'loss' } },
	},
	check,
	solve,
};
