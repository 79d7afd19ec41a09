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

/** High word of the product of two unsigned words; every intermediate is exact in a double. */
function multiplyHigh(a: number, b: number): number {
	return (((a >>> 16) * b + Math.floor(((a & 0xffff) * b) / 0x10000)) / 0x10000) | 0;
}

/** One Philox4x32-10 block: the four words of a counter (c0 … c3) under a key (k0, k1), into `out` from `at`. */
export function philox(
	c0: number,
	c1: number,
	c2: number,
	c3: number,
	k0: number,
	k1: number,
	out: Uint32Array,
	at = 0,
): void {
	let [x0, x1, x2, x3] = [c0, c1, c2, c3];
	let [key0, key1] = [k0, k1];
	for (let round = 0; round < 10; round++) {
		const high0 = multiplyHigh(x0 >>> 0, M0);
		const high1 = multiplyHigh(x2 >>> 0, M1);
		const low1 = Math.imul(x2, M1);
		x2 = high0 ^ x3 ^ key1;
		x3 = Math.imul(x0, M0);
		x0 = high1 ^ x1 ^ key0;
		x1 = low1;
		key0 = (key0 + W0) | 0;
		key1 = (key1 + W1) | 0;
	}
	out[at] = x0;
	out[at + 1] = x1;
	out[at + 2] = x2;
	out[at + 3] = x3;
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
	const [key0, key1] = [seed | 0, hashName(name)];
	const seedHigh = Math.floor(seed / 2 ** 32);

	function words(step: number, n: number): Uint32Array {
		const out = new Uint32Array(Math.ceil(n / 4) * 4);
		const [low, high] = [step | 0, Math.floor(step / 2 ** 32)];
		for (let i = 0; i < out.length; i += 4) philox(i >>> 2, low, high, seedHigh, key0, key1, out, i);
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
