// Glow (Kingma and Dhariwal 2018, "Generative Flow with Invertible 1×1 Convolutions"): an invertible network with exact
// likelihood. Blocks of steps (figure 2): squeeze; actnorm, invertible 1 × 1 convolution, coupling, again and again;
// split, whose second half becomes latents with a prior learned from the first.
//
// Checked against golden tensors of rosinality/glow-pytorch; parameters carry its names. Layout differs: images NHWC,
// filters [kh, kw, in, out], per-channel values [C]; the matrices of an LU decomposition are as there, [out, in].
// Images x lie in [−½, ½] as in that code: a project image in [−1, 1] is 2x.
import * as tf from '@tensorflow/tfjs-core';
import { elements, type HostTensors, stream, type TensorMap } from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import {
	actnorm,
	actnormFor,
	actnormInverse,
	type Coupling,
	coupling,
	couplingInverse,
	invertibleConv,
	invertibleConvInverse,
	prior,
	squeeze,
	sumEach,
	unsqueeze,
} from './glow-steps.ts';
import {
	inverse,
	logAbsDeterminant,
	luFactors,
	type Matrix,
	matrix,
	normalMatrix,
	orthonormal,
	product,
} from './matrices.ts';

export interface GlowConfig {
	/** Side of the image: a multiple of 2^blocks. */
	resolution: number;
	/** Blocks L, each of which halves the sides. */
	blocks: number;
	/** Steps K a block. */
	steps: number;
	coupling: Coupling;
	/** Feature maps inside a coupling. Absent: 512. */
	filters?: number;
	/**
	 * The first so many blocks store the matrices of their 1 × 1 convolutions whole, as imported from networks without
	 * the LU decomposition (rosinality's `conv_lu=False`: all blocks but the last). To be evaluated and inverted, not
	 * trained: their determinants are constants. Absent: 0.
	 */
	plainBlocks?: number;
}

/** The Glow of Oberlin and Verm (§4): CelebA at 64², 4 blocks of 32 steps, additive coupling. */
export const glowAdditive64: GlowConfig = { resolution: 64, blocks: 4, steps: 32, coupling: 'additive' };

/** What the encoder gives, per image; log-likelihood of x = logPrior + logDeterminant (in nats). */
export interface GlowCode {
	/** The latents of each block, in the order of `latentShapes`. */
	z: tf.Tensor[];
	/** The latents as their learned priors see them: (z − mean) / deviation, standard normal under the model. */
	eps: tf.Tensor[];
	/** Σ log p(z), [N]. */
	logPrior: tf.Tensor;
	/** log |det ∂z/∂x|, [N]. */
	logDeterminant: tf.Tensor;
}

/** A Glow as pure functions of (params, inputs); params are `shapes`, `constants` and, where said, `derived`. */
export interface Glow {
	readonly kind: 'glow';
	readonly config: GlowConfig;
	readonly resolution: number;
	/** [h, w, c] of each block's latents; together as many numbers as the image has. */
	readonly latentShapes: readonly (readonly [number, number, number])[];
	/** Names and shapes of what is trained. */
	readonly shapes: Readonly<Record<string, readonly number[]>>;
	/** Names and shapes of what belongs to a network but is not trained: permutations and signs. */
	readonly constants: Readonly<Record<string, readonly number[]>>;
	/** Fresh parameters and constants; actnorm still wants `normalise`. */
	init(seed: number): HostTensors;
	/** Inverses of the 1 × 1 convolutions, in double precision from the parameters: what `decode` and plain blocks need. */
	derived(params: HostTensors): HostTensors;
	/** The actnorm parameters that give every activation of a batch [N, H, W, 3] mean 0 and variance 1 (§3.1). */
	normalise(params: TensorMap, x: tf.Tensor): TensorMap;
	/** Images [N, H, W, 3] → latents and likelihood. */
	encode(params: TensorMap, x: tf.Tensor): GlowCode;
	/** The image whose latents are z. Needs `derived`. */
	decode(params: TensorMap, z: readonly tf.Tensor[]): tf.Tensor;
	/** The image of standard normal `eps` through the learned priors, their deviations times `temperature`. Needs `derived`. */
	generate(params: TensorMap, eps: readonly tf.Tensor[], temperature?: number): tf.Tensor;
}

