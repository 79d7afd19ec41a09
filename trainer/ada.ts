// How strongly to augment: adaptive discriminator augmentation's controller (Karras et al. 2020, §3) as pure functions
// of its state, which a checkpoint holds.
import { z } from 'zod';
import { augmentationGroups } from './augment-draws.ts';

export const augmentSchema = z
	.strictObject({
		kind: z.enum(['ada', 'fixed']).describe('ada: the probability follows the target; fixed: it stays at p'),
		p: z.number().min(0).max(1).default(0).describe('Probability of each transform at the start'),
		target: z
			.number()
			.min(-1)
			.max(1)
			.default(0.6)
			.describe('Of r = mean sign(D(x)) over real images: above it D overfits and p rises (section 3.1)'),
		every: z.int().min(1).default(4).describe('Steps between two changes of p'),
		kimg: z
			.number()
			.positive()
			.default(500)
			.describe('Thousands of real images in which p can go from 0 to 1; the published value'),
		transforms: z
			.array(z.enum(augmentationGroups))
			.min(1)
			.default([...augmentationGroups])
			.describe('blit: flips, quarter turns, whole shifts; geometry: scales, rotations, shifts; colour'),
	})
	.describe('Augments all that D sees, for small data sets (Karras et al. 2020, ADA)');

export type AugmentConfig = z.infer<typeof augmentSchema>;

/** State of the controller; its numbers are float32 values, so that a checkpoint holds them exactly. */
export interface AdaState {
	/** Probability of each transform, in [0, 1]. */
	p: number;
	/** Sum of the steps' mean signs since p changed last, and how many they are. */
	sum: number;
	count: number;
}

export function initialAda({ p }: Pick<AugmentConfig, 'p'>): AdaState {
	return { p: Math.fround(p), sum: 0, count: 0 };
}

/**
 * The state after a step.
 *
 * @param sign mean over the step's real images of sign(D(x)), in [-1, 1]
 * @param batch real images a step
 * @returns p moved by batch · every / (1000 · kimg) towards what brings r to its target, within [0, 1], at each
 * `every`-th step. (The published code lets p grow beyond 1, which changes nothing but the way back.)
 */
export function nextAda(
	state: AdaState,
	sign: number,
	{ kind, target, every, kimg }: AugmentConfig,
	batch: number,
): AdaState {
	if (kind === 'fixed') return state;
	const sum = Math.fround(state.sum + sign);
	const count = state.count + 1;
	if (count < every) return { ...state, sum, count };
	const change = (Math.sign(sum / count - target) * batch * every) / (1000 * kimg);
	return { p: Math.fround(Math.min(1, Math.max(0, state.p + change))), sum: 0, count: 0 };
}

/** As a checkpoint holds it, and back. */
export function encodeAda({ p, sum, count }: AdaState): { shape: number[]; data: Float32Array } {
	return { shape: [3], data: Float32Array.of(p, sum, count) };
}

export function decodeAda({ data }: { data: Float32Array }): AdaState {
	const [p, sum, count] = data as unknown as [number, number, number];
	return { p, sum, count };
}
