// Statistics of a generator's own latents, and images from it. A checkpoint may carry the statistics; else they are
// computed here, from the same draws every time.
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, HostTensor, HostTensors } from '../engine/index.ts';
import { stream } from '../engine/index.ts';
import type { Generator } from '../models/index.ts';
import type { LatentStatistics, Prior } from './prior.ts';

const CHUNK = 32;

/** w for each layer from w [N, W]: [N, L, W]. */
const everyLayer = (generator: Generator, w: tf.Tensor): tf.Tensor =>
	tf.add(tf.reshape(w, [-1, 1, generator.wDim]), tf.zeros([1, generator.numStyles, generator.wDim]));

const noNoise = (generator: Generator): tf.Tensor[] =>
	generator.noiseShapes.map(([height, width]) => tf.zeros([1, height, width, 1]));

/** Mean and deviation of w by coordinate, and the deviation of the features at each cut, over `samples` draws of z. */
export function latentStatistics(
	engine: Engine,
	generator: Generator,
	params: HostTensors,
	{ seed, samples }: { seed: number; samples: number },
): LatentStatistics {
	const { zDim, wDim, cuts } = generator;
	const program = engine.compile({
		name: 'latent statistics',
		state: params,
		functions: {
			run: {
				inputs: { '.z': [CHUNK, zDim] },
				run(state, inputs) {
					const w = generator.map(state, inputs['.z']!);
					const styles = everyLayer(generator, w);
					const noises = noNoise(generator);
					const features = cuts.map(({ name }) => {
						const { features: x } = generator.synthesizeTo(state, { styles, noises }, name);
						const { mean, variance } = tf.moments(x);
						return [name, tf.stack([mean, variance])] as const;
					});
					return { outputs: { '.w': w, ...Object.fromEntries(features) } };
				},
			},
		},
	});
	try {
		const rounds = Math.ceil(samples / CHUNK);
		const sum = new Float64Array(wDim);
		const squares = new Float64Array(wDim);
		const features = new Map(cuts.map(({ name }) => [name, { mean: 0, square: 0 }]));
		for (let round = 0; round < rounds; round++) {
			const z = stream(seed, 'latent-statistics').normals(round, CHUNK * zDim);
			const { '.w': w, ...rest } = program.call('run', { '.z': z });
			w!.data.forEach((value, i) => {
				sum[i % wDim]! += value;
				squares[i % wDim]! += value * value;
			});
			for (const [name, { data }] of Object.entries(rest)) {
				const total = features.get(name)!;
				total.mean += data[0]! / rounds;
				total.square += (data[1]! + data[0]! ** 2) / rounds;
			}
		}
		const n = rounds * CHUNK;
		const wMean = Float32Array.from(sum, (total) => total / n);
		const wStd = Float32Array.from(squares, (total, i) =>
			Math.sqrt(Math.max(total / n - wMean[i]! ** 2, 1e-12)),
		);
		const featureStd = Object.fromEntries(
			[...features].map(([name, { mean, square }]) => [name, Math.sqrt(Math.max(square - mean ** 2, 1e-12))]),
		);
		return { wMean, wStd, featureStd };
	} finally {
		program.dispose();
	}
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
