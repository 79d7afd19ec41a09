// Numbers for a pair of images: PSNR, and the residual of a measurement. SSIM is in ssim.ts.
import { expected } from '../errors/index.ts';
import { emptyRegion, type Images, pairGeometry, regionOf } from './images.ts';

export interface PairOptions {
	/** Count only pixels above 0 of this mask [N | 1, H, W, 1]: the hole of an inpainting. Default: all. */
	region?: Images;
	/** Limit both images to [-1, 1], what can be shown, before comparing; default true. */
	clip?: boolean;
}

/**
 * PSNR = −10 log₁₀ mean((a − b)²) in dB, data range 1 (images taken from [-1, 1] to [0, 1]), the mean over all counted
 * pixels and channels of an image. One value an image; Infinity for equal images. Throws MISMATCH on different shapes.
 */
export function psnr(a: Images, b: Images, options: PairOptions = {}): Float64Array {
	return squaredError(a, b, options).map((error) => -10 * Math.log10(error));
}

/** mean((a − b)²) in data range 1, one value an image. */
export function squaredError(a: Images, b: Images, options: PairOptions = {}): Float64Array {
	const geometry = pairGeometry(a, b);
	const { count, height, width, channels } = geometry;
	const size = height * width;
	const show = options.clip === false ? (value: number) => value : limit;
	const result = new Float64Array(count);
	for (let n = 0; n < count; n++) {
		const counted = regionOf(options.region, n, geometry);
		let sum = 0;
		let pixels = 0;
		for (let pixel = 0; pixel < size; pixel++) {
			if (!counted(pixel)) continue;
			pixels++;
			const at = (n * size + pixel) * channels;
			for (let c = 0; c < channels; c++) {
				const difference = (show(a.data[at + c] as number) - show(b.data[at + c] as number)) / 2;
				sum += difference * difference;
			}
		}
		if (pixels === 0) throw emptyRegion(n);
		result[n] = sum / (pixels * channels);
	}
	return result;
}

const limit = (value: number): number => Math.min(1, Math.max(-1, value));

/** Relative residual ‖Ax − y‖₂ / ‖y‖₂ of one measurement: 0 is a perfect fit, 1 what Ax = 0 gives. */
export function residual(ax: ArrayLike<number>, y: ArrayLike<number>): number {
	if (ax.length !== y.length) throw expected(`${y.length} values`, 'the estimated measurement', ax.length);
	let difference = 0;
	let norm = 0;
	for (let i = 0; i < y.length; i++) {
		difference += ((ax[i] as number) - (y[i] as number)) ** 2;
		norm += (y[i] as number) ** 2;
	}
	return difference === 0 ? 0 : Math.sqrt(difference / norm);
}
