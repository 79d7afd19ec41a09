// BM3D: Dabov, Foi, Katkovnik, Egiazarian, "Image Denoising by Sparse 3-D Transform-Domain Collaborative Filtering"
// (IEEE TIP 2007), profile np: 8 × 8 blocks, every 3 pixels, search window 39 × 39. First stage: groups of up to 16 noisy
// blocks, biorthogonal wavelet 1.5 in the block and Haar along the group, hard threshold. Second stage: groups of up to
// 32 blocks matched in the first estimate, DCT and Haar, Wiener filter. Colour: luminance finds the groups, every
// channel of the opponent space is filtered (Dabov et al., ICIP 2007). Checked against the authors' package by PSNR.
//
// Deviations: blocks are matched by their pixels, not by their wavelet coefficients; the threshold is the paper's 2.7 σ,
// where the package chooses its own.
import { expected } from '../../errors/index.ts';
import { bior15, dct, haar, kaiser, SIDE, type Transform, transformBlock } from './transforms.ts';

const SIZE = SIDE * SIDE;
const STEP = 3;
const REACH = 19;
const KAISER_BETA = 2;
/** In units of σ. */
const HARD_THRESHOLD = 2.7;

interface Stage {
	transform: Transform;
	/** Blocks of a group, at most. */
	group: number;
	/** Largest mean squared difference of matching blocks, of grey levels 0 … 255. */
	match: number;
}

const hardStage: Stage = { transform: bior15(), group: 16, match: 3000 };
const wienerStage: Stage = { transform: dct(), group: 32, match: 400 };
const window = kaiser(KAISER_BETA);

/** Channel planes, one after the other. */
interface Planes {
	height: number;
	width: number;
	/** Grey levels, 0 … 255. */
	planes: Float32Array[];
	/** Deviation of the noise of each plane. */
	sigmas: number[];
}

/** Opponent space: luminance, red − blue, green − their mean. */
const OPPONENT = [
	[1 / 3, 1 / 3, 1 / 3],
	[1 / 2, 0, -1 / 2],
	[1 / 4, -1 / 2, 1 / 4],
];
const FROM_OPPONENT = [
	[1, 1, 2 / 3],
	[1, 0, -4 / 3],
	[1, -1, 2 / 3],
];

const mix = (matrix: number[][], planes: readonly Float32Array[]): Float32Array[] =>
	matrix.map(([a, b, c]) =>
		planes[0]!.map((value, i) => a! * value + b! * planes[1]![i]! + c! * planes[2]![i]!),
	);

export interface GrayOrColour {
	height: number;
	width: number;
	/** 1, or 3: RGB. */
	channels: number;
	/** [H, W, C] in [−1, 1]; values beyond are kept. */
	data: Float32Array;
}

/**
 * Removes white Gaussian noise from an image.
 *
 * @param sigma deviation of the noise, in units of [−1, 1]
 * @param stages 1: the first estimate alone
 * @returns [H, W, C]; not clipped
 * @throws INVALID_INPUT for images smaller than a block, or of other than 1 or 3 channels
 */
export function bm3d(image: GrayOrColour, sigma: number, stages: 1 | 2 = 2): Float32Array {
	const { height, width, channels, data } = image;
	if (Math.min(height, width) < SIDE) {
		throw expected(`an image of at least ${SIDE} × ${SIDE} pixels`, 'BM3D', `${width} × ${height}`);
	}
	if (channels !== 1 && channels !== 3) throw expected('1 or 3 channels', 'BM3D', channels);
	const split = Array.from({ length: channels }, (_, c) =>
		Float32Array.from({ length: height * width }, (_, i) => (data[i * channels + c]! + 1) * 127.5),
	);
	const rows = channels === 3 ? OPPONENT : [[1]];
	const noisy: Planes = {
		height,
		width,
		planes: channels === 3 ? mix(OPPONENT, split) : split,
		sigmas: rows.map((row) => sigma * 127.5 * Math.hypot(...row)),
	};
	const first = filter(noisy, null, hardStage);
	const planes = stages === 1 ? first : filter(noisy, first, wienerStage);
	const out = channels === 3 ? mix(FROM_OPPONENT, planes) : planes;
	return data.map((_, i) => out[i % channels]![Math.floor(i / channels)]! / 127.5 - 1);
}

/** One stage: groups everywhere, filtered and averaged back. With a pilot, that is matched and sets the Wiener filter. */
function filter(noisy: Planes, pilot: Float32Array[] | null, stage: Stage): Float32Array[] {
	const { height, width, planes, sigmas } = noisy;
	const matcher = new Matcher((pilot ?? planes)[0]!, height, width, stage);
	const values = new Float64Array(stage.group * SIZE);
	const guide = new Float64Array(stage.group * SIZE);
	const sums = planes.map(() => new Float64Array(height * width));
	const weights = planes.map(() => new Float64Array(height * width));
	for (const top of positions(height)) {
		for (const left of positions(width)) {
			const count = matcher.find(top, left);
			const { places } = matcher;
			for (const [c, plane] of planes.entries()) {
				gather(values, plane, width, places, count);
				analyse(values, count, stage.transform);
				let weight: number;
				if (pilot) {
					gather(guide, pilot[c]!, width, places, count);
					analyse(guide, count, stage.transform);
					weight = wiener(values, guide, count, sigmas[c]!);
				} else weight = threshold(values, count, HARD_THRESHOLD * sigmas[c]!) / sigmas[c]! ** 2;
				haar(values, count, 'inverse');
				for (let b = 0; b < count; b++) transformBlock(stage.transform.inverse, values, b * SIZE);
				scatter(values, sums[c]!, weights[c]!, width, places, count, weight);
			}
		}
	}
	return sums.map((sum, c) => Float32Array.from(sum, (value, i) => value / weights[c]![i]!));
}

