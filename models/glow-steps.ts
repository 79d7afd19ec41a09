// The parts of a Glow step (Kingma and Dhariwal 2018, table 1), each with its inverse and its log-determinant: activation
// normalisation, invertible 1 × 1 convolution, coupling; squeeze and the learned prior.
import * as tf from '@tensorflow/tfjs-core';
import { conv2d, type TensorMap, withGradients } from '../engine/index.ts';

export type Coupling = 'additive' | 'affine';

/** A value and what it adds to the log-determinant: a number for the batch, or [N]. */
export interface Step {
	y: tf.Tensor;
	logDeterminant: tf.Tensor;
}

const pixels = (x: tf.Tensor): number => x.shape[1]! * x.shape[2]!;

/** Sums all but the first axis: [N]. */
export function sumEach(x: tf.Tensor): tf.Tensor {
	return tf.sum(tf.reshape(x, [x.shape[0]!, -1]), 1);
}

/** scale·(x + loc) for each channel (§3.1). */
export function actnorm(params: TensorMap, name: string, x: tf.Tensor): Step {
	const scale = params[`${name}.scale`]!;
	return {
		y: tf.mul(tf.add(x, params[`${name}.loc`]!), scale),
		logDeterminant: tf.mul(tf.sum(tf.log(tf.abs(scale))), pixels(x)),
	};
}

export function actnormInverse(params: TensorMap, name: string, y: tf.Tensor): tf.Tensor {
	return tf.sub(tf.div(y, params[`${name}.scale`]!), params[`${name}.loc`]!);
}

/** The parameters with which `actnorm` gives each channel of this batch mean 0 and (unbiased) variance 1. */
export function actnormFor(name: string, x: tf.Tensor): TensorMap {
	const flat = tf.reshape(x, [-1, x.shape[3]!]);
	const mean = tf.mean(flat, 0);
	const variance = tf.div(tf.sum(tf.square(tf.sub(flat, mean)), 0), flat.shape[0]! - 1);
	return { [`${name}.loc`]: tf.neg(mean), [`${name}.scale`]: tf.div(1, tf.add(tf.sqrt(variance), 1e-6)) };
}

/** y = W·x for each pixel (§3.2): x [N, h, w, C], `weight` [C, C] as [out, in]. */
function mixChannels(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
	const c = x.shape[3]!;
	return tf.reshape(tf.matMul(tf.reshape(x, [-1, c]), weight, false, true), x.shape);
}

/**
 * The invertible 1 × 1 convolution. With `w_s`, W = P·(L + I)·(U + diag(s)) and log|det W| = Σ log|s| (§3.2, equation
 * 10); else W is stored, and its inverse and log|det W| come along as constants (see `derived` in glow.ts).
 */
export function invertibleConv(params: TensorMap, name: string, x: tf.Tensor): Step {
	const stored = params[`${name}.weight`];
	if (!stored) {
		return {
			y: mixChannels(x, luWeight(params, name)),
			logDeterminant: tf.mul(tf.sum(params[`${name}.w_s`]!), pixels(x)),
		};
	}
	const weight = tf.reshape(tf.transpose(stored, [0, 1, 3, 2]), stored.shape.slice(2)); // [C, C]
	// d log|det W| / dW = W⁻ᵀ.
	const logDeterminant = withGradients(
		[weight, params[`${name}.log_det`]!, params[`${name}.inverse`]!],
		([, value]) => tf.clone(value!),
		(dy, [, value, inverse]) => [
			tf.mul(tf.transpose(inverse!), dy),
			tf.fill(value!.shape, 0),
			tf.fill(inverse!.shape, 0),
		],
	);
	return { y: mixChannels(x, weight), logDeterminant: tf.mul(logDeterminant, pixels(x)) };
}

export function invertibleConvInverse(params: TensorMap, name: string, y: tf.Tensor): tf.Tensor {
	return mixChannels(y, params[`${name}.inverse`]!);
}

function luWeight(params: TensorMap, name: string): tf.Tensor {
	const part = (key: string): tf.Tensor => params[`${name}.${key}`]!;
	const c = part('w_s').shape[0]!;
	const below = tf.tensor2d(triangle(c), [c, c]);
	const diagonal = tf.tensor2d(unit(c), [c, c]);
	const lower = tf.add(tf.mul(part('w_l'), below), diagonal);
	const s = tf.mul(part('s_sign'), tf.exp(part('w_s')));
	const upper = tf.add(tf.mul(part('w_u'), tf.transpose(below)), tf.mul(diagonal, s));
	return tf.matMul(part('w_p'), tf.matMul(lower, upper));
}

