// Statistics of a generator's own latents, and images from it. A checkpoint may carry the statistics; else they are
// computed here, from the same draws every time.
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, HostTensor, HostTensors } from '../engine/index.ts';
import { elements, stream } from '../engine/index.ts';
import type { Generator, Glow } from '../models/index.ts';
import type { GlowPrior, LatentStatistics, Prior } from './prior.ts';

/** Latents mapped, and images made, in one call. */
const MANY = 512;
const FEW = 16;

/** w for each layer from w [N, W]: [N, L, W]. */
const everyLayer = (generator: Generator, w: tf.Tensor): tf.Tensor =>
	tf.add(tf.reshape(w, [-1, 1, generator.wDim]), tf.zeros([1, generator.numStyles, generator.wDim]));

const noNoise = (generator: Generator): tf.Tensor[] =>
	generator.noiseShapes.map(([height, width]) => tf.zeros([1, height, width, 1]));

export interface StatisticsOptions {
	seed: number;
	/** Draws of w; default 4096. */
	samples?: number;
	/** Draws whose features are looked at; default 128. */
	images?: number;
}

/** Mean and deviation of w by coordinate, and the deviation of the features at each cut (without noise). */
export function latentStatistics(
	engine: Engine,
	generator: Generator,
	params: HostTensors,
	{ seed, samples = 4096, images = 128 }: StatisticsOptions,
): LatentStatistics {
	const { zDim, wDim, cuts } = generator;
	const program = engine.compile({
		name: 'latent statistics',
		state: params,
		functions: {
			map: {
				inputs: { z: [MANY, zDim] },
				run: (state, { z }) => ({ outputs: { w: generator.map(state, z!) } }),
			},
			features: {
				inputs: { z: [FEW, zDim] },
				run(state, { z }) {
					const styles = everyLayer(generator, generator.map(state, z!));
					const noises = noNoise(generator);
					const moments = cuts.map(({ name }) => {
						const { features } = generator.synthesizeTo(state, { styles, noises }, name);
						const { mean, variance } = tf.moments(features);
						return [name, tf.stack([mean, tf.add(variance, tf.square(mean))])] as const;
					});
					return { outputs: Object.fromEntries(moments) };
				},
			},
		},
	});
	try {
		const draws = stream(seed, 'latent-statistics');
		const sum = new Float64Array(wDim);
		const squares = new Float64Array(wDim);
		const rounds = Math.ceil(samples / MANY);
		for (let round = 0; round < rounds; round++) {
			const { w } = program.call('map', { z: draws.normals(round, MANY * zDim) });
			for (const [i, value] of w!.data.entries()) {
				sum[i % wDim]! += value;
				squares[i % wDim]! += value * value;
			}
		}
		const n = rounds * MANY;
		const mean = sum.map((total) => total / n);
		const wStd = Float32Array.from(squares, (total, i) => deviation(mean[i]!, total / n));

		const moments = new Map(cuts.map(({ name }) => [name, [0, 0] as [number, number]]));
		const parts = Math.ceil(images / FEW);
		for (let part = 0; part < parts; part++) {
			const outputs = program.call('features', { z: draws.normals(part, FEW * zDim) });
			for (const [name, total] of moments) {
				total[0] += outputs[name]!.data[0]! / parts;
				total[1] += outputs[name]!.data[1]! / parts;
			}
		}
		const featureStd = [...moments].map(([name, [first, second]]) => [name, deviation(first, second)]);
		return { wMean: Float32Array.from(mean), wStd, featureStd: Object.fromEntries(featureStd) };
	} finally {
		program.dispose();
	}
}

/**
 * Mean and deviation of LeakyReLU₅(w) by coordinate: what PULSE, ILO and RTIL fit to the mapping network before its last
 * activation is undone (slope 5 undoes slope 0.2), so that w ≈ LeakyReLU₀.₂(std · z + mean).
 */
