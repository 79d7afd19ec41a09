// The degraded image: what the fitted measurements alone show of each image. Those held out take no part, or the start
// of a solve would be selected for having seen them.
import type { Measurements } from '../problems/index.ts';

/**
 * Images [N, H, W, C] from measurements: where they are images, themselves, holes filled from their neighbours, enlarged
 * by repetition; else the best multiple of Aᵀ of the fitted values.
 *
 * @param fitted like y: 1 where a value is measured and fitted
 * @param adjoint that multiple, of values like y that are 0 where not fitted
 */
export function degraded(
	{ image, keys, y }: Measurements,
	fitted: Float32Array,
	adjoint: (y: Float32Array) => Float32Array,
): Float32Array {
	const values = y.data.map((value, i) => value * fitted[i]!);
	if (y.shape.length !== 4) return adjoint(values);
	const { height, width, channels } = image;
	const [, h, w, c] = y.shape as [number, number, number, number];
	for (let n = 0; n < keys.length; n++) {
		const part = (data: Float32Array): Float32Array => data.subarray(n * h * w * c, (n + 1) * h * w * c);
		fillHoles(part(values), part(fitted), h, w, c);
	}
	const data = new Float32Array(keys.length * height * width * channels);
	for (let i = 0; i < data.length; i++) {
		const [channel, pixel] = [i % channels, Math.floor(i / channels)];
		const [column, row] = [pixel % width, Math.floor(pixel / width) % height];
		const n = Math.floor(pixel / (width * height));
		const at = (n * h + Math.floor((row * h) / height)) * w + Math.floor((column * w) / width);
		data[i] = values[at * c + Math.min(channel, c - 1)]!;
	}
	return data;
}

/** Gives each unknown value the mean of its known neighbours in the same channel, ring by ring, in place. */
function fillHoles(values: Float32Array, known: Float32Array, h: number, w: number, c: number): void {
	const filled = Uint8Array.from(known);
	for (;;) {
		const ring: [at: number, value: number][] = [];
		for (let at = 0; at < values.length; at++) {
			if (filled[at]) continue;
			const [x, y] = [Math.floor(at / c) % w, Math.floor(at / (c * w))];
			let sum = 0;
			let count = 0;
			for (let dy = -1; dy <= 1; dy++)
				for (let dx = -1; dx <= 1; dx++) {
					if (x + dx < 0 || x + dx >= w || y + dy < 0 || y + dy >= h) continue;
					const beside = at + (dy * w + dx) * c;
					if (!filled[beside]) continue;
					sum += values[beside]!;
					count++;
				}
			if (count > 0) ring.push([at, sum / count]);
		}
		if (ring.length === 0) return;
		for (const [at, value] of ring) {
			values[at] = value;
			filled[at] = 1;
		}
	}
}
