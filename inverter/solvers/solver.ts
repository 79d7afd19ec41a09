// The contract of a solver: a prior, measurements and options in; a stream of progress and, last, a reconstruction out.
// A batch is solved together, but every image has its own loss, stopping rule, best iterate and random start, so its
// result does not depend on what else is in the batch (to rounding).
import type { z } from 'zod';
import type { Engine, HostTensor, HostTensors } from '../../engine/index.ts';
import type { LpipsWeights, PerceptualNetwork } from '../../models/index.ts';
import type { AnyPrior, Prior } from '../prior.ts';
import type { Measurements, ProblemSpec } from '../problems/index.ts';
import type { ProgramCache } from './cache.ts';
import type { SolveStore } from './resume.ts';

export interface SolveContext {
	engine: Engine;
	/** Captured programs, kept between calls. */
	programs: ProgramCache;
	/** Whole number that fixes the random starts, together with the names of the images. */
	seed: number;
	/** Aborted: the solver throws its reason before the next step. */
	signal?: AbortSignal;
	/** On the clock `now`: past it the best so far is returned with the reason `deadline`. */
	deadline?: number;
	/** Milliseconds; default `performance.now`. */
	now?: () => number;
	/** Progress is yielded every so many steps; default 10. */
	progressEvery?: number;
	/** Every so many steps progress has the current best images; default never. */
	previewEvery?: number;
	/** Keeps what is needed to go on after the process is killed; absent: a killed solve begins again. */
	resume?: SolveStore;
	/** [N, H, W, C]: only to report the oracle beside the result; it selects nothing. */
	truth?: HostTensor;
	/** Weights of a perceptual network; throws NOT_FOUND where they are not known. Absent: none are. */
	lpips?: (network: PerceptualNetwork) => Promise<LpipsWeights>;
}

export interface Progress {
	/** From 0; name: `latent`, or the cut. */
	layer: number;
	layers: number;
	layerName: string;
	/** Steps taken and the most there can be, over all layers. */
	step: number;
	steps: number;
	/** Relative squared residual ‖Ax − y‖² / ‖y‖² of each image on the fitted and on the held-out measurements. */
	residual: number[];
	heldOut: number[] | null;
	/** Objective of each image: data term and priors. */
	objective: number[];
	rate: number;
	seconds: number;
	secondsLeft: number;
	/** Best so far, [N, H, W, C]. */
	preview?: HostTensor;
}

/** Why an image's reconstruction ended where it did; threshold: at the perceptual distance that ends it. */
export type StopReason = 'steps' | 'flat' | 'discrepancy' | 'threshold' | 'deadline' | 'diverged';

/** The course of one layer; one value a step and image. */
export interface LayerHistory {
	name: string;
	objective: number[][];
	residual: number[][];
	heldOut: number[][];
}

export interface Reconstruction {
	/** [N, H, W, C] in [−1, 1] where the generator keeps it; not clipped. */
	images: HostTensor;
	/** The variables of the selected iterate by name, [N, …]: latent, noise.<i>, offset.<cut>; and their centre. */
	latents: HostTensors;
	/** ‖Ax − y‖² / ‖y‖² over everything measured, one an image. */
	residual: number[];
	heldOut: number[] | null;
	/** What selected the iterate. */
	selectedBy: 'held-out' | 'discrepancy' | 'loss' | 'last';
	reasons: StopReason[];
	/** Steps until the layer of the returned iterate ended. */
	steps: number[];
	seconds: number;
	history: LayerHistory[];
	/** Only of several restarts: the standard deviation of each pixel over what they lead to, [N, H, W, C]. */
	spread?: HostTensor;
	/** Only with a truth: the PSNR (dB) of the iterate that the truth would have selected. Never the result. */
	oraclePsnr: number[] | null;
	/** What the perceptual term compared, for people: `LPIPS (AlexNet, v0.1)`; absent where no term acted. */
	perceptual?: string;
}

/** `P`: the prior it takes, a GAN by default; `Prior | null` for a solver that needs none. */
export interface Solver<Schema extends z.ZodType = z.ZodType, P extends AnyPrior | null = Prior> {
	readonly kind: string;
	/** One line for people. */
	readonly summary: string;
	/** nothing: no prior is looked at; absent: a GAN. */
	readonly needs?: 'gan' | 'glow' | 'nothing';
	/** Accepts the options after the preset is filled in; unknown keys are refused. */
	readonly schema: Schema;
	/** Complete options by name; the first is the default. */
	readonly presets: Readonly<Record<string, z.output<Schema>>>;
	/** Throws MISMATCH when the solver cannot serve the prior or the problem. */
	check(prior: P, options: z.output<Schema>, problem: ProblemSpec): void;
	solve(
		prior: P,
		measurements: Measurements,
		options: z.output<Schema>,
		context: SolveContext,
	): AsyncGenerator<Progress, Reconstruction>;
}
