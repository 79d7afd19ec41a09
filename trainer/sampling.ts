// What a training step draws, as host tensors: latents, style mixing, noise maps, intermediate latents. Every draw is a
// function of (seed, stream, step), and streams do not depend on the arm: two arms of a comparison see the same z.
import { elements, type RandomStream, stream } from '../engine/index.ts';
import type { Cut, Generator, Member } from '../models/index.ts';

/** Samples in a group of the minibatch standard deviation (models/stylegan2). */
const groupSize = 4;

/** Which member of the family each sample of a batch comes from, and its share of the loss. */
export interface FamilyBatch {
	/** Samples altogether. */
	size: number;
	/** Index of the member, a sample. */
	member: Uint8Array;
	/** Share of the loss, a sample; the sum is 1. */
	weight: Float32Array;
}

/**
 * Divides a batch among the members of a family by whole standard-deviation groups, so that D never compares samples
 * of different members. Group m holds the samples m, m + M, m + 2M, …
 *
 * `split`: groups go to the members in proportion to their weights, at least one each, and the loss weights make up for
 * the rounding. `each`: every member gets `batch` samples.
 */
export function familyBatch(members: readonly Member[], batch: number, mode: 'split' | 'each'): FamilyBatch {
	const size = mode === 'each' ? batch * members.length : batch;
	const groups = Math.ceil(size / groupSize);
	const counts = allot(
		members.map(({ weight }) => (mode === 'each' ? 1 / members.length : weight)),
		groups,
	);
	const memberOfGroup = counts.flatMap((count, i) => Array<number>(count).fill(i));
	const member = Uint8Array.from({ length: size }, (_, i) => memberOfGroup[i % groups]!);
	const samples = members.map((_, k) => member.reduce((n, m) => n + (m === k ? 1 : 0), 0));
	const weight = Float32Array.from(member, (m) => members[m]!.weight / samples[m]!);
	return { size, member, weight };
}

/** The smallest batch that a family can be split over. */
export function smallestBatch(members: readonly Member[]): number {
	return groupSize * members.length;
}

/** Whole numbers that sum to `total`, at least 1 each, as near to `shares` as that allows (largest remainders). */
function allot(shares: readonly number[], total: number): number[] {
	const ideal = shares.map((share) => share * total);
	const counts = ideal.map((value) => Math.max(1, Math.floor(value)));
	const gap = (i: number): number => ideal[i]! - counts[i]!;
	const order = (): number[] => shares.map((_, i) => i).sort((a, b) => gap(b) - gap(a) || a - b);
	for (let left = total - counts.reduce((a, b) => a + b, 0); left !== 0; left -= Math.sign(left)) {
		const candidates = left > 0 ? order() : order().reverse();
		const chosen = candidates.find((i) => left > 0 || counts[i]! > 1);
		if (chosen === undefined)
			throw new RangeError(`A batch of ${total} groups is too small for ${shares.length} members`);
		counts[chosen]! += Math.sign(left);
	}
	return counts;
}

/** Inputs of one pass through the generator, by name; shapes by `latentShapes`. */
export type LatentInputs = Record<string, Float32Array>;

/** Shapes of the inputs that `drawLatents` gives for `n` samples. */
export function latentShapes(
	generator: Generator,
	cuts: readonly Cut[],
	n: number,
): Record<string, number[]> {
	return {
		z: [n, generator.zDim],
		zMixed: [n, generator.zDim],
		mix: [n, generator.numStyles, 1],
		...Object.fromEntries(generator.noiseShapes.map(([h, w], i) => [`noise${i}`, [n, h, w, 1]])),
		...Object.fromEntries(
			cuts.map(({ name, resolution, channels }) => [`z1.${name}`, [n, resolution, resolution, channels]]),
		),
	};
}

export interface DrawOptions {
	/** Which samples belong to which member. */
	batch: FamilyBatch;
	members: readonly Member[];
	/** Cuts that any member uses. */
	cuts: readonly Cut[];
	/** Standard deviation of z1. */
	sigma: number;
	/** Probability that a sample takes its later styles from a second z. */
	mixing: number;
}

/** Draws latents for one purpose (`d`, `g`, `path`, …): pure in (seed, purpose, step). */
export function latentSource(
	seed: number,
	purpose: string,
	generator: Generator,
	options: DrawOptions,
): (step: number) => LatentInputs {
	const { batch, members, cuts, sigma, mixing } = options;
	const n = batch.size;
	const named = (name: string): RandomStream => stream(seed, `${purpose} ${name}`);
	const [z, zMixed, mix, noise] = ['z', 'z mixed', 'mix', 'noise'].map(named) as [
		RandomStream,
		RandomStream,
		RandomStream,
		RandomStream,
	];
	const injections = cuts.map((cut) => ({ cut, source: named(`z1 ${cut.name}`) }));
	const noiseSizes = generator.noiseShapes.map(([h, w]) => n * h * w);
	const noiseTotal = noiseSizes.reduce((a, b) => a + b, 0);

	return (step) => {
		const inputs: LatentInputs = {
			z: z.normals(step, n * generator.zDim),
			zMixed: zMixed.normals(step, n * generator.zDim),
			mix: mixingMask(mix.uniforms(step, 2 * n), n, generator.numStyles, mixing),
		};
		const maps = noise.normals(step, noiseTotal);
		let offset = 0;
		noiseSizes.forEach((size, i) => {
			inputs[`noise${i}`] = maps.slice(offset, offset + size);
			offset += size;
		});
		for (const { cut, source } of injections) {
			const size = elements([cut.resolution, cut.resolution, cut.channels]);
			const users = [...batch.member.keys()].filter((i) =>
				members[batch.member[i]!]!.cuts.includes(cut.name),
			);
			const drawn = source.normals(step, users.length * size);
			const values = new Float32Array(n * size);
			users.forEach((sample, row) => {
				values.set(drawn.subarray(row * size, (row + 1) * size), sample * size);
			});
			if (sigma !== 1) for (let i = 0; i < values.length; i++) values[i]! *= sigma;
			inputs[`z1.${cut.name}`] = values;
		}
		return inputs;
	};
}

/** [N, L, 1]: 1 where the second z rules. With probability `mixing`, from a uniform row of 1 … L − 1 onwards. */
function mixingMask(uniforms: Float32Array, n: number, rows: number, mixing: number): Float32Array {
	const mask = new Float32Array(n * rows);
	for (let i = 0; i < n; i++) {
		if (uniforms[2 * i]! >= mixing) continue;
		const from = 1 + Math.floor(uniforms[2 * i + 1]! * (rows - 1));
		mask.fill(1, i * rows + from, (i + 1) * rows);
	}
	return mask;
}
