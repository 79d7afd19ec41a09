// The perceptual term of the solvers: how far the generator's image, measured, is from the measurement in the features of
// a network. LPIPS where its weights are known (`rtil weights add`), else the discriminator of the checkpoint.
//
// What is compared, per image and as images: A G and y, grey ones on three channels, smaller ones enlarged to the
// generator's size; for inpainting G itself and, as in ILO's `fill`, G with the measured pixels put in. What is not
// measured, or held out of the fit, is G's on both sides, so it adds nothing of its own.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { type HostTensors, resize, type TensorMap } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import { featureDistance, type LpipsWeights, lpips, type PerceptualNetwork } from '../../models/index.ts';
import type { Prior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import type { SolveContext } from './solver.ts';

const weight = z.number().positive().max(1e9);

export const perceptualSchema = z.strictObject({
	/** Of the distance beside the data term; by kind of problem: the others have no term. */
	weight: z.union([weight, z.record(z.string(), weight)]),
	/**
	 * auto: the first LPIPS of alex, squeeze and vgg whose weights are known, else the discriminator, else no term. Any
	 * other is refused where it is not known, or where the measurement is no image.
	 */
	network: z.enum(['auto', 'alex', 'squeeze', 'vgg', 'discriminator']).default('auto'),
	/** No term where a smaller share of the measured image's pixels is there. */
	observed: z.number().min(0).max(1).default(0),
	/** No term where the measured image's side is reduced by more. */
	reduction: z.number().min(1).default(32),
});

export type PerceptualOptions = z.output<typeof perceptualSchema>;

/** Which features are compared, and how: a part of a program's key. */
export interface Comparison {
	network: PerceptualNetwork | 'discriminator';
	/** Sum over taps of the mean of |a − b| (DGP) in place of the distance of features of unit length. */
	absolute?: boolean;
	/** The last taps alone. */
	taps?: number;
}

/** A term that acts. */
export interface PerceptualTerm {
	comparison: Comparison;
	/** For people: `LPIPS (AlexNet, v0.1)`. */
	label: string;
	weight: number;
	/** Of the network; entries `p.*` of a program's state. */
	params: HostTensors;
}

/** LPIPS from 256² on compares images of this size, as ILO and BRGM do. */
const LARGEST_SIDE = 256;

/** Whether a measurement is a picture, grey or in colours. */
export function isPicture({ y }: Measurements): boolean {
	return y.shape.length === 4 && (y.shape[3] === 1 || y.shape[3] === 3);
}

/**
 * The term that the options ask for; null where the problem has none or, with `auto`, no network is known.
 *
 * @throws NOT_FOUND when the weights of a named network are not known; MISMATCH for a checkpoint without its
 * discriminator, or a measurement that is no image.
 */
export async function perceptualTerm(
	options: PerceptualOptions | undefined,
	prior: Prior,
	measurements: Measurements,
	{ lpips: load }: Pick<SolveContext, 'lpips'>,
): Promise<PerceptualTerm | null> {
	if (!options) return null;
	const { kind } = measurements.problem;
	const by = options.weight;
	const weight = typeof by === 'number' ? by : Object.hasOwn(by, kind) ? by[kind]! : 0;
	if (weight === 0) return null;
	if (!isPicture(measurements)) {
		if (options.network === 'auto') return null;
		throw new RtilError(
			'MISMATCH',
			`A perceptual term needs a measurement that is an image, but ${kind} has none.`,
			'Leave `perceptual` out, or set `perceptual.network: auto`.',
		);
	}
	const { image, y, support } = measurements;
	const there = support.data.reduce((sum, value) => sum + value, 0) / support.data.length;
	if (there < options.observed || image.height / y.shape[1]! > options.reduction) return null;

	const ofDiscriminator = (): PerceptualTerm | null =>
		prior.discriminator
			? {
					comparison: { network: 'discriminator' },
					label: 'features of the discriminator',
					weight,
					params: prior.discriminator.params,
				}
			: null;
	if (options.network === 'discriminator') {
		const term = ofDiscriminator();
		if (term) return term;
		throw new RtilError(
			'MISMATCH',
			'A perceptual term by the discriminator needs it in the checkpoint, but there is none that fits.',
			'Take another checkpoint, or an LPIPS: rtil weights add FILE',
		);
	}
	const wanted = options.network === 'auto' ? (['alex', 'squeeze', 'vgg'] as const) : [options.network];
	for (const network of wanted) {
		const found = await known(load, network, options.network !== 'auto');
		if (!found) continue;
		return { comparison: { network }, label: lpips(found).label, weight, params: found.params };
	}
	return ofDiscriminator();
}

/** Weights of a network; undefined where they are not known, unless they are `required`. */
async function known(
	load: SolveContext['lpips'],
	network: PerceptualNetwork,
	required: boolean,
): Promise<LpipsWeights | undefined> {
	if (!load) {
		if (!required) return undefined;
		throw new RtilError('NOT_FOUND', `The weights of LPIPS with ${network} are not known.`);
	}
	return load(network).catch((error: unknown) => {
		if (!required && error instanceof RtilError && error.code === 'NOT_FOUND') return undefined;
		throw error;
	});
}

/** Distance of two batches of images [N, h, w, C ∈ {1, 3}] under parameters by name: [N, 1]. */
export function imageDistance(
	prior: Prior,
	{ network, absolute, taps = 0 }: Comparison,
): (params: TensorMap, a: tf.Tensor, b: tf.Tensor) => tf.Tensor {
	const { resolution } = prior.generator;
	if (network === 'discriminator') {
		const discriminator = prior.discriminator!.network;
		const between = absolute ? absoluteDistance : featureDistance;
		return (params, a, b) => {
			const [ofA, ofB] = [a, b].map((x) =>
				discriminator.features(params, picture(x, resolution)).slice(-taps),
			) as [tf.Tensor[], tf.Tensor[]];
			return tf.reshape(between(ofA, ofB), [-1, 1]);
		};
	}
	const metric = lpips({ network });
	let side = Math.min(LARGEST_SIDE, resolution);
	while (side < metric.smallest) side *= 2;
	return (params, a, b) => tf.reshape(metric.distance(params, picture(a, side), picture(b, side)), [-1, 1]);
}

/** Σ_taps mean |a − b|: [N] (Pan et al. 2021, equation 5). */
function absoluteDistance(a: readonly tf.Tensor[], b: readonly tf.Tensor[]): tf.Tensor {
	return tf.addN(a.map((tap, i) => tf.mean(tf.reshape(tf.abs(tf.sub(tap, b[i]!)), [tap.shape[0]!, -1]), 1)));
}

/** Three channels, `side` pixels a side. */
function picture(x: tf.Tensor, side: number): tf.Tensor {
	const colours = x.shape[3] === 1 ? tf.concat([x, x, x], 3) : x;
	const [, height, width] = colours.shape as [number, number, number];
	if (height === side && width === side) return colours;
	return resize(colours, side, side, height > side ? 'area' : 'bicubic');
}

/**
 * The term as a function of a program's state, of the generator's image [N, H, W, C] and of A of it: [N, 1], ≥ 0.
 * Entries that it reads: `p.*`, `y` and `fitted`.
 */
export function measuredDistance(prior: Prior, { problem }: Measurements, comparison: Comparison) {
	const distance = imageDistance(prior, comparison);
	return (state: TensorMap, params: TensorMap, image: tf.Tensor, applied: tf.Tensor): tf.Tensor => {
		const seen = problem.kind === 'inpainting' ? image : applied;
		const fitted = state.fitted!;
		const filled = tf.add(tf.mul(fitted, state.y!), tf.mul(tf.sub(1, fitted), seen));
		return distance(params, seen, filled);
	};
}
