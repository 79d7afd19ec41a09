// Noise of measurements: white Gaussian by σ or by a signal-to-noise ratio, and Poisson. Drawn from the image's own key.
// What rules and solvers need of it is one number an image, its root mean square deviation: stated, resolved from the
// clean measurement, or expected from the measured values.
import { z } from 'zod';
import { stream } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import type { MeasurementKey } from './operator.ts';

const none = z.strictObject({ kind: z.literal('none') });

const gaussian = z.strictObject({
	kind: z.literal('gaussian'),
	sigma: z
		.number()
		.positive()
		.max(10)
		.describe('Standard deviation in units of [−1, 1]: 25 grey levels of 255 are 2 · 25 / 255.'),
});

const snr = z.strictObject({
	kind: z.literal('snr'),
	decibels: z
		.number()
		.min(-20)
		.max(100)
		.describe('White Gaussian noise with 10 log₁₀(‖Ax‖² / mσ²) of this for every image, m values measured.'),
});

const poisson = z.strictObject({
	kind: z.literal('poisson'),
	photons: z
		.number()
		.min(0.1)
		.max(100_000)
		.describe('Expected count at white, 1; none at black, −1. The counts are scaled back to [−1, 1].'),
});

/** Noise added to what is measured, in the units of the measurement of an image in [−1, 1]. */
export const noiseSchema = z.discriminatedUnion('kind', [none, gaussian, snr, poisson]);

/** Noise of measurements that are no intensities: there are no negative photons. */
export const signedNoiseSchema = z.discriminatedUnion('kind', [none, gaussian, snr]);

/** Noise that is there. */
export const givenNoiseSchema = z.discriminatedUnion('kind', [gaussian, snr, poisson]);

export type Noise = z.infer<typeof noiseSchema>;

/** Every problem may have noise; absent: none. */
export const noiseField = { noise: noiseSchema.optional() };

/** σ, decibels or photons; 0 without noise. */
export function noiseLevel(noise: Noise | undefined): number {
	if (noise?.kind === 'gaussian') return noise.sigma;
	if (noise?.kind === 'snr') return noise.decibels;
	return noise?.kind === 'poisson' ? noise.photons : 0;
}

/** `sigma-0.05`, `snr-20`, `photons-30`; empty without noise. */
export function noiseName(noise: Noise | undefined): string {
	if (!noise || noise.kind === 'none') return '';
	const words = { gaussian: 'sigma', snr: 'snr', poisson: 'photons' };
	return `${words[noise.kind]}-${noiseLevel(noise)}`;
}

/** Whether a problem states noise. */
export const isNoisy = (noise: Noise | undefined): boolean => noise !== undefined && noise.kind !== 'none';

/**
 * Adds the noise of one image to its clean measurement, in place, where `support` is 1: v + σ n with n ~ N(0, 1), or
 * 2 k / photons − 1 with k ~ Poisson(photons (v + 1) / 2).
 *
 * @returns the root mean square deviation of the noise; null without any
 */
export function addNoise(
	noise: Noise | undefined,
	{ seed, image }: MeasurementKey,
	values: Float32Array,
	support: Float32Array,
): number | null {
	if (noise?.kind === 'gaussian' || noise?.kind === 'snr') {
		const sigma =
			noise.kind === 'gaussian' ? noise.sigma : rootMeanSquare(values, support) / 10 ** (noise.decibels / 20);
		const draws = stream(seed, `noise/${image}`).normals(0, values.length);
		for (let k = 0; k < values.length; k++) values[k]! += sigma * draws[k]! * support[k]!;
		return sigma;
	}
	if (noise?.kind === 'poisson') {
		const { photons } = noise;
		const draws = stream(seed, `photons/${image}`).uniforms(0, values.length);
		for (let k = 0; k < values.length; k++) {
			if (support[k] !== 1) continue;
			// A filter with negative taps goes below black: no light is no light.
			const expected = (photons * Math.max(0, values[k]! + 1)) / 2;
			values[k] = (2 * poissonQuantile(expected, draws[k]!)) / photons - 1;
		}
		return statedDeviation(
			noise,
			values.filter((_, k) => support[k] === 1),
		);
	}
	return null;
}

/**
 * The root mean square deviation that a description and the measured values tell. With Poisson noise a value v has the
 * variance 2 (E[v] + 1) / photons, whose mean over the image is expected from that of v itself.
 *
 * @throws CORRUPT for noise by signal-to-noise ratio: its σ is of the clean measurement, and has to be carried along
 */
export function statedDeviation(noise: Noise | undefined, measured: Float32Array): number | null {
	if (noise?.kind === 'gaussian') return noise.sigma;
	if (noise?.kind === 'poisson') {
		const total = measured.reduce((sum, value) => sum + value + 1, 0);
		return Math.sqrt((2 * total) / Math.max(1, measured.length) / noise.photons);
	}
	if (noise?.kind !== 'snr') return null;
	throw new RtilError(
		'CORRUPT',
		'A measurement with noise by signal-to-noise ratio does not say its σ.',
		'Make the measurement again.',
	);
}

function rootMeanSquare(values: Float32Array, support: Float32Array): number {
	let [sum, count] = [0, 0];
	for (let k = 0; k < values.length; k++) {
		sum += support[k]! * values[k]! ** 2;
		count += support[k]!;
	}
	return Math.sqrt(sum / Math.max(1, count));
}

/**
 * The count that a uniform in (0, 1) stands for under a Poisson distribution: counts are gone through from the mode
 * outwards, until their probabilities add up to it. Exact for any mean (to rounding), with one draw, in O(√mean).
 */
export function poissonQuantile(mean: number, uniform: number): number {
	if (mean <= 0) return 0;
	const mode = Math.floor(mean);
	let [below, above] = [mode, mode];
	let down = Math.exp(mode * Math.log(mean) - mean - logFactorial(mode));
	let up = down;
	let left = uniform - down;
	while (left > 0) {
		// p(k − 1) = p(k) · k / mean, p(k + 1) = p(k) · mean / (k + 1)
		down = below > 0 ? (down * below) / mean : 0;
		up = (up * mean) / (above + 1);
		// Rounding has left a part of the uniform that no count accounts for.
		if (down + up < 1e-18) return above;
		below--;
		above++;
		left -= down;
		if (left <= 0) return below;
		left -= up;
		if (left <= 0) return above;
	}
	return mode;
}

/** ln k!, by the sum for small k and by Stirling's series. */
function logFactorial(k: number): number {
	if (k < 32) {
		let sum = 0;
		for (let i = 2; i <= k; i++) sum += Math.log(i);
		return sum;
	}
	return (k + 0.5) * Math.log(k) - k + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * k) - 1 / (360 * k ** 3);
}