const LOG_TWO_PI = Math.log(2 * Math.PI);

/** The Glow of a configuration. */
export function glow(config: GlowConfig): Glow {
	const { resolution, blocks, steps, coupling: kind, filters = 512, plainBlocks = 0 } = config;
	if (!Number.isInteger(blocks) || blocks < 1) throw expected('a whole number from 1', 'blocks', blocks);
	if (!Number.isInteger(steps) || steps < 1) throw expected('a whole number from 1', 'steps', steps);
	if (!(resolution >= 2 ** blocks) || resolution % 2 ** blocks !== 0) {
		throw expected(`a multiple of 2^blocks = ${2 ** blocks}`, 'resolution', resolution);
	}
	/** Channels of block b after its squeeze. */
	const width = (b: number): number => 12 * 2 ** b;
	const isLast = (b: number): boolean => b === blocks - 1;
	const step = (b: number, s: number): string => `blocks.${b}.flows.${s}`;
	const latentShapes = Array.from({ length: blocks }, (_, b) => {
		const side = resolution / 2 ** (b + 1);
		return [side, side, isLast(b) ? width(b) : width(b) / 2] as const;
	});

	const shapes: Record<string, readonly number[]> = {};
	const constants: Record<string, readonly number[]> = {};
	const convs: { name: string; plain: boolean; width: number }[] = [];
	for (let b = 0; b < blocks; b++) {
		const c = width(b);
		for (let s = 0; s < steps; s++) {
			const at = step(b, s);
			shapes[`${at}.actnorm.loc`] = [c];
			shapes[`${at}.actnorm.scale`] = [c];
			const name = `${at}.invconv`;
			convs.push({ name, plain: b < plainBlocks, width: c });
			if (b < plainBlocks) shapes[`${name}.weight`] = [1, 1, c, c];
			else {
				Object.assign(shapes, { [`${name}.w_l`]: [c, c], [`${name}.w_s`]: [c], [`${name}.w_u`]: [c, c] });
				Object.assign(constants, { [`${name}.w_p`]: [c, c], [`${name}.s_sign`]: [c] });
			}
			const net = `${at}.coupling.net`;
			shapes[`${net}.0.weight`] = [3, 3, c / 2, filters];
			shapes[`${net}.0.bias`] = [filters];
			shapes[`${net}.2.weight`] = [1, 1, filters, filters];
			shapes[`${net}.2.bias`] = [filters];
			declareZeroConv(`${net}.4`, filters, kind === 'affine' ? c : c / 2);
		}
		declareZeroConv(`blocks.${b}.prior`, isLast(b) ? c : c / 2, isLast(b) ? 2 * c : c);
	}

	function declareZeroConv(name: string, inputs: number, outputs: number): void {
		shapes[`${name}.conv.weight`] = [3, 3, inputs, outputs];
		shapes[`${name}.conv.bias`] = [outputs];
		shapes[`${name}.scale`] = [outputs];
	}

	/** Throws INVALID_INPUT unless the params have the derived constants of the convolutions of the first `count` blocks. */
	function needDerived(params: TensorMap, count: number): void {
		const missing = convs.slice(0, count * steps).find(({ name }) => !params[`${name}.inverse`]);
		if (missing) throw expected('the derived constants of this Glow', 'params', `none for ${missing.name}`);
	}

	/** What the prior of block b is given: what goes on, or zeros at the end. */
	function priorOf(params: TensorMap, b: number, given: tf.Tensor) {
		return prior(params, `blocks.${b}.prior`, isLast(b) ? tf.fill(given.shape, 0) : given);
	}

	/** The steps of every block, with what `before` says of a step's input; actnorm parameters may be replaced by it. */
	function run(
		params: TensorMap,
		x: tf.Tensor,
		before?: (at: string, input: tf.Tensor) => TensorMap,
	): GlowCode {
		const [n, h, w, c] = x.shape as [number, number, number, number];
		if (h !== resolution || w !== resolution || c !== 3) {
			throw expected(`images [N, ${resolution}, ${resolution}, 3]`, 'x', `[${x.shape}]`);
		}
		needDerived(params, plainBlocks);
		const z: tf.Tensor[] = [];
		const eps: tf.Tensor[] = [];
		let logDeterminant: tf.Tensor = tf.fill([n], 0);
		let logPrior: tf.Tensor = tf.fill([n], 0);
		let y = x;
		for (let b = 0; b < blocks; b++) {
			y = squeeze(y); // [N, h/2, w/2, 4C]
			for (let s = 0; s < steps; s++) {
				const at = step(b, s);
				const own = before ? { ...params, ...before(`${at}.actnorm`, y) } : params;
				const normal = actnorm(own, `${at}.actnorm`, y);
				const mixed = invertibleConv(own, `${at}.invconv`, normal.y);
				const coupled = coupling(own, `${at}.coupling`, mixed.y, kind);
				y = coupled.y;
				for (const part of [normal, mixed, coupled])
					logDeterminant = tf.add(logDeterminant, part.logDeterminant);
			}
			let own = y;
			if (!isLast(b)) [y, own] = tf.split(y, 2, 3) as [tf.Tensor, tf.Tensor];
			const { mean, logDeviation } = priorOf(params, b, y);
			const noise = tf.mul(tf.sub(own, mean), tf.exp(tf.neg(logDeviation)));
			const density = tf.add(tf.add(logDeviation, tf.mul(tf.square(noise), 0.5)), LOG_TWO_PI / 2);
			logPrior = tf.sub(logPrior, sumEach(density));
			z.push(own);
			eps.push(noise);
		}
		return { z, eps, logPrior, logDeterminant };
	}

	/** From the last block to the first; `latentsOf` gives the latents of a block from what its prior is given. */
	function back(
		params: TensorMap,
		latents: readonly tf.Tensor[],
		latentsOf: (b: number, given: tf.Tensor) => tf.Tensor,
	): tf.Tensor {
		if (latents.length !== blocks)
			throw expected(`the latents of ${blocks} blocks`, 'latents', latents.length);
		needDerived(params, blocks);
		let y = latents[blocks - 1]!;
		for (let b = blocks - 1; b >= 0; b--) {
			const own = latentsOf(b, y);
			y = isLast(b) ? own : tf.concat([y, own], 3);
			for (let s = steps - 1; s >= 0; s--) {
				const at = step(b, s);
				y = couplingInverse(params, `${at}.coupling`, y, kind);
				y = invertibleConvInverse(params, `${at}.invconv`, y);
				y = actnormInverse(params, `${at}.actnorm`, y);
			}
			y = unsqueeze(y); // [N, 2h, 2w, C/4]
		}
		return y;
	}

	return {
		kind: 'glow',
		config,
		resolution,
		latentShapes,
		shapes,
		constants,
		init(seed) {
			const drawn = Object.fromEntries(
				Object.entries(shapes).map(([name, shape]) => [name, { shape, data: initial(seed, name, shape) }]),
			);
			for (const { name, plain, width: c } of convs) {
				const rotation = orthonormal(normalMatrix(c, c, stream(seed, `init glow ${name}`)));
				Object.assign(drawn, plain ? plainParameters(name, rotation) : luParameters(name, rotation));
			}
			return drawn;
		},
		derived(params) {
			return Object.assign(
				{},
				...convs.map(({ name, plain, width: c }) => {
					const weight = plain ? plainMatrix(params, name, c) : luMatrix(params, name, c);
					const inverted = inverse(weight);
					const values: HostTensors = {
						[`${name}.inverse`]: { shape: [c, c], data: Float32Array.from(inverted.data) },
					};
					if (plain) {
						values[`${name}.log_det`] = { shape: [], data: Float32Array.of(logAbsDeterminant(weight)) };
					}
					return values;
				}),
			);
		},
		normalise(params, x) {
			const found: TensorMap = {};
			run(params, x, (name, input) => {
				const own = actnormFor(name, input);
				Object.assign(found, own);
				return own;
			});
			return found;
		},
		encode: (params, x) => run(params, x),
		decode: (params, z) => back(params, z, (b) => z[b]!),
		generate: (params, eps, temperature = 1) =>
			back(params, eps, (b, given) => {
				const { mean, logDeviation } = priorOf(params, b, given);
				return tf.add(mean, tf.mul(tf.mul(eps[b]!, temperature), tf.exp(logDeviation)));
			}),
	};
}

