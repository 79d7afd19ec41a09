// FID and KID of what is being trained: samples of the weight average against real images of the data set, in features
// of Inception. Measuring changes nothing of the training: it draws from streams of its own.
import { z } from 'zod';
import { loadInception } from '../checkpoints/index.ts';
import { batchIndices, type Dataset, fromByte, toBytes } from '../data/index.ts';
import type { Engine, HostTensor } from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import { type Features, fid, type InceptionMetric, kid, openInception } from '../metrics/index.ts';
import { sampleCount, type TrainingSession } from './recipe.ts';

/** Images whose features are computed before the process looks at its messages. */
const atOnce = 8;

export const qualitySchema = z
	.strictObject({
		every: z
			.union([z.strictObject({ seconds: z.number().positive() }), z.strictObject({ steps: z.int().min(1) })])
			.default({ seconds: 600 })
			.describe('Measured at the first checkpoint after this much, and at the last one'),
		images: z
			.int()
			.min(2)
			.max(100_000)
			.default(512)
			.describe('Samples that are measured. FID is biased upwards for few: compare equal numbers'),
		real: z
			.union([z.literal('all'), z.int().min(2)])
			.default(2048)
			.describe('Real images they are compared with, at most; chosen by the seed'),
	})
	.describe(
		'FID and KID of the samples, as fid and kid beside the losses. Needs the weights of an Inception: rtil weights add',
	);

export type Quality = z.infer<typeof qualitySchema>;

/** What is measured, and what computes features of images [N, H, W, 3] in [−1, 1]. */
export type QualityOptions = Quality & Pick<InceptionMetric, 'features'>;

/**
 * The measurement with the Inception that this user has, on an engine.
 *
 * @throws NOT_FOUND, naming the command that adds it, where none is known; CORRUPT
 */
export async function openQuality(
	engine: Engine,
	quality: Quality,
): Promise<QualityOptions & Pick<InceptionMetric, 'dispose'>> {
	const inception = await openInception(engine, await loadInception());
	return { ...quality, ...inception };
}

/** FID and KID of a session's weight average; undefined where the signal was aborted meanwhile. */
export type QualityMeter = (session: TrainingSession) => Promise<{ fid: number; kid: number } | undefined>;

/**
 * Measures a session's samples, rounded to 8 bits, against real images as they are stored, unmirrored, both resized as
 * models/inception.ts does it. Features of the real images are computed once. FID uses all of them, KID (unbiased for
 * any number) at most as many as there are samples, since its time grows with the square. With fewer images than
 * Inception has features, 2048, FID is far above its limit: it then compares only checkpoints measured alike.
 *
 * @throws INVALID_INPUT for a data set of fewer than 2 images, which have no covariance
 */
export function qualityMeter(
	dataset: Dataset,
	seed: number,
	{ images, real, features }: QualityOptions,
	signal: AbortSignal,
): QualityMeter {
	const { count, resolution, channels } = dataset;
	if (count < 2) throw expected('at least 2 images for FID and KID', 'the data set', count);
	const chosen = real === 'all' ? count : Math.min(real, count);
	const indices = batchIndices({ seed, count, batch: chosen, step: 0 });
	let ofReal: Features | undefined;

	const readReal = (from: number): HostTensor => {
		const some = indices.subarray(from, from + sampleCount);
		return { shape: [some.length, resolution, resolution, channels], data: dataset.read(some) };
	};

	/** Features of the first `wanted` images of batches of `sampleCount`, which `batchFrom` gives. */
	async function featuresOf(
		wanted: number,
		batchFrom: (image: number) => HostTensor,
	): Promise<Features | undefined> {
		const parts: Features[] = [];
		for (let from = 0; from < wanted; from += sampleCount) {
			const batch = batchFrom(from);
			const size = Math.min(sampleCount, wanted - from);
			for (let at = 0; at < size; at += atOnce) {
				if (signal.aborted) return undefined;
				parts.push(features(part(batch, at, Math.min(size, at + atOnce))));
				await new Promise((resolve) => setImmediate(resolve));
			}
		}
		return joined(parts);
	}

	return async (session) => {
		ofReal ??= await featuresOf(chosen, readReal);
		if (!ofReal) return undefined;
		const fake = await featuresOf(images, (image) => rounded(session.samples(image / sampleCount)));
		if (!fake) return undefined;
		return { fid: fid(ofReal, fake), kid: kid(part(ofReal, 0, Math.min(chosen, images)), fake) };
	};
}

/** Rows `from` to `end` of a batch [N, …]. */
function part<T extends HostTensor | Features>({ shape, data }: T, from: number, end: number): HostTensor {
	const size = data.length / shape[0]!;
	return {
		shape: [end - from, ...shape.slice(1)],
		data: (data as Float32Array).subarray(from * size, end * size),
	};
}

/** Features [N, d] of all parts [n, d]. */
function joined(parts: readonly Features[]): Features {
	const size = parts[0]!.shape[1]!;
	const count = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
	const data = new Float32Array(count * size);
	let at = 0;
	for (const one of parts) {
		data.set(one.data, at);
		at += one.data.length;
	}
	return { shape: [count, size], data };
}

/** Images as files of 8 bits hold them, as real ones are. */
function rounded({ shape, data }: HostTensor): HostTensor {
	return { shape, data: Float32Array.from(toBytes(data), (value) => fromByte[value]!) };
}
