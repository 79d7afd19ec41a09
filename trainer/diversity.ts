// Mode collapse, seen in the grids of samples: images of different latents come closer to each other than real images.
import { batchIndices, type Dataset } from '../data/index.ts';
import type { HostTensor } from '../engine/index.ts';
import { sampleCount } from './recipe.ts';

/** Samples this much less diverse than real images, after they were not, are told of. */
export const collapse = 0.25;

/** Root mean square over pixels and over all pairs of images [N, …] of their difference; N at least 2. */
export function meanDistance({ shape, data }: HostTensor): number {
	const n = shape[0]!;
	const size = data.length / n;
	// Σ over pairs of (a − b)² = n·Σ a² − (Σ a)², pixel by pixel.
	let total = 0;
	for (let pixel = 0; pixel < size; pixel++) {
		let [sum, squares] = [0, 0];
		for (let i = pixel; i < data.length; i += size) {
			sum += data[i]!;
			squares += data[i]! ** 2;
		}
		total += Math.max(0, n * squares - sum * sum);
	}
	return Math.sqrt(total / (size * ((n * (n - 1)) / 2)));
}

/** The same of as many real images as a grid has samples, drawn by the seed. */
export function realDistance(dataset: Dataset, seed: number): number {
	const { count, resolution, channels } = dataset;
	const indices = batchIndices({ seed, count, batch: Math.min(count, sampleCount), step: 0 });
	return meanDistance({
		shape: [indices.length, resolution, resolution, channels],
		data: dataset.read(indices),
	});
}
