// The small linear transforms of BM3D: 8 × 8 matrices for blocks, and the Haar transform along a group of blocks.

/** Side of a block. */
export const SIDE = 8;

/** A transform of 8 samples and its inverse, row-major 8 × 8. */
export interface Transform {
	forward: Float64Array;
	inverse: Float64Array;
}

/** Orthonormal DCT-II. */
export function dct(): Transform {
	const forward = new Float64Array(SIDE * SIDE);
	for (let k = 0; k < SIDE; k++)
		for (let n = 0; n < SIDE; n++)
			forward[k * SIDE + n] =
				Math.sqrt((k === 0 ? 1 : 2) / SIDE) * Math.cos((Math.PI * (n + 0.5) * k) / SIDE);
	return { forward, inverse: transpose(forward) };
}

// Cohen, Daubechies, Feauveau 1.5: the analysis low pass in units of √2; the high pass is Haar's.
const BIOR15_LOW = [3, -3, -22, 22, 128, 128, 22, -22, -3, 3].map((tap) => (tap * Math.SQRT1_2) / 128);

/** Three levels of the biorthogonal wavelet 1.5 on a periodic signal; rows scaled to norm 1, so that noise stays σ. */
export function bior15(): Transform {
	let forward = identity();
	for (let n = SIDE; n > 1; n /= 2) {
		const level = identity();
		for (let k = 0; k < n / 2; k++) {
			level.fill(0, k * SIDE, (k + 1) * SIDE);
			level.fill(0, (n / 2 + k) * SIDE, (n / 2 + k + 1) * SIDE);
			BIOR15_LOW.forEach((tap, j) => {
				level[k * SIDE + ((((2 * k + j - 4) % n) + n) % n)]! += tap;
			});
			level[(n / 2 + k) * SIDE + 2 * k] = Math.SQRT1_2;
			level[(n / 2 + k) * SIDE + 2 * k + 1] = -Math.SQRT1_2;
		}
		forward = multiply(level, forward);
	}
	for (let row = 0; row < SIDE; row++) {
		const values = forward.subarray(row * SIDE, (row + 1) * SIDE);
		const norm = Math.hypot(...values);
		values.forEach((value, i) => {
			values[i] = value / norm;
		});
	}
	return { forward, inverse: inverted(forward) };
}

/** M B Mᵀ of one block at `at`, in place. */
export function transformBlock(matrix: Float64Array, blocks: Float64Array, at: number): void {
	const rows = scratch;
	for (let i = 0; i < SIDE; i++)
		for (let j = 0; j < SIDE; j++) {
			let sum = 0;
			for (let k = 0; k < SIDE; k++) sum += matrix[i * SIDE + k]! * blocks[at + k * SIDE + j]!;
			rows[i * SIDE + j] = sum;
		}
	for (let i = 0; i < SIDE; i++)
		for (let j = 0; j < SIDE; j++) {
			let sum = 0;
			for (let k = 0; k < SIDE; k++) sum += rows[i * SIDE + k]! * matrix[j * SIDE + k]!;
			blocks[at + i * SIDE + j] = sum;
		}
}

// Room for one block and one coefficient's group; nothing in them outlives a call.
const scratch = new Float64Array(SIDE * SIDE);
const lane = new Float64Array(64);

/** Orthonormal Haar transform across `count` (a power of two) blocks, coefficient by coefficient, in place. */
export function haar(blocks: Float64Array, count: number, direction: 'forward' | 'inverse'): void {
	const size = SIDE * SIDE;
	for (let c = 0; c < size; c++) {
		if (direction === 'forward') {
			for (let n = count; n > 1; n /= 2) {
				for (let k = 0; k < n / 2; k++) {
					const [a, b] = [blocks[2 * k * size + c]!, blocks[(2 * k + 1) * size + c]!];
					lane[k] = (a + b) * Math.SQRT1_2;
					lane[n / 2 + k] = (a - b) * Math.SQRT1_2;
				}
				for (let k = 0; k < n; k++) blocks[k * size + c] = lane[k]!;
			}
		} else {
			for (let n = 2; n <= count; n *= 2) {
				for (let k = 0; k < n / 2; k++) {
					const [low, high] = [blocks[k * size + c]!, blocks[(n / 2 + k) * size + c]!];
					lane[2 * k] = (low + high) * Math.SQRT1_2;
					lane[2 * k + 1] = (low - high) * Math.SQRT1_2;
				}
				for (let k = 0; k < n; k++) blocks[k * size + c] = lane[k]!;
			}
		}
	}
}

/** Outer product of a Kaiser window with itself: how much each pixel of a block counts. */
export function kaiser(beta: number): Float64Array {
	const taps = Array.from({ length: SIDE }, (_, i) => {
		const x = (2 * i) / (SIDE - 1) - 1;
		return bessel0(beta * Math.sqrt(1 - x * x)) / bessel0(beta);
	});
	return Float64Array.from({ length: SIDE * SIDE }, (_, i) => taps[Math.floor(i / SIDE)]! * taps[i % SIDE]!);
}

/** Modified Bessel function of the first kind, order 0, by its series. */
function bessel0(x: number): number {
	let term = 1;
	let sum = 1;
	for (let k = 1; k < 30; k++) {
		term *= (x / 2 / k) ** 2;
		sum += term;
	}
	return sum;
}

function identity(): Float64Array {
	return Float64Array.from({ length: SIDE * SIDE }, (_, i) => (i % (SIDE + 1) === 0 ? 1 : 0));
}

function transpose(a: Float64Array): Float64Array {
	return a.map((_, i) => a[(i % SIDE) * SIDE + Math.floor(i / SIDE)]!);
}

function multiply(a: Float64Array, b: Float64Array): Float64Array {
	return a.map((_, i) => {
		const [row, column] = [Math.floor(i / SIDE), i % SIDE];
		let sum = 0;
		for (let k = 0; k < SIDE; k++) sum += a[row * SIDE + k]! * b[k * SIDE + column]!;
		return sum;
	});
}

/** Gauss–Jordan with the largest pivot. */
function inverted(matrix: Float64Array): Float64Array {
	const a = matrix.slice();
	const b = identity();
	for (let column = 0; column < SIDE; column++) {
		let pivot = column;
		for (let row = column + 1; row < SIDE; row++)
			if (Math.abs(a[row * SIDE + column]!) > Math.abs(a[pivot * SIDE + column]!)) pivot = row;
		for (const m of [a, b]) {
			const upper = m.slice(column * SIDE, (column + 1) * SIDE);
			m.copyWithin(column * SIDE, pivot * SIDE, (pivot + 1) * SIDE);
			m.set(upper, pivot * SIDE);
		}
		const scale = a[column * SIDE + column]!;
		for (let j = 0; j < SIDE; j++) {
			a[column * SIDE + j]! /= scale;
			b[column * SIDE + j]! /= scale;
		}
		for (let row = 0; row < SIDE; row++) {
			if (row === column) continue;
			const factor = a[row * SIDE + column]!;
			for (let j = 0; j < SIDE; j++) {
				a[row * SIDE + j]! -= factor * a[column * SIDE + j]!;
				b[row * SIDE + j]! -= factor * b[column * SIDE + j]!;
			}
		}
	}
	return b;
}
