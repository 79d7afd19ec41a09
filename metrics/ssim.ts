// SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003), checked against scikit-image and pytorch_msssim.
// Everything is in float64: variances are E[x²] − E[x]², which float32 spoils in flat regions by up to 1e-4.
import { expected } from '../errors/index.ts';
import { emptyRegion, type Images, type Plane, pairGeometry, planeOf, regionOf } from './images.ts';
import type { PairOptions } from './pairs.ts';

const K1 = 0.01;
const K2 = 0.03;

export interface SsimOptions extends PairOptions {
	/** `gaussian`: 11 × 11, σ 1.5 (default, as in the paper). `uniform`: 7 × 7 (scikit-image's default). */
	window?: 'gaussian' | 'uniform';
	/** Divisor of the covariance; default `population` for the gaussian window, `sample` for the uniform one. */
	covariance?: 'population' | 'sample';
	/** Compare 0.299 R + 0.587 G + 0.114 B instead of taking the mean over channels; default false. */
	luma?: boolean;
}

/** The weights of a window along one axis, summing to 1. */
export function windowTaps(window: 'gaussian' | 'uniform'): Float64Array {
	if (window === 'uniform') return new Float64Array(7).fill(1 / 7);
	const taps = Float64Array.from({ length: 11 }, (_, i) => Math.exp(-((i - 5) ** 2) / (2 * 1.5 ** 2)));
	const sum = taps.reduce((total, tap) => total + tap, 0);
	return taps.map((tap) => tap / sum);
}

/**
 * SSIM with K₁ = 0.01, K₂ = 0.03 and data range 1 (images taken from [-1, 1] to [0, 1]): mean over the positions where
 * the window fits, then over channels. With `region`, over the window centres inside it. One value an image, 1 for equal
 * images. Throws MISMATCH on different shapes and INVALID_INPUT on images smaller than the window.
 */
export function ssim(a: Images, b: Images, options: SsimOptions = {}): Float64Array {
	const geometry = pairGeometry(a, b);
	const { window = 'gaussian', luma = false, clip = true } = options;
	const taps = windowTaps(window);
	requireSide(geometry.height, geometry.width, taps.length);
	const sample = (options.covariance ?? (window === 'uniform' ? 'sample' : 'population')) === 'sample';
	const border = taps.length >> 1;
	return Float64Array.from({ length: geometry.count }, (_, n) => {
		const counted = regionOf(options.region, n, geometry);
		const pairs = luma
			? [[lumaOf(a, n, clip), lumaOf(b, n, clip)] as const]
			: Array.from(
					{ length: geometry.channels },
					(_, c) => [planeOf(a, n, c, clip), planeOf(b, n, c, clip)] as const,
				);
		let total = 0;
		for (const [x, y] of pairs) {
			const map = ssimMaps(x, y, { taps, sample }).ssim;
			let sum = 0;
			let positions = 0;
			for (let row = 0; row < map.height; row++)
				for (let column = 0; column < map.width; column++) {
					if (!counted((row + border) * geometry.width + column + border)) continue;
					sum += map.data[row * map.width + column] as number;
					positions++;
				}
			if (positions === 0) throw emptyRegion(n);
			total += sum / positions;
		}
		return total / pairs.length;
	});
}

interface MapOptions {
	taps: Float64Array;
	/** Unbiased covariance. */
	sample?: boolean;
	/** Data range; default 1. */
	range?: number;
}

/** Maps of SSIM and of its contrast-structure factor where the window fits: [H − w + 1, W − w + 1]. */
export function ssimMaps(x: Plane, y: Plane, options: MapOptions): { ssim: Plane; cs: Plane } {
	const { taps, sample = false, range = 1 } = options;
	const c1 = (K1 * range) ** 2;
	const c2 = (K2 * range) ** 2;
	const weights = taps.length ** 2;
	const factor = sample ? weights / (weights - 1) : 1;
	const filter = (plane: Float64Array) => filterValid({ ...x, data: plane }, taps);
	const meanX = filter(x.data);
	const meanY = filter(y.data).data;
	const squareX = filter(x.data.map((v) => v * v)).data;
	const squareY = filter(y.data.map((v) => v * v)).data;
	const product = filter(x.data.map((v, i) => v * (y.data[i] as number))).data;
	const ssim = new Float64Array(product.length);
	const cs = new Float64Array(product.length);
	for (let i = 0; i < product.length; i++) {
		const mx = meanX.data[i] as number;
		const my = meanY[i] as number;
		const varX = factor * ((squareX[i] as number) - mx * mx);
		const varY = factor * ((squareY[i] as number) - my * my);
		const cov = factor * ((product[i] as number) - mx * my);
		const structure = (2 * cov + c2) / (varX + varY + c2);
		cs[i] = structure;
		ssim[i] = (structure * (2 * mx * my + c1)) / (mx * mx + my * my + c1);
	}
	const { height, width } = meanX;
	return { ssim: { height, width, data: ssim }, cs: { height, width, data: cs } };
}

