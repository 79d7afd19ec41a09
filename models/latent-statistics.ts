// Statistics of a generator's own latents: what solvers scale by. Measured after training and kept in the checkpoint
// (group `latent`), so that nobody inverts with those of another network.
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, HostTensor, HostTensors } from '../engine/index.ts';
import { stream } from '../engine/index.ts';
import type { Generator } from './contract.ts';

export interface LatentStatistics {
	/** Mean and standard deviation of w by coordinate, [W]. */
	wMean: Float32Array;
	wStd: Float32Array;
	/** Covariance of w, [W, W]; absent where only the deviations are known. */
	wCovariance?: Float32Array;
	/** Mean and standard deviation of the features at each cut, over channels and positions. */
	featureMean?: Readonly<Record<string, number>>;
	featureStd: Readonly<Record<string, number>>;
}

export interface StatisticsOptions {
	seed: number;
	/** Draws of w; default 4096. */
	samples?: number;
	/** Draws whose features are looked at; default 128. */
	images?: number;
}

/** Latents mapped, and images made, in one call. */
const MANY = 512;
const FEW = 16;

/** w for each layer from w [N, W]: [N, L, W]. */
export const everyLayer = (generator: Generator, w: tf.Tensor): tf.Tensor =>
	tf.add(tf.reshape(w, [-1, 1, generator.wDim]), tf.zeros([1, generator.numStyles, generator.wDim]));

/** Noise maps of 0, for any number of images. */
export const noNoise = (generator: Generator): tf.Tensor[] =>
	generator.noiseShapes.map(([height, width]) => tf.zeros([1, height, width, 1]));

/** Moments of w, and of the features at each cut (without noise), over fixed draws. */
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
				run(state, { z }) {
					const w = generator.map(state, z!);
					return { outputs: { sum: tf.sum(w, 0), products: tf.matMul(w, w, true, false) } };
				},
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
		const products = new Float64Array(wDim * wDim);
		const rounds = Math.ceil(samples / MANY);
		const n = rounds * MANY;
		for (let round = 0; round < rounds; round++) {
			const { sum: some, products: more } = program.call('map', { z: draws.normals(round, MANY * zDim) });
			some!.data.forEach((value, i) => {
				sum[i]! += value / n;
			});
			more!.data.forEach((value, i) => {
				products[i]! += value / n;
			});
		}
		const covariance = products.map((value, i) => value - sum[Math.floor(i / wDim)]! * sum[i % wDim]!);
		const wStd = Float32Array.from(sum, (mean, i) => deviation(mean, products[i * wDim + i]!));

		const moments = new Map(cuts.map(({ name }) => [name, [0, 0] as [number, number]]));
		const parts = Math.ceil(images / FEW);
		for (let part = 0; part < parts && cuts.length > 0; part++) {
			const outputs = program.call('features', { z: draws.normals(part, FEW * zDim) });
			for (const [name, total] of moments) {
				total[0] += outputs[name]!.data[0]! / parts;
				total[1] += outputs[name]!.data[1]! / parts;
			}
		}
		return {
			wMean: Float32Array.from(sum),
			wStd,
			wCovariance: Float32Array.from(covariance),
			featureMean: Object.fromEntries([...moments].map(([name, [mean]]) => [name, mean])),
			featureStd: Object.fromEntries(
				[...moments].map(([name, [first, second]]) => [name, deviation(first, second)]),
			),
		};
	} finally {
		program.dispose();
	}
}

/** Standard deviation from the first two moments; never 0, so that it can be a scale. */
export const deviation = (mean: number, square: number): number =>
	Math.sqrt(Math.max(square - mean ** 2, 1e-12));

/** The group `latent` of a checkpoint: `w_mean`, `w_std`, `w_covariance`, `feature_mean.<cut>`, `feature_std.<cut>`. */
export function latentGroup(statistics: LatentStatistics): HostTensors {
	const { wMean, wStd, wCovariance, featureMean = {}, featureStd } = statistics;
	const vector = (data: Float32Array): HostTensor => ({ shape: [data.length], data });
	const numbers = (prefix: string, values: Readonly<Record<string, number>>): HostTensors =>
		Object.fromEntries(
			Object.entries(values).map(([cut, value]) => [`${prefix}.${cut}`, vector(Float32Array.of(value))]),
		);
	return {
		w_mean: vector(wMean),
		w_std: vector(wStd),
		...(wCovariance ? { w_covariance: { shape: [wMean.length, wMean.length], data: wCovariance } } : {}),
		...numbers('feature_mean', featureMean),
		...numbers('feature_std', featureStd),
	};
}

/** The statistics of such a group; undefined where it is not that of this generator. */
export function latentFromGroup(group: HostTensors, { wDim, cuts }: Generator): LatentStatistics | undefined {
	const { w_mean: mean, w_std: std, w_covariance: covariance } = group;
	if (mean?.data.length !== wDim || std?.data.length !== wDim) return undefined;
	const numbers = (prefix: string): Record<string, number> =>
		Object.fromEntries(
			cuts.flatMap(({ name }) => {
				const found = group[`${prefix}.${name}`]?.data[0];
				return found === undefined ? [] : [[name, found]];
			}),
		);
	const featureStd = numbers('feature_std');
	if (Object.keys(featureStd).length !== cuts.length) return undefined;
	return {
		wMean: mean.data,
		wStd: std.data,
		...(covariance?.data.length === wDim * wDim ? { wCovariance: covariance.data } : {}),
		featureMean: numbers('feature_mean'),
		featureStd,
	};
}