export function proxyStatistics(
	engine: Engine,
	{ generator, params }: Prior,
	{ seed, samples = 4096 }: StatisticsOptions,
): { mean: Float32Array; std: Float32Array } {
	const { zDim, wDim } = generator;
	const program = engine.compile({
		name: 'proxy statistics',
		state: params,
		functions: {
			map: {
				inputs: { z: [MANY, zDim] },
				run: (state, { z }) => ({ outputs: { w: generator.map(state, z!) } }),
			},
		},
	});
	try {
		const draws = stream(seed, 'proxy-statistics');
		const sum = new Float64Array(wDim);
		const squares = new Float64Array(wDim);
		const rounds = Math.ceil(samples / MANY);
		for (let round = 0; round < rounds; round++) {
			const { w } = program.call('map', { z: draws.normals(round, MANY * zDim) });
			for (const [i, value] of w!.data.entries()) {
				const before = value < 0 ? 5 * value : value;
				sum[i % wDim]! += before;
				squares[i % wDim]! += before * before;
			}
		}
		const mean = sum.map((total) => total / (rounds * MANY));
		const std = squares.map((total, i) => deviation(mean[i]!, total / (rounds * MANY)));
		return { mean: Float32Array.from(mean), std: Float32Array.from(std) };
	} finally {
		program.dispose();
	}
}

/** Standard deviation from the first two moments; never 0, so that it can be a scale. */
const deviation = (mean: number, square: number): number => Math.sqrt(Math.max(square - mean ** 2, 1e-12));

/** Images [N, H, W, C] of latents z (N · Z values), without noise; `truncation` draws w towards its mean, 1: not at all. */
export function renderImages(engine: Engine, prior: Prior, z: Float32Array, truncation = 1): HostTensor {
	const { generator, params, latent } = prior;
	const N = z.length / generator.zDim;
	const program = engine.compile({
		name: 'sample',
		state: { ...params, '.mean': { shape: [1, generator.wDim], data: latent.wMean } },
		functions: {
			run: {
				inputs: { '.z': [N, generator.zDim], '.truncation': [1] },
				run(state, inputs) {
					const w = generator.map(state, inputs['.z']!);
					const mean = state['.mean']!;
					const drawn = tf.add(mean, tf.mul(tf.sub(w, mean), inputs['.truncation']!));
					const styles = everyLayer(generator, drawn);
					return { outputs: { image: generator.synthesize(state, { styles, noises: noNoise(generator) }) } };
				},
			},
		},
	});
	try {
		return program.call('run', { '.z': z, '.truncation': Float32Array.of(truncation) }).image!;
	} finally {
		program.dispose();
	}
}

/** Latents of one image of a Glow, as many as it has values. */
export const latentSize = ({ glow }: GlowPrior): number =>
	glow.latentShapes.reduce((sum, shape) => sum + elements(shape), 0);

/** Images [N, H, W, 3] of standard normal latents of a Glow (N · `latentSize` values), its deviations times `temperature`. */
export function renderGlow(engine: Engine, prior: GlowPrior, eps: Float32Array, temperature = 1): HostTensor {
	const { glow, params } = prior;
	const N = eps.length / latentSize(prior);
	const program = engine.compile({
		name: 'sample',
		state: params,
		functions: {
			run: {
				inputs: { '.eps': [N, latentSize(prior)], '.temperature': [1] },
				run(state, inputs) {
					const warm = tf.mul(inputs['.eps']!, inputs['.temperature']!);
					return { outputs: { image: tf.mul(glow.generate(state, latentsOf(glow, warm)), 2) } };
				},
			},
		},
	});
	try {
		return program.call('run', { '.eps': eps, '.temperature': Float32Array.of(temperature) }).image!;
	} finally {
		program.dispose();
	}
}

/** The latents of each block of a Glow from a row of all of an image's, [N, D]. */
export function latentsOf({ latentShapes }: Glow, rows: tf.Tensor): tf.Tensor[] {
	const parts = tf.split(
		rows,
		latentShapes.map((shape) => elements(shape)),
		1,
	);
	return parts.map((part, b) => tf.reshape(part, [-1, ...latentShapes[b]!]));
}
