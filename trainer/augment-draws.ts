// Which augmentation each image gets, drawn on the host: a function of (seed, purpose, step, index of the image) and of
// the probability. Draws do not depend on the size of the batch, nor does what is drawn for one transform depend on
// whether another happens, so more probability only adds transforms.
import { stream } from '../engine/index.ts';

export const augmentationGroups = ['blit', 'geometry', 'colour'] as const;
export type AugmentationGroup = (typeof augmentationGroups)[number];

/** Host values of the inputs of `augment`, by name. */
export interface AugmentationInputs {
	geometry: Float32Array;
	moved: Float32Array;
	colour: Float32Array;
}

export interface AugmentationOptions {
	seed: number;
	/** What the images are for (`d real`, `d fake`, `g`, …): each has draws of its own. */
	purpose: string;
	/** Images a step. */
	count: number;
	/** Side of the images in pixels. */
	resolution: number;
	/** Which transforms may happen; default all. */
	groups?: readonly AugmentationGroup[];
}

/** Spreads of Karras et al. 2020, appendix B; lengths in fractions of the image, angles in turns. */
const spread = {
	integerShift: 0.125,
	logScale: 0.2,
	logAnisotropy: 0.2,
	fractionalShift: 0.125,
	brightness: 0.2,
	logContrast: 0.5,
	logSaturation: 1,
} as const;

const uniformsEach = 22;
const normalsEach = 8;

/**
 * Draws augmentations: pure in (seed, purpose, step, p).
 *
 * @returns a function of the step and of p in [0, 1], the probability of each transform.
 */
export function augmentationSource({
	seed,
	purpose,
	count,
	resolution,
	groups = augmentationGroups,
}: AugmentationOptions): (step: number, p: number) => AugmentationInputs {
	const uniforms = stream(seed, `augment ${purpose} uniforms`);
	const normals = stream(seed, `augment ${purpose} normals`);
	const only = (group: AugmentationGroup, p: number): number => (groups.includes(group) ? p : 0);

	return (step, p) => {
		const u = uniforms.uniforms(step, count * uniformsEach);
		const z = normals.normals(step, count * normalsEach);
		const inputs = {
			geometry: new Float32Array(count * 6),
			moved: new Float32Array(count),
			colour: new Float32Array(count * 12),
		};
		for (let i = 0; i < count; i++) {
			const own = {
				u: u.subarray(i * uniformsEach, (i + 1) * uniformsEach),
				z: z.subarray(i * normalsEach, (i + 1) * normalsEach),
			};
			const geometry = drawGeometry(own, resolution, only('blit', p), only('geometry', p));
			inputs.geometry.set(geometry, i * 6);
			inputs.moved[i] = geometry.every((value, k) => value === unmoved[k]) ? 0 : 1;
			inputs.colour.set(drawColour(own, only('colour', p)), i * 12);
		}
		return inputs;
	};
}

interface Draws {
	u: Float32Array;
	z: Float32Array;
}

/** Rows of a 2 × 3 or 3 × 4 matrix: an affine map. */
type Affine = number[];

const unmoved: Affine = [1, 0, 0, 0, 1, 0];
const unchanged: Affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];

/** The map from a pixel of the result to where it comes from, about the centre of the image. */
function drawGeometry({ u, z }: Draws, size: number, blit: number, geometry: number): Affine {
	// A rotation before and one after the anisotropic scaling: with this probability each, p that any happens.
	const turn = 1 - Math.sqrt(1 - geometry);
	const shift = (value: number): number => Math.round((2 * value - 1) * spread.integerShift * size);
	const steps: [happens: boolean, inverse: () => Affine][] = [
		[u[0]! < blit, () => scaling(u[1]! < 0.5 ? -1 : 1, 1)],
		[u[2]! < blit, () => quarterTurns(Math.floor(4 * u[3]!))],
		[u[4]! < blit, () => translation(-shift(u[5]!), -shift(u[6]!))],
		[
			u[7]! < geometry,
			() => {
				const s = 2 ** (-spread.logScale * z[0]!);
				return scaling(s, s);
			},
		],
		[u[8]! < turn, () => rotation(2 * Math.PI * u[9]!)],
		[
			u[10]! < geometry,
			() => {
				const s = 2 ** (-spread.logAnisotropy * z[1]!);
				return scaling(s, 1 / s);
			},
		],
		[u[11]! < turn, () => rotation(2 * Math.PI * u[12]!)],
		[
			u[13]! < geometry,
			() => translation(z[2]! * spread.fractionalShift * size, z[3]! * spread.fractionalShift * size),
		],
	];
	// What is applied to the image first is undone last: inverses are composed in the order of application.
	return steps.reduce((map, [happens, inverse]) => (happens ? compose(map, inverse()) : map), unmoved);
}

const scaling = (x: number, y: number): Affine => [x, 0, 0, 0, y, 0];
const translation = (x: number, y: number): Affine => [1, 0, x, 0, 1, y];
const rotation = (angle: number): Affine => {
	const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
	return [cos, -sin, 0, sin, cos, 0];
};
/** Exactly, unlike by sine and cosine. */
const quarterTurns = (n: number): Affine => {
	const [cos, sin] = [[1, 0, -1, 0][n]!, [0, 1, 0, -1][n]!];
	return [cos, -sin, 0, sin, cos, 0];
};

/** rgb of the result from rgb, on [-1, 1]. */
function drawColour({ u, z }: Draws, p: number): Affine {
	const contrast = 2 ** (spread.logContrast * z[5]!);
	const steps: [happens: boolean, map: () => Affine][] = [
		[u[14]! < p, () => offset(z[4]! * spread.brightness)],
		[u[15]! < p, () => alongGrey(contrast, contrast)],
		[u[16]! < p, () => alongGrey(u[17]! < 0.5 ? -1 : 1, 1)],
		[u[18]! < p, () => hueRotation(2 * Math.PI * u[19]!)],
		[u[20]! < p, () => alongGrey(1, 2 ** (spread.logSaturation * z[6]!))],
	];
	return steps.reduce((map, [happens, next]) => (happens ? compose(next(), map) : map), unchanged);
}

const offset = (value: number): Affine => [1, 0, 0, value, 0, 1, 0, value, 0, 0, 1, value];

/** Scales by `grey` along (1, 1, 1) and by `colour` across it. */
function alongGrey(grey: number, colour: number): Affine {
	const diagonal = (grey + 2 * colour) / 3;
	const rest = (grey - colour) / 3;
	return [diagonal, rest, rest, 0, rest, diagonal, rest, 0, rest, rest, diagonal, 0];
}

/** A rotation about the axis (1, 1, 1) (Rodrigues). */
function hueRotation(angle: number): Affine {
	const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
	const [a, b] = [(1 - cos) / 3, sin / Math.sqrt(3)];
	return [cos + a, a - b, a + b, 0, a + b, cos + a, a - b, 0, a - b, a + b, cos + a, 0];
}

/** first ∘ second. */
function compose(first: Affine, second: Affine): Affine {
	const n = first.length === 6 ? 2 : 3;
	const result: Affine = [];
	for (let i = 0; i < n; i++) {
		for (let j = 0; j <= n; j++) {
			let sum = j === n ? first[i * (n + 1) + n]! : 0;
			for (let k = 0; k < n; k++) sum += first[i * (n + 1) + k]! * second[k * (n + 1) + j]!;
			result.push(sum);
		}
	}
	return result;
}
