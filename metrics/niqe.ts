// NIQE (Mittal, Soundararajan, Bovik 2013), checked against BasicSR: distance between natural-scene statistics of an
// image and those of pristine photographs. It needs no reference image; lower is better. It judges blocks of 96 × 96
// and is therefore of use from 192 × 192 on.
import { expected } from '../errors/index.ts';
import { geometryOf, type Images, type Plane, planeOf } from './images.ts';
import { centred, covariance, symmetricEigen } from './linear.ts';
import { logGamma } from './special.ts';

/** Side of the blocks, in pixels; an image must hold two. */
export const NIQE_BLOCK = 96;

const FEATURES = 36;

/** Statistics of pristine photographs: mean [36], covariance [36, 36]. */
export interface PristineModel {
	readonly mean: ArrayLike<number>;
	readonly covariance: ArrayLike<number>;
}

/**
 * NIQE of each image against a pristine model; RGB is judged by its BT.601 luma. Throws INVALID_INPUT for images that
 * hold fewer than two whole blocks.
 */
export function niqe(images: Images, model: PristineModel): Float64Array {
	if (model.mean.length !== FEATURES || model.covariance.length !== FEATURES ** 2)
		throw expected(`mean [${FEATURES}] and covariance [${FEATURES}, ${FEATURES}]`, 'the pristine model', [
			model.mean.length,
			model.covariance.length,
		]);
	const { count } = geometryOf(images);
	return Float64Array.from({ length: count }, (_, n) => distance(niqeFeatures(images, n), model));
}

/** Features [blocks][36] of image `n`: 18 a scale; blocks by columns, each from top to bottom. */
export function niqeFeatures(images: Images, n = 0): number[][] {
	const { height, width } = geometryOf(images);
	const down = Math.floor(height / NIQE_BLOCK);
	const across = Math.floor(width / NIQE_BLOCK);
	if (down * across < 2)
		throw expected('images that hold two blocks of 96 × 96', 'NIQE', `${height} × ${width}`);
	const full = crop(greyLevels(images, n), down * NIQE_BLOCK, across * NIQE_BLOCK);
	const scales = [full, half(full)].map(normalised);
	const blocks: number[][] = [];
	for (let x = 0; x < across; x++)
		for (let y = 0; y < down; y++)
			blocks.push(
				scales.flatMap((plane, scale) => {
					const side = NIQE_BLOCK >> scale;
					return blockFeatures(crop(plane, side, side, y * side, x * side));
				}),
			);
	return blocks;
}

/** Whole grey levels 0…255 of what would be shown: BT.601 luma (16…235) for RGB, as the reference does. */
function greyLevels(images: Images, n: number): Plane {
	const first = planeOf(images, n, 0, true);
	if (images.shape.at(-1) === 1) return { ...first, data: first.data.map((v) => Math.round(255 * v)) };
	const green = planeOf(images, n, 1, true).data;
	const blue = planeOf(images, n, 2, true).data;
	const data = first.data.map((red, i) =>
		Math.round(16 + 65.481 * red + 128.553 * (green[i] as number) + 24.966 * (blue[i] as number)),
	);
	return { ...first, data };
}

/** (x − μ) / (σ + 1) with the local mean and deviation of a 7 × 7 gaussian, σ 7/6, borders repeated. */
function normalised(plane: Plane): Plane {
	const taps = Float64Array.from({ length: 7 }, (_, i) => Math.exp(-((i - 3) ** 2) / (2 * (7 / 6) ** 2)));
	const sum = taps.reduce((total, tap) => total + tap, 0);
	const smooth = (data: Float64Array) =>
		filterRepeated(
			{ ...plane, data },
			taps.map((tap) => tap / sum),
		);
	const mean = smooth(plane.data);
	const squares = smooth(plane.data.map((v) => v * v));
	const data = plane.data.map((value, i) => {
		const local = mean[i] as number;
		return (value - local) / (Math.sqrt(Math.abs((squares[i] as number) - local * local)) + 1);
	});
	return { ...plane, data };
}

function filterRepeated({ height, width, data }: Plane, taps: Float64Array): Float64Array {
	const reach = taps.length >> 1;
	const inside = (value: number, size: number) => Math.min(size - 1, Math.max(0, value));
	const pass = (source: Float64Array, index: (y: number, x: number, shift: number) => number) =>
		source.map((_, i) => {
			const y = Math.floor(i / width);
			const x = i % width;
			return taps.reduce((sum, tap, t) => sum + tap * (source[index(y, x, t - reach)] as number), 0);
		});
	const rows = pass(data, (y, x, shift) => y * width + inside(x + shift, width));
	return pass(rows, (y, x, shift) => inside(y + shift, height) * width + x);
}

