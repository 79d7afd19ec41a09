// The border of this room: images of the project, [-1, 1] in NHWC, become float64 planes in [0, 1].
import { expected, RtilError } from '../errors/index.ts';

/** Images in [-1, 1], NHWC: shape [N, H, W, C] or [H, W, C]. */
export interface Images {
	readonly shape: readonly number[];
	readonly data: Float32Array | Float64Array;
}

/** One channel of one image, row-major. */
export interface Plane {
	readonly height: number;
	readonly width: number;
	readonly data: Float64Array;
}

export interface Geometry {
	readonly count: number;
	readonly height: number;
	readonly width: number;
	readonly channels: number;
}

/** [N, H, W, C] of images; throws INVALID_INPUT when shape and data disagree. */
export function geometryOf(images: Images, name = 'images'): Geometry {
	const shape = images.shape.length === 3 ? [1, ...images.shape] : [...images.shape];
	const [count = 0, height = 0, width = 0, channels = 0] = shape;
	if (shape.length !== 4 || shape.some((size) => !Number.isInteger(size) || size < 1))
		throw expected('a shape [N, H, W, C] or [H, W, C]', name, images.shape);
	const size = count * height * width * channels;
	if (images.data.length !== size)
		throw expected(`${size} values for shape [${shape}]`, name, images.data.length);
	return { count, height, width, channels };
}

/** The common geometry of a pair; throws MISMATCH when they differ. */
export function pairGeometry(a: Images, b: Images): Geometry {
	const left = geometryOf(a, 'the first images');
	const right = geometryOf(b, 'the second images');
	if (Object.keys(left).some((key) => left[key as keyof Geometry] !== right[key as keyof Geometry]))
		throw new RtilError(
			'MISMATCH',
			`Expected images of one shape but received [${a.shape}] and [${b.shape}]`,
			'Compare images of the same size, channels and number.',
		);
	return left;
}

/** One channel of image `n` in [0, 1]; `clip` first limits it to what can be shown. */
export function planeOf(images: Images, n: number, channel: number, clip: boolean): Plane {
	const { height, width, channels } = geometryOf(images);
	const size = height * width;
	const data = new Float64Array(size);
	let from = n * size * channels + channel;
	for (let i = 0; i < size; i++, from += channels) {
		const value = ((images.data[from] as number) + 1) / 2;
		data[i] = clip ? Math.min(1, Math.max(0, value)) : value;
	}
	return { height, width, data };
}

/** Which pixels of image `n` count: those above 0 in a mask [N | 1, H, W, 1] or [H, W, 1]; all without a mask. */
export function regionOf(mask: Images | undefined, n: number, of: Geometry): (pixel: number) => boolean {
	if (!mask) return () => true;
	const { count, height, width, channels } = geometryOf(mask, 'the mask');
	if (channels !== 1 || height !== of.height || width !== of.width || (count !== 1 && count !== of.count))
		throw expected(`a mask [1 or ${of.count}, ${of.height}, ${of.width}, 1]`, 'region', mask.shape);
	const offset = count === 1 ? 0 : n * height * width;
	return (pixel) => (mask.data[offset + pixel] as number) > 0;
}

/** Refuses a region without a single counted pixel. */
export function emptyRegion(n: number): RtilError {
	return expected('at least one pixel above 0', `region of image ${n}`, 'none');
}
