// Blur kernels on the pixel grid: what a single bright pixel becomes. Odd sides, the middle tap in place.
import { stream } from '../../engine/index.ts';

/** Rows of taps. */
export type Kernel = readonly (readonly number[])[];

/** Largest side of a kernel. */
export const MOST_TAPS = 63;

/** Points put on a path for each pixel of its length. */
const POINTS_A_PIXEL = 64;

/**
 * Motion in a straight line: each tap is the part of a centred segment that lies in its pixel; taps sum to 1.
 *
 * @param length pixels, at least 1
 * @param angle degrees, counter-clockwise from the right
 */
export function motionKernel(length: number, angle: number): Kernel {
	const [along, up] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
	const count = Math.ceil(length * POINTS_A_PIXEL);
	const points = Array.from({ length: count }, (_, i): [number, number] => {
		const t = length * ((i + 0.5) / count - 0.5);
		return [t * along, -t * up];
	});
	return kernelOfPath(points);
}

/**
 * Camera shake: a path of even speed whose direction does a random walk, centred on its mean; taps sum to 1.
 *
 * @param length of the path, in pixels
 * @param turn standard deviation of the change of direction over one pixel, in degrees; 0: a straight line
 */
export function shakeKernel(length: number, turn: number, seed: number): Kernel {
	const count = Math.ceil(length * POINTS_A_PIXEL);
	const draws = stream(seed, 'blur.shake');
	const turns = draws.normals(0, count);
	const step = length / count;
	const spread = (turn * Math.PI * Math.sqrt(step)) / 180;
	let direction = 2 * Math.PI * draws.uniforms(1, 1)[0]!;
	let [x, y] = [0, 0];
	const points = Array.from({ length: count }, (_, i): [number, number] => {
		direction += spread * turns[i]!;
		x += step * Math.cos(direction);
		y -= step * Math.sin(direction);
		return [x, y];
	});
	const mean = (axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / count;
	const [middleX, middleY] = [mean(0), mean(1)];
	return kernelOfPath(points.map(([px, py]) => [px - middleX, py - middleY]));
}

/** The kernel of points visited for equal times, relative to the middle tap; taps sum to 1. */
function kernelOfPath(points: readonly [x: number, y: number][]): Kernel {
	// Rounding noise of sines is kept from moving a point that lies between two pixels.
	const tap = (position: number): number => Math.round(Number(position.toFixed(9)));
	const radius = points.reduce((most, point) => Math.max(most, ...point.map((at) => Math.abs(tap(at)))), 0);
	const side = 2 * radius + 1;
	const taps = Array.from({ length: side }, () => new Array<number>(side).fill(0));
	for (const [x, y] of points) taps[tap(y) + radius]![tap(x) + radius]! += 1 / points.length;
	return taps;
}
