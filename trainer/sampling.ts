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
	/** Share of the loss, a sample; over the whole family the sum is 1. */
	weight: Float32Array;
}

/**
 * Divides a batch among the members of a family by whole standard-deviation groups, so that D never compares samples
 * of different members. Group m holds the samples m, m + M, m + 2M, … Groups go to the members in proportion to their
 * weights, at least one each, and the loss weights make up for the rounding.
 */
export function familyBatch(members: readonly Member[], size: number): FamilyBatch {
	const groups = Math.ceil(size / groupSize);
	const counts = allot(
		members.map(({ weight }) => weight),
		groups,
	);
	const memberOfGroup = counts.flatMap((count, i) => Array<number>(count).fill(i));
	const member = Uint8Array.from({ length: size }, (_, i) => memberOfGroup[i % groups]!);
	return { size, member, weight: shares(members, member) };
}

/** Samples that go round the members one by one: for steps without standard-deviation groups. */
export function roundRobin(members: readonly Member[], size: number): FamilyBatch {
	const member = Uint8Array.from({ length: size }, (_, i) => i % members.length);
	return { size, member, weight: shares(members, member) };
}

/** A batch of one member alone, number `k` of the family. */
export function memberBatch(members: readonly Member[], k: number, size: number): FamilyBatch {
	const member = new Uint8Array(size).fill(k);
	return { size, member, weight: shares(members, member) };
}

/** A member's weight is shared equally by its samples. */
function shares(members: readonly Member[], member: Uint8Array): Float32Array {
	const counts = members.map((_, k) => member.reduce((n, m) => n + (m === k ? 1 : 0), 0));
	return Float32Array.from(member, (m) => members[m]!.weight / counts[m]!);
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

/** Which sample each code of a batch belongs to: one of its own for a sample, N for one of a mixture. */
export function codeOwners(members: readonly Member[], { member }: FamilyBatch): Int32Array {
	return Int32Array.from([...member].flatMap((m, i) => Array<number>(members[m]!.codes).fill(i)));
}

/** Inputs of one pass through the generator, by name; shapes by `latentShapes`. */
export type LatentInputs = Record<string, Float32Array>;

/**
 * Shapes of the inputs that `latentSource` gives for `n` samples of `rows` codes: z, with styles zMixed and mix, noise
 * maps, z1 at cuts, and where samples are mixtures, their weights alpha.
 */
export function latentShapes(
	generator: Generator,
	cuts: readonly Cut[],
	n: number,
	rows = n,
): Record<string, number[]> {
	return {
		z: [rows, generator.zDim],
		...(generator.numStyles > 1
			? { zMixed: [rows, generator.zDim], mix: [rows, generator.numStyles, 1] }
			: {}),
		...Object.fromEntries(generator.noiseShapes.map(([h, w], i) => [`noise${i}`, [n, h, w, 1]])),
		...Object.fromEntries(
			cuts.map(({ name, resolution, channels }) => [`z1.${name}`, [n, resolution, resolution, channels]]),
		),
		...(rows > n ? { alpha: [n, rows] } : {}),
	};
}

export interface DrawOptions {
	/** Which samples belong to which member. */
	batch: FamilyBatch;
	members: readonly Member[];
	/** Cuts that any member uses. */
	cuts: readonly Cut[];
	/** Standard deviation of z1 at each cut. */
	sigmas: Readonly<Record<string, number>>;
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
	const { batch, members, cuts, sigmas, mixing } = options;
	const n = batch.size;
	const owners = codeOwners(members, batch);
	const rows = owners.length;
	const named = (name: string): RandomStream => stream(seed, `${purpose} ${name}`);
	const firsts = [...owners.keys()].filter((row) => owners[row] !== owners[row - 1]);
	const others = [...owners.keys()].filter((row) => owners[row] === owners[row - 1]);
	const injections = cuts.map((cut) => ({ cut, source: named(`z1 ${cut.name}`) }));
	const noiseSizes = generator.noiseShapes.map(([h, w]) => n * h * w);
	const noiseTotal = noiseSizes.reduce((a, b) => a + b, 0);

	/** [rows, Z]: the first code of a sample is that of a sample without a mixture. */
	function codes(step: number, name: string): Float32Array {
		const size = generator.zDim;
		const own = named(name).normals(step, n * size);
		if (rows === n) return own;
		const values = new Float32Array(rows * size);
		const more = named(`${name} codes`).normals(step, others.length * size);
		firsts.forEach((row, i) => {
			values.set(own.subarray(i * size, (i + 1) * size), row * size);
		});
		others.forEach((row, i) => {
			values.set(more.subarray(i * size, (i + 1) * size), row * size);
		});
		return values;
	}

	/** [n, rows]: weights of each sample's codes, from the flat Dirichlet distribution; 1 for a single code. */
	function weights(step: number): Float32Array {
		const drawn = named('alpha')
			.uniforms(step, rows)
			.map((u) => -Math.log1p(-u));
		const sums = new Float64Array(n);
		drawn.forEach((value, row) => {
			sums[owners[row]!]! += value;
		});
		const alpha = new Float32Array(n * rows);
		drawn.forEach((value, row) => {
			const i = owners[row]!;
			alpha[i * rows + row] = sums[i]! > 0 ? value / sums[i]! : 1;
		});
		return alpha;
	}

	return (step) => {
		const inputs: LatentInputs = { z: codes(step, 'z') };
		if (generator.numStyles > 1) {
			inputs.zMixed = codes(step, 'z mixed');
			const uniforms = named('mix').uniforms(step, 2 * n);
			// All codes of a sample change at the same row: the mask of their owner.
			const masks = mixingMask(uniforms, n, generator.numStyles, mixing);
			inputs.mix = rows === n ? masks : takeRows(masks, owners, generator.numStyles);
		}
		const maps = named('noise').normals(step, noiseTotal);
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
			const sigma = sigmas[cut.name] ?? 1;
			if (sigma !== 1) for (let i = 0; i < values.length; i++) values[i]! *= sigma;
			inputs[`z1.${cut.name}`] = values;
		}
		if (rows > n) inputs.alpha = weights(step);
		return inputs;
	};
}

function takeRows(values: Float32Array, rows: Int32Array, size: number): Float32Array {
	const taken = new Float32Array(rows.length * size);
	rows.forEach((row, i) => {
		taken.set(values.subarray(row * size, (row + 1) * size), i * size);
	});
	return taken;
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
