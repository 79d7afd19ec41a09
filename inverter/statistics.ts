// Images drawn from a prior, and the statistics that stand in for its mapping network.
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, HostTensor } from '../engine/index.ts';
import { elements, type RandomStream, stream } from '../engine/index.ts';
import { deviation, everyLayer, type Glow, noNoise, type StatisticsOptions } from '../models/index.ts';
import type { GlowPrior, Prior } from './prior.ts';

/** Latents mapped in one call. */
const MANY = 512;

/** w of draws of z, one after another, [n, W] at a time; `samples` in all. */
export function* drawnLatents(
	engine: Engine,
	{ generator, params }: Prior,
	draws: RandomStream,
	samples: number,
): Generator<Float32Array> {
	const { zDim, wDim } = generator;
	const program = engine.compile({
		name: 'draws of w',
		state: params,
		functions: {
			map: {
				inputs: { z: [MANY, zDim] },
				run: (state, { z }) => ({ outputs: { w: generator.map(state, z!) } }),
			},
		},
	});
	try {
		for (let first = 0; first < samples; first += MANY) {
			const { w } = program.call('map', { z: draws.normals(first / MANY, MANY * zDim) });
			yield w!.data.subarray(0, Math.min(MANY, samples - first) * wDim);
		}
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
	prior: Prior,
	{ seed, samples = 4096 }: StatisticsOptions,
): { mean: Float32Array; std: Float32Array } {
	const { wDim } = prior.generator;
	const sum = new Float64Array(wDim);
	const squares = new Float64Array(wDim);
	for (const w of drawnLatents(engine, prior, stream(seed, 'proxy-statistics'), samples)) {
		for (const [i, value] of w.entries()) {
			const before = value < 0 ? 5 * value : value;
			sum[i % wDim]! += before;
			squares[i % wDim]! += before * before;
		}
	}
	const mean = sum.map((total) => total / samples);
	const std = squares.map((total, i) => deviation(mean[i]!, total / samples));
	return { mean: Float32Array.from(mean), std: Float32Array.from(std) };
}

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