/** Half size by bicubic interpolation (a = −½) widened for antialiasing, borders mirrored: eight fixed taps. */
function half(plane: Plane): Plane {
	const taps = [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5].map((at) => cubic(at / 2) / 2);
	const mirrored = (at: number, size: number) => (at < 0 ? -1 - at : at >= size ? 2 * size - 1 - at : at);
	const { height, width } = plane;
	const outHeight = height / 2;
	const outWidth = width / 2;
	const rows = new Float64Array(outHeight * width);
	const data = new Float64Array(outHeight * outWidth);
	for (let y = 0; y < outHeight; y++)
		for (let x = 0; x < width; x++)
			rows[y * width + x] = taps.reduce(
				(sum, tap, t) => sum + tap * (plane.data[mirrored(2 * y + t - 3, height) * width + x] as number),
				0,
			);
	for (let y = 0; y < outHeight; y++)
		for (let x = 0; x < outWidth; x++)
			data[y * outWidth + x] = taps.reduce(
				(sum, tap, t) => sum + tap * (rows[y * width + mirrored(2 * x + t - 3, width)] as number),
				0,
			);
	return { height: outHeight, width: outWidth, data };
}

function cubic(x: number): number {
	const d = Math.abs(x);
	if (d <= 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
	return d <= 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
}

/** 18 numbers: a fit of the block, and of its products with four shifted copies (wrapped round). */
function blockFeatures(block: Plane): number[] {
	const own = fitAsymmetric(block.data);
	const features = [own.shape, (own.left + own.right) / 2];
	for (const [down, right] of [
		[0, 1],
		[1, 0],
		[1, 1],
		[1, -1],
	] as const) {
		const { height, width, data } = block;
		const products = data.map((value, i) => {
			const y = (Math.floor(i / width) - down + height) % height;
			const x = ((i % width) - right + width) % width;
			return value * (data[y * width + x] as number);
		});
		const { shape, left, right: rightScale } = fitAsymmetric(products);
		const mean = (rightScale - left) * Math.exp(logGamma(2 / shape) - logGamma(1 / shape));
		features.push(shape, mean, left, rightScale);
	}
	return features;
}

/** Shapes searched, 0.2 … 10 by 0.001, and Γ(2/γ)² / (Γ(1/γ) Γ(3/γ)), which rises with γ. */
let shapeTable: { shapes: Float64Array; ratios: Float64Array } | undefined;

function table() {
	if (!shapeTable) {
		const shapes = Float64Array.from({ length: 9801 }, (_, i) => 0.2 + i * 0.001);
		const ratios = shapes.map((g) => Math.exp(2 * logGamma(2 / g) - logGamma(1 / g) - logGamma(3 / g)));
		shapeTable = { shapes, ratios };
	}
	return shapeTable;
}

/** Moment fit of an asymmetric generalised Gaussian. */
function fitAsymmetric(data: Float64Array): { shape: number; left: number; right: number } {
	let negative = 0;
	let positive = 0;
	let countNegative = 0;
	let countPositive = 0;
	let absolute = 0;
	for (const value of data) {
		absolute += Math.abs(value);
		if (value < 0) {
			negative += value * value;
			countNegative++;
		} else if (value > 0) {
			positive += value * value;
			countPositive++;
		}
	}
	const left = Math.sqrt(negative / countNegative);
	const right = Math.sqrt(positive / countPositive);
	const skew = left / right;
	const ratio = (absolute / data.length) ** 2 / ((negative + positive) / data.length);
	const wanted = (ratio * (skew ** 3 + 1) * (skew + 1)) / (skew ** 2 + 1) ** 2;
	const { shapes, ratios } = table();
	const nearest = nearestIndex(ratios, wanted);
	const shape = shapes[nearest] as number;
	const scale = Math.exp((logGamma(1 / shape) - logGamma(3 / shape)) / 2);
	return { shape, left: left * scale, right: right * scale };
}

function nearestIndex(rising: Float64Array, wanted: number): number {
	let low = 0;
	let high = rising.length - 1;
	while (high - low > 1) {
		const middle = (low + high) >> 1;
		if ((rising[middle] as number) < wanted) low = middle;
		else high = middle;
	}
	return wanted - (rising[low] as number) <= (rising[high] as number) - wanted ? low : high;
}

/** √((m₁ − m₂)ᵀ ((C₁ + C₂) / 2)⁺ (m₁ − m₂)); blocks without a fit (flat ones) are left out. */
function distance(features: number[][], model: PristineModel): number {
	const fitted = features.filter((block) => block.every(Number.isFinite));
	if (fitted.length < 2) return Number.NaN;
	const { mean, rows } = centred({ shape: [fitted.length, FEATURES], data: fitted.flat() });
	const own = covariance(rows);
	const pooled = own.data.map((value, i) => (value + (model.covariance[i] as number)) / 2);
	const { values, vectors } = symmetricEigen({ ...own, data: pooled });
	const difference = mean.map((value, i) => value - (model.mean[i] as number));
	const cutoff = 1e-15 * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
	let sum = 0;
	for (let k = 0; k < FEATURES; k++) {
		const value = values[k] as number;
		if (Math.abs(value) <= cutoff) continue;
		const along = difference.reduce((dot, d, i) => dot + d * (vectors.data[k * FEATURES + i] as number), 0);
		sum += along ** 2 / value;
	}
	return Math.sqrt(sum);
}

function crop({ width, data }: Plane, rows: number, columns: number, top = 0, left = 0): Plane {
	const result = new Float64Array(rows * columns);
	for (let y = 0; y < rows; y++)
		result.set(data.subarray((top + y) * width + left, (top + y) * width + left + columns), y * columns);
	return { height: rows, width: columns, data: result };
}
