// What a solver inverts with: a GAN's generator that can start and stop at cuts, its parameters and the statistics of its
// own latents; or a Glow.
import type { HostTensors } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import type { Discriminator, Generator, Glow, LatentStatistics } from '../models/index.ts';

/** A GAN. */
export interface Prior {
	readonly kind: 'gan';
	/** Of the checkpoint. */
	readonly id: string;
	readonly generator: Generator;
	readonly params: HostTensors;
	readonly latent: LatentStatistics;
	/** The cuts that RTIL regularised, and σ of additive latents there (none: mixtures); null: vanilla. */
	readonly rtil: { cuts: readonly string[]; sigmas: Readonly<Record<string, number>> } | null;
	/** Where solvers that are not told cut the generator; absent: where RTIL regularised it, if it did. */
	readonly cuts?: readonly string[];
	/** What the generator was trained against, if the checkpoint has it. */
	readonly discriminator?: { network: Discriminator; params: HostTensors };
}

/** An invertible network. */
export interface GlowPrior {
	readonly kind: 'glow';
	/** Of the checkpoint. */
	readonly id: string;
	readonly glow: Glow;
	/** Its `shapes` and `constants`, and what `derived` makes of them. */
	readonly params: HostTensors;
}

/** Whatever a checkpoint can hold. */
export type AnyPrior = Prior | GlowPrior;

/** Where a solver that is not told cuts a generator; undefined: it is for the solver to say. */
export const usualCuts = ({ cuts, rtil }: Prior): readonly string[] | undefined => cuts ?? rtil?.cuts;

/**
 * The prior, cut in these places where a solver is not told: a comparison cuts all its networks alike, or steps and
 * freedom would differ with the training. Places that a network does not have are left out.
 */
export function cutAt(prior: AnyPrior, cuts: readonly string[] | undefined): AnyPrior {
	if (prior.kind === 'glow' || !cuts) return prior;
	const own = prior.generator.cuts.map(({ name }) => name).filter((name) => cuts.includes(name));
	return own.length > 0 ? { ...prior, cuts: own } : prior;
}

/** Side and channels of the images that a prior makes. */
export function imageSize(prior: AnyPrior): { resolution: number; channels: number } {
	if (prior.kind === 'glow') return { resolution: prior.glow.resolution, channels: 3 };
	const { resolution, channels } = prior.generator;
	return { resolution, channels };
}

/** Throws MISMATCH unless the generator has a mapping network and a style for each layer. */
export function requireStyles(solver: string, { generator }: Prior): void {
	if (generator.numStyles > 1) return;
	throw new RtilError(
		'MISMATCH',
		`The solver ${solver} needs the styles of a StyleGAN2, but the checkpoint has a generator of kind ${generator.kind}.`,
		'csgm, ilo and mgan serve every generator with cuts.',
	);
}
