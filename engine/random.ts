// Counter-based random streams: every draw is a function of (seed, stream name, step, index), so a resumed run goes on
// as if never stopped, and every engine and machine sees the same numbers. Imports no tensors.
//
// Generator: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3; SC 2011), checked
// against its published vectors. Key: (low word of the seed, hash of the name). Counter: (block, low and high word of
// the step, high word of the seed). Four 32-bit words a block.

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const TWO_PI = 2 * Math.PI;

/** High word of the unsigned product of two 32-bit words. */
function multiplyHigh(a: number, b: number): number {
	const aLow = a & 0xffff;
	const aHigh = a >>> 16;
	const bLow = b & 0xffff;
	const bHigh = b >>> 16;
	const middle = Math.imul(aHigh, bLow) + ((aLow * bLow) >>> 16);
	const low = (middle & 0xffff) + Math.imul(aLow, bHigh);
	return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (low >>> 16)) | 0;
}

/** One Philox4x32-10 block: `out` receives the four words for a counter and a key. */
export function philox(counter: ArrayLike<number>, key: ArrayLike<number>, out: Int32Array): void {
	let [x0, x1, x2, x3] = [counter[0]! | 0, counter[1]! | 0, counter[2]! | 0, counter[3]! | 0];
	let k0 = key[0]! | 0;
	let k1 = key[1]! | 0;
	for (let round = 0; round < 10; round++) {
		const high0 = multiplyHigh(M0, x0);
		const low0 = Math.imul(M0, x0);
		const high1 = multiplyHigh(M1, x2);
		const low1 = Math.imul(M1, x2);
		x0 = high1 ^ x1 ^ k0;
		x1 = low1;
		x2 = high0 ^ x3 ^ k1;
		x3 = low0;
		k0 = (k0 + W0) | 0;
		k1 = (k1 + W1) | 0;
	}
	out[0] = x0;
	out[1] = x1;
	out[2] = x2;
	out[3] = x3;
}

/** FNV-1a, 32 bits, over the UTF-8 bytes of a name. */
function hashName(name: string): number {
	let hash = 0x811c9dc5;
	for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
	return hash;
}

/** A named stream; every method is a pure function of its arguments. Steps count from 0. */
export interface RandomStream {
	/** Standard normals (Box–Muller in double precision, rounded once). */
	normals(step: number, n: number): Float32Array;
	/** Uniforms in the open interval (0, 1), 23 bits. */
	uniforms(step: number, n: number): Float32Array;
	/** Integers in [0, below), below < 2³²; the bias of at most below / 2³² is accepted. */
	integers(step: number, n: number, below: number): Uint32Array;
	/** A uniformly drawn permutation of 0 … n − 1. */
	permutation(step: number, n: number): Uint32Array;
	/** `count` draws from the flat Dirichlet distribution Dir_n(1), row by row: [count, n]. */
	dirichlet(step: number, count: number, n: number): Float32Array;
}

/**
 * The stream called `name` under `seed` (a whole number in [0, 2⁵³)).
 *
 * @example stream(7, 'z').normals(step, batch * 512)
 */
export function stream(seed: number, name: string): RandomStream {
	if (!Number.isSafeInteger(seed) || seed < 0) {
		throw new RangeError(`Expected a whole number in [0, 2^53) for seed but received ${seed}`);
	}
	const key = Int32Array.of(seed | 0, hashName(name));
	const seedHigh = Math.floor(seed / 2 ** 32);

	function words(step: number, n: number): Uint32Array {
		const out = new Uint32Array(Math.ceil(n / 4) * 4);
		const block = new Int32Array(4);
		const counter = Int32Array.of(0, step | 0, Math.floor(step / 2 ** 32), seedHigh);
		for (let i = 0; i < out.length; i += 4) {
			counter[0] = i >>> 2;
			philox(counter, key, block);
			out.set(block, i);
		}
		return out;
	}

	function integers(step: number, n: number, below: number): Uint32Array {
		const source = words(step, n);
		const out = new Uint32Array(n);
		for (let i = 0; i < n; i++) out[i] = Math.floor((source[i]! / 2 ** 32) * below);
		return out;
	}

	return {
		normals(step, n) {
			const source = words(step, n);
			const out = new Float32Array(n);
			for (let i = 0; i < n; i += 2) {
				const radius = Math.sqrt(-2 * Math.log((source[i]! + 0.5) / 2 ** 32));
				const angle = TWO_PI * ((source[i + 1]! + 0.5) / 2 ** 32);
				out[i] = radius * Math.cos(angle);
				if (i + 1 < n) out[i + 1] = radius * Math.sin(angle);
			}
			return out;
		},
		uniforms(step, n) {
			const source = words(step, n);
			const out = new Float32Array(n);
			for (let i = 0; i < n; i++) out[i] = ((source[i]! >>> 9) + 0.5) / 2 ** 23;
			return out;
		},
		integers,
		permutation(step, n) {
			const out = new Uint32Array(n);
			const source = words(step, n);
			for (let i = 0; i < n; i++) {
				const j = Math.floor((source[i]! / 2 ** 32) * (i + 1));
				out[i] = out[j]!;
				out[j] = i;
			}
			return out;
		},
		dirichlet(step, count, n) {
			const source = words(step, count * n);
			const out = new Float32Array(count * n);
			for (let row = 0; row < count; row++) {
				let total = 0;
				for (let i = row * n; i < (row + 1) * n; i++) total -= Math.log((source[i]! + 0.5) / 2 ** 32);
				for (let i = row * n; i < (row + 1) * n; i++)
					out[i] = -Math.log((source[i]! + 0.5) / 2 ** 32) / total;
			}
			return out;
		},
	};
}