/** Exponents of the five scales, finest first (Wang et al. 2003). */
const scaleWeights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/**
 * MS-SSIM over five scales: per channel ∏ₖ max(csₖ, 0)^wₖ · max(ssim₅, 0)^w₅, then the mean over channels; gaussian
 * window, data range 1, 2 × 2 means between scales (odd sides padded by zeros as pytorch_msssim does). One value an
 * image. Throws INVALID_INPUT when a side is 160 or less.
 */
export function msssim(a: Images, b: Images, options: { clip?: boolean } = {}): Float64Array {
	const geometry = pairGeometry(a, b);
	const { clip = true } = options;
	if (Math.min(geometry.height, geometry.width) <= 160)
		throw expected(
			'sides above 160 pixels',
			'MS-SSIM',
			`${geometry.height} × ${geometry.width}`,
			'Use ssim for small images.',
		);
	return Float64Array.from({ length: geometry.count }, (_, n) => {
		let total = 0;
		for (let c = 0; c < geometry.channels; c++) {
			const terms = scaleTerms(planeOf(a, n, c, clip), planeOf(b, n, c, clip));
			total += terms.reduce((value, term, scale) => {
				const mean = scale === terms.length - 1 ? term.ssim : term.cs;
				return value * Math.max(mean, 0) ** (scaleWeights[scale] as number);
			}, 1);
		}
		return total / geometry.channels;
	});
}

/** Means of SSIM and contrast-structure at each of the five scales. */
export function scaleTerms(x: Plane, y: Plane): { ssim: number; cs: number }[] {
	const taps = windowTaps('gaussian');
	return scaleWeights.map((_, scale) => {
		if (scale > 0) {
			x = halve(x);
			y = halve(y);
		}
		const maps = ssimMaps(x, y, { taps });
		return { ssim: mean(maps.ssim.data), cs: mean(maps.cs.data) };
	});
}

/** Separable filter, only where the window fits. */
function filterValid(plane: Plane, taps: Float64Array): Plane {
	const { height, width, data } = plane;
	const outHeight = height - taps.length + 1;
	const outWidth = width - taps.length + 1;
	const rows = new Float64Array(height * outWidth);
	for (let y = 0; y < height; y++)
		for (let x = 0; x < outWidth; x++) {
			let sum = 0;
			for (let t = 0; t < taps.length; t++) sum += (taps[t] as number) * (data[y * width + x + t] as number);
			rows[y * outWidth + x] = sum;
		}
	const result = new Float64Array(outHeight * outWidth);
	for (let y = 0; y < outHeight; y++)
		for (let t = 0; t < taps.length; t++) {
			const tap = taps[t] as number;
			const from = (y + t) * outWidth;
			for (let x = 0; x < outWidth; x++) result[y * outWidth + x]! += tap * (rows[from + x] as number);
		}
	return { height: outHeight, width: outWidth, data: result };
}

function halve({ height, width, data }: Plane): Plane {
	const padY = height % 2;
	const padX = width % 2;
	const outHeight = (height + padY) / 2;
	const outWidth = (width + padX) / 2;
	const at = (y: number, x: number) => (y < 0 || x < 0 ? 0 : (data[y * width + x] as number));
	const result = new Float64Array(outHeight * outWidth);
	for (let y = 0; y < outHeight; y++)
		for (let x = 0; x < outWidth; x++) {
			const top = 2 * y - padY;
			const left = 2 * x - padX;
			const sum = at(top, left) + at(top, left + 1) + at(top + 1, left) + at(top + 1, left + 1);
			result[y * outWidth + x] = sum / 4;
		}
	return { height: outHeight, width: outWidth, data: result };
}

function lumaOf(images: Images, n: number, clip: boolean): Plane {
	const red = planeOf(images, n, 0, clip);
	if (images.shape.at(-1) === 1) return red;
	const green = planeOf(images, n, 1, clip).data;
	const blue = planeOf(images, n, 2, clip).data;
	const data = red.data.map((r, i) => 0.299 * r + 0.587 * (green[i] as number) + 0.114 * (blue[i] as number));
	return { ...red, data };
}

function requireSide(height: number, width: number, least: number): void {
	if (Math.min(height, width) < least)
		throw expected(`sides of at least ${least} pixels`, 'SSIM', `${height} × ${width}`);
}

function mean(values: Float64Array): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}
