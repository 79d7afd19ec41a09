// Centroids of w: many draws of z, mapped, and clustered by k-means (Lloyd's algorithm from a k-means++ start), on the
// host and from one seed. CRI starts at one of them.
import { type Engine, type HostTensor, type RandomStream, stream } from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import { drawnLatents } from '../statistics.ts';

export interface CentroidOptions {
	/** M: draws of w. */
	samples: number;
	/** N: clusters. */
	clusters: number;
}

/** Lloyd's algorithm has settled long before on clouds of w. */
const MOST_ROUNDS = 50;

/** The same draws every time: the centroids are the prior's. */
const SEED = 0;

/** Centroids of w in units of its deviation around its mean, [clusters, W]. */
export function centroidsOf(
	engine: Engine,
	prior: Prior,
	{ samples, clusters }: CentroidOptions,
): HostTensor {
	const { wDim } = prior.generator;
	const points = standardDraws(engine, prior, samples);
	const data = kMeans(points, wDim, clusters, stream(SEED, 'centroids.start'));
	return { shape: [clusters, wDim], data };
}

/** In units of the deviation of w around its mean, [samples · W], one draw after another. */
function standardDraws(engine: Engine, prior: Prior, samples: number): Float32Array {
	const { wMean, wStd } = prior.latent;
	const D = wMean.length;
	const points = new Float32Array(samples * D);
	let at = 0;
	for (const w of drawnLatents(engine, prior, stream(SEED, 'centroids'), samples)) {
		points.set(w, at);
		at += w.length;
	}
	return points.map((value, i) => (value - wMean[i % D]!) / wStd[i % D]!);
}

/**
 * Centroids of `count` clusters of points of dimension D, which lie one after another.
 *
 * @param count at most the number of points
 */
export function kMeans(points: Float32Array, D: number, count: number, draws: RandomStream): Float32Array {
	const n = points.length / D;
	const centroids = spreadStart(points, D, count, draws);
	const nearest = new Int32Array(n).fill(-1);
	for (let round = 0; round < MOST_ROUNDS; round++) {
		let moved = false;
		for (let i = 0; i < n; i++) {
			let [best, least] = [0, Number.POSITIVE_INFINITY];
			for (let k = 0; k < count; k++) {
				const far = squaredDistance(points, i, centroids, k, D);
				if (far < least) [best, least] = [k, far];
			}
			moved ||= nearest[i] !== best;
			nearest[i] = best;
		}
		if (!moved) break;
		const [sums, sizes] = [new Float64Array(count * D), new Int32Array(count)];
		for (let i = 0; i < n; i++) {
			const k = nearest[i]!;
			sizes[k]!++;
			for (let d = 0; d < D; d++) sums[k * D + d]! += points[i * D + d]!;
		}
		// A cluster that lost all its points stays where it is.
		for (let k = 0; k < count; k++)
			if (sizes[k]! > 0) for (let d = 0; d < D; d++) centroids[k * D + d] = sums[k * D + d]! / sizes[k]!;
	}
	return centroids;
}

/** k-means++ (Arthur and Vassilvitskii 2007): each next start is drawn by its squared distance to those before. */
function spreadStart(points: Float32Array, D: number, count: number, draws: RandomStream): Float32Array {
	const n = points.length / D;
	const centroids = new Float32Array(count * D);
	const distance = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
	const uniform = draws.uniforms(0, count);
	let next = Math.floor(uniform[0]! * n);
	for (let k = 0; k < count; k++) {
		if (k > 0) {
			const total = distance.reduce((sum, value) => sum + value, 0);
			let left = uniform[k]! * total;
			next = distance.findIndex((value) => {
				left -= value;
				return left <= 0;
			});
			if (next < 0) next = n - 1;
		}
		centroids.set(points.subarray(next * D, (next + 1) * D), k * D);
		for (let i = 0; i < n; i++)
			distance[i] = Math.min(distance[i]!, squaredDistance(points, i, centroids, k, D));
	}
	return centroids;
}

function squaredDistance(a: Float32Array, i: number, b: Float32Array, k: number, D: number): number {
	let sum = 0;
	for (let d = 0; d < D; d++) {
		const apart = a[i * D + d]! - b[k * D + d]!;
		sum += apart * apart;
	}
	return sum;
}