/** Ones below the diagonal. */
function triangle(c: number): Float32Array {
	return Float32Array.from({ length: c * c }, (_, i) => (i % c < Math.floor(i / c) ? 1 : 0));
}

function unit(c: number): Float32Array {
	return Float32Array.from({ length: c * c }, (_, i) => (i % (c + 1) === 0 ? 1 : 0));
}

/** A 3 × 3 convolution that starts at zero: the outside is 1, the result times exp(3·scale). */
export function zeroConv(params: TensorMap, name: string, x: tf.Tensor): tf.Tensor {
	const padded = tf.pad(
		x,
		[
			[0, 0],
			[1, 1],
			[1, 1],
			[0, 0],
		],
		1,
	);
	const y = tf.add(conv2d(padded, params[`${name}.conv.weight`]!, 1, 'valid'), params[`${name}.conv.bias`]!);
	return tf.mul(y, tf.exp(tf.mul(params[`${name}.scale`]!, 3)));
}

/** What the first half of the channels says about the second. */
function couplingNet(params: TensorMap, name: string, x: tf.Tensor): tf.Tensor {
	const layer = (y: tf.Tensor, i: number): tf.Tensor =>
		tf.relu(tf.add(conv2d(y, params[`${name}.net.${i}.weight`]!), params[`${name}.net.${i}.bias`]!));
	return zeroConv(params, `${name}.net.4`, layer(layer(x, 0), 2));
}

/** Affine: (b + t)·σ(log s + 2) given a (§3.3, with the reference's sigmoid); additive: b + t, which keeps volumes. */
export function coupling(params: TensorMap, name: string, x: tf.Tensor, kind: Coupling): Step {
	const [a, b] = tf.split(x, 2, 3) as [tf.Tensor, tf.Tensor];
	const net = couplingNet(params, name, a);
	if (kind === 'additive') {
		return { y: tf.concat([a, tf.add(b, net)], 3), logDeterminant: tf.fill([x.shape[0]!], 0) };
	}
	const [logScale, shift] = tf.split(net, 2, 3) as [tf.Tensor, tf.Tensor];
	const raised = tf.add(logScale, 2);
	return {
		y: tf.concat([a, tf.mul(tf.add(b, shift), tf.sigmoid(raised))], 3),
		logDeterminant: tf.neg(sumEach(tf.softplus(tf.neg(raised)))), // Σ log σ
	};
}

export function couplingInverse(params: TensorMap, name: string, y: tf.Tensor, kind: Coupling): tf.Tensor {
	const [a, b] = tf.split(y, 2, 3) as [tf.Tensor, tf.Tensor];
	const net = couplingNet(params, name, a);
	if (kind === 'additive') return tf.concat([a, tf.sub(b, net)], 3);
	const [logScale, shift] = tf.split(net, 2, 3) as [tf.Tensor, tf.Tensor];
	// 1 / σ(r) = 1 + exp(−r)
	const inverse = tf.add(tf.exp(tf.neg(tf.add(logScale, 2))), 1);
	return tf.concat([a, tf.sub(tf.mul(b, inverse), shift)], 3);
}

/** Mean and log standard deviation of the prior of a block's latents, given what goes on to the next block. */
export function prior(
	params: TensorMap,
	name: string,
	given: tf.Tensor,
): { mean: tf.Tensor; logDeviation: tf.Tensor } {
	const [mean, logDeviation] = tf.split(zeroConv(params, name, given), 2, 3) as [tf.Tensor, tf.Tensor];
	return { mean, logDeviation };
}

/** 2 × 2 pixels into channels: [N, 2h, 2w, C] → [N, h, w, 4C], channel 4c + 2·dy + dx. */
export function squeeze(x: tf.Tensor): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	const rows = tf.transpose(tf.reshape(x, [(n * h) / 2, 2, w / 2, 2 * c]), [0, 2, 1, 3]);
	const cells = tf.transpose(tf.reshape(rows, [(n * h * w) / 4, 4, c]), [0, 2, 1]);
	return tf.reshape(cells, [n, h / 2, w / 2, 4 * c]);
}

export function unsqueeze(y: tf.Tensor): tf.Tensor {
	const [n, h, w, c] = y.shape as [number, number, number, number];
	const cells = tf.transpose(tf.reshape(y, [n * h * w, c / 4, 4]), [0, 2, 1]);
	const rows = tf.transpose(tf.reshape(cells, [n * h, w, 2, c / 2]), [0, 2, 1, 3]);
	return tf.reshape(rows, [n, 2 * h, 2 * w, c / 4]);
}
