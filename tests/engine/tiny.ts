// A tiny StyleGAN2 and its training program: every operation of a training step in milliseconds.
import { elements, type HostTensors, stream } from '../../engine/index.ts';
import { type ArmOf, armConfigSchema, buildArm, initialState } from '../../trainer/index.ts';
import { latentShapes } from '../../trainer/sampling.ts';
import type { Stylegan2Arm as Arm } from '../../trainer/stylegan2-steps.ts';

/** 8², 8 channels, one cut; with RTIL a family of two. */
export function tinyArm(rtil = false): Arm {
	return buildArm(
		armConfigSchema.parse({
			model: { resolution: 8, channels: [8, 8], zDim: 8, wDim: 8, mappingLayers: 2 },
			rtil: rtil ? { cuts: ['b4'] } : null,
			training: { batch: 8 },
		}) as ArmOf<'stylegan2'>,
	);
}

/** Its fresh state, with noise strengths that are not 0. */
export function tinyState(arm: Arm, seed = 1): HostTensors {
	const params = arm.generator.init(seed);
	for (const [name, { data }] of Object.entries(params)) if (name.endsWith('noise.weight')) data.fill(0.2);
	const g = arm.layout.g.fromHost(params);
	return { ...initialState(arm, seed), g, average: { shape: g.shape, data: g.data.slice() } };
}

export type Step = 'd' | 'r1' | 'g' | 'path';
export const steps: readonly Step[] = ['d', 'r1', 'g', 'path'];

/**
 * Inputs of a step, drawn. The optimiser's are [rate, ε] = [1, 1]: with an ε that large the update is smooth in the
 * gradient, so that engines can be compared; with a small one it is little more than its sign.
 */
export function tinyInputs(arm: Arm, step: Step, at = 0): Record<string, Float32Array> {
	const size = arm.generator.resolution;
	const batch = (step === 'path' ? arm.pathParts : arm.parts)[0]!.size;
	const image = [batch, size, size, 3];
	const shapes: Record<string, readonly number[]> = {
		...(step === 'r1' ? {} : latentShapes(arm.generator, arm.cuts, batch)),
		...(step === 'd' || step === 'r1' ? { real: image } : {}),
		...(step === 'path' ? { y: image } : {}),
	};
	const inputs = Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => [
			name,
			stream(3, `${step} ${name}`).normals(at, elements(shape)),
		]),
	);
	if (inputs.mix) inputs.mix = inputs.mix.map((value) => (value > 0 ? 1 : 0));
	return { ...inputs, adam: Float32Array.of(1, 1) };
}

/** The largest difference relative to the largest value of `b`. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
	let [worst, largest] = [0, 1e-12];
	for (let i = 0; i < b.length; i++) {
		worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
		if (Number.isNaN(a[i]!)) return Number.NaN;
		largest = Math.max(largest, Math.abs(b[i]!));
	}
	return worst / largest;
}