/** −log₂ p of 8-bit images at `bits` bits per dimension [N], given the code of dequantised ones of `dimensions` numbers. */
export function bitsPerDimension(code: GlowCode, dimensions: number, bits: number): tf.Tensor {
	const nats = tf.add(code.logPrior, code.logDeterminant);
	return tf.add(tf.mul(nats, -1 / (Math.LN2 * dimensions)), bits);
}

/**
 * Images in [−1, 1] as 8-bit files hold them → x in [−½, ½) for training: reduced to `bits` bits and spread over each
 * step by `noise`, uniform in [0, 1) and of the same shape (§2).
 */
export function dequantised(images: tf.Tensor, noise: tf.Tensor, bits: number): tf.Tensor {
	const levels = 2 ** bits;
	const bytes = tf.round(tf.mul(tf.add(images, 1), 127.5));
	const reduced = tf.floor(tf.mul(bytes, levels / 256));
	return tf.sub(tf.mul(tf.add(reduced, noise), 1 / levels), 0.5);
}

/** The parameters of an LU-decomposed convolution that equals a plain one: how an imported network becomes trainable. */
export function luParameters(name: string, weight: Matrix): HostTensors {
	const c = weight.rows;
	const { order, lower, upper } = luFactors(weight);
	const diagonal = Array.from({ length: c }, (_, i) => upper.data[i * c + i]!);
	const square = (entry: (i: number, j: number) => number) => ({
		shape: [c, c],
		data: Float32Array.from(matrix(c, c, entry).data),
	});
	return {
		[`${name}.w_l`]: square((i, j) => (j < i ? lower.data[i * c + j]! : 0)),
		[`${name}.w_s`]: { shape: [c], data: Float32Array.from(diagonal, (s) => Math.log(Math.abs(s))) },
		[`${name}.w_u`]: square((i, j) => (j > i ? upper.data[i * c + j]! : 0)),
		[`${name}.w_p`]: square((i, j) => (order[j] === i ? 1 : 0)),
		[`${name}.s_sign`]: { shape: [c], data: Float32Array.from(diagonal, Math.sign) },
	};
}