/** Upper or left edges of the blocks that are filtered; the last one touches the border. */
function positions(side: number): number[] {
	const last = side - SIDE;
	const list = Array.from({ length: Math.floor(last / STEP) + 1 }, (_, i) => i * STEP);
	return list[list.length - 1] === last ? list : [...list, last];
}

function analyse(values: Float64Array, count: number, { forward }: Transform): void {
	for (let b = 0; b < count; b++) transformBlock(forward, values, b * SIZE);
	haar(values, count, 'forward');
}

/** Zeroes small coefficients; 1 / the number of the others. */
function threshold(values: Float64Array, count: number, limit: number): number {
	let kept = 0;
	for (let i = 0; i < count * SIZE; i++) {
		if (Math.abs(values[i]!) < limit) values[i] = 0;
		else kept++;
	}
	return 1 / Math.max(1, kept);
}

/** Shrinks by the energy of the pilot; 1 / (σ² ‖gains‖²). */
function wiener(values: Float64Array, guide: Float64Array, count: number, sigma: number): number {
	let energy = 0;
	for (let i = 0; i < count * SIZE; i++) {
		const square = guide[i]! ** 2;
		const gain = square / (square + sigma ** 2);
		values[i]! *= gain;
		energy += gain ** 2;
	}
	return 1 / (sigma ** 2 * Math.max(energy, 1e-12));
}

function gather(
	values: Float64Array,
	plane: Float32Array,
	width: number,
	places: Int32Array,
	count: number,
): void {
	for (let b = 0; b < count; b++)
		for (let i = 0; i < SIDE; i++)
			for (let j = 0; j < SIDE; j++) values[b * SIZE + i * SIDE + j] = plane[places[b]! + i * width + j]!;
}

function scatter(
	values: Float64Array,
	sum: Float64Array,
	weights: Float64Array,
	width: number,
	places: Int32Array,
	count: number,
	weight: number,
): void {
	for (let b = 0; b < count; b++)
		for (let i = 0; i < SIDE; i++)
			for (let j = 0; j < SIDE; j++) {
				const at = places[b]! + i * width + j;
				const share = weight * window[i * SIDE + j]!;
				sum[at]! += share * values[b * SIZE + i * SIDE + j]!;
				weights[at]! += share;
			}
}

/** Finds the blocks most like a reference block, itself first. */
class Matcher {
	/** Offsets of the blocks found, best first. */
	readonly places: Int32Array;
	readonly #distances: Float64Array;
	readonly #plane: Float32Array;
	readonly #height: number;
	readonly #width: number;
	readonly #limit: number;

	constructor(plane: Float32Array, height: number, width: number, { group, match }: Stage) {
		this.places = new Int32Array(group);
		this.#distances = new Float64Array(group);
		this.#plane = plane;
		this.#height = height;
		this.#width = width;
		this.#limit = match * SIZE;
	}

	/** How many were found: the largest power of two. */
	find(top: number, left: number): number {
		const [height, width] = [this.#height, this.#width];
		const reference = top * width + left;
		this.places[0] = reference;
		this.#distances[0] = -1;
		let count = 1;
		const bottom = Math.min(height - SIDE, top + REACH);
		const right = Math.min(width - SIDE, left + REACH);
		for (let y = Math.max(0, top - REACH); y <= bottom; y++)
			for (let x = Math.max(0, left - REACH); x <= right; x++) {
				const place = y * width + x;
				if (place !== reference) count = this.#consider(reference, place, count);
			}
		return 2 ** Math.floor(Math.log2(count));
	}

	/** Sorts a block in if it is near enough. */
	#consider(reference: number, place: number, count: number): number {
		const [plane, width, distances, places] = [this.#plane, this.#width, this.#distances, this.places];
		const full = count === places.length;
		const limit = full ? distances[count - 1]! : this.#limit;
		let distance = 0;
		for (let i = 0; i < SIDE; i++) {
			const [a, b] = [reference + i * width, place + i * width];
			for (let j = 0; j < SIDE; j++) {
				const difference = plane[a + j]! - plane[b + j]!;
				distance += difference * difference;
			}
			if (distance >= limit) return count;
		}
		let at = full ? count - 1 : count;
		for (; distances[at - 1]! > distance; at--) {
			distances[at] = distances[at - 1]!;
			places[at] = places[at - 1]!;
		}
		distances[at] = distance;
		places[at] = place;
		return full ? count : count + 1;
	}
}