function plainParameters(name: string, weight: Matrix): HostTensors {
	const c = weight.rows;
	const data = Float32Array.from(matrix(c, c, (i, o) => weight.data[o * c + i]!).data);
	return { [`${name}.weight`]: { shape: [1, 1, c, c], data } };
}

function plainMatrix(params: HostTensors, name: string, c: number): Matrix {
	const { data } = params[`${name}.weight`]!;
	return matrix(c, c, (o, i) => data[i * c + o]!);
}

function luMatrix(params: HostTensors, name: string, c: number): Matrix {
	const part = (key: string): Float32Array => params[`${name}.${key}`]!.data;
	const [l, s, u, p, sign] = ['w_l', 'w_s', 'w_u', 'w_p', 's_sign'].map(part) as [
		Float32Array,
		Float32Array,
		Float32Array,
		Float32Array,
		Float32Array,
	];
	const permutation = matrix(c, c, (i, j) => p[i * c + j]!);
	const lower = matrix(c, c, (i, j) => (i === j ? 1 : j < i ? l[i * c + j]! : 0));
	const upper = matrix(c, c, (i, j) => (i === j ? sign[i]! * Math.exp(s[i]!) : j > i ? u[i * c + j]! : 0));
	return product(permutation, lower, upper);
}

/** Coupling filters N(0, 0.05²), scales of actnorm 1, all else 0 (the reference's choices). */
function initial(seed: number, name: string, shape: readonly number[]): Float32Array {
	const n = elements(shape);
	if (/net\.[02]\.weight$/.test(name)) {
		return stream(seed, `init glow ${name}`)
			.normals(0, n)
			.map((value) => 0.05 * value);
	}
	return new Float32Array(n).fill(name.endsWith('actnorm.scale') ? 1 : 0);
}
