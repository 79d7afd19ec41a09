// What the three PGGAN code bases in use do differently, as data. Everything else is in pggan.ts.
//
// karras: tkarras/progressive_growing_of_gans and genforce, whose networks are weight-compatible. zoo:
// facebookresearch/pytorch_GAN_zoo. rtil: g33sean/RTIL, which derives from odegeasslbc/Progressive-GAN-pytorch.
import * as tf from '@tensorflow/tfjs-core';
import { firKernel, minibatchStddev, upfirdn2d } from '../engine/index.ts';

export type PgganDialect = 'karras' | 'zoo' | 'rtil';

/** Parameter names; blocks count from 0 at 4², `top` is the block of the full resolution. */
interface Names {
	/** What follows a layer's name. */
	weight: string;
	bias: string;
	/** Layer i of block k of the generator; layer 0 of block 0 takes the latent. */
	layer(k: number, i: number): string;
	toRgb(k: number): string;
	/** Layer i of block k of the discriminator; block 0: convolution, two dense layers. */
	down(k: number, i: number, top: number): string;
	fromRgb(k: number, top: number): string;
}

export interface Dialect {
	names: Names;
	/** Layers of the generator's first block, the one that takes the latent included. */
	firstLayers: 2 | 3;
	/** PixelNorm of the latent. */
	normaliseLatent: boolean;
	/** PixelNorm in the generator: at the input of every layer and RGB head, after, or before the activation. */
	norm: 'input' | 'after' | 'before';
	/** PixelNorm before the activation in the discriminator too. */
	normInDiscriminator: boolean;
	/** Doubles height and width. */
	up(x: tf.Tensor): tf.Tensor;
	/** Does the runtime constant multiply the bias as well? */
	scaleBias: boolean;
	/** Is there a bias for each position of the first 4 × 4 map? */
	positionBias: boolean;
	/** Inputs that the constant of the generator's first layer counts, for z and C maps. */
	firstFan(zDim: number, channels: number): number;
	/** Gain of the generator's RGB heads and of the discriminator's last layer; √2 elsewhere. */
	headGain: number;
	/** Leaky ReLU after the discriminator's RGB heads. */
	fromRgbActivated: boolean;
	/** Does the first layer of a discriminator's block widen, or the second? */
	widens: 0 | 1;
	/** Appends the standard-deviation map; `group` is the largest group. */
	stddev(x: tf.Tensor, group: number): tf.Tensor;
}

/** Nearest neighbour, ×2: by copies, a quarter of the time of a filter. */
export function nearest2(x: tf.Tensor): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	const pixels = tf.reshape(x, [n * h * w, 1, c]);
	const rows = tf.reshape(tf.concat([pixels, pixels], 1), [n * h, 1, 2 * w * c]);
	return tf.reshape(tf.concat([rows, rows], 1), [n, 2 * h, 2 * w, c]);
}

/** Mean of 2 × 2 pixels: average pooling, and also bilinear ½ without corner alignment. */
export function average2(x: tf.Tensor): tf.Tensor {
	return upfirdn2d(x, firKernel([1, 1]), { down: 2 });
}

/** Bilinear ×2 without corner alignment: [1, 3, 3, 1] / 4 on edges that are repeated. */
export function bilinear2(x: tf.Tensor): tf.Tensor {
	const wide = repeatEdges(repeatEdges(x, 1), 2);
	return upfirdn2d(wide, firKernel([1, 3, 3, 1], 4), { up: 2, pad: [0, -1, 0, -1] });
}

function repeatEdges(x: tf.Tensor, axis: number): tf.Tensor {
	const last = x.shape[axis]! - 1;
	const edge = (at: number): tf.Tensor =>
		tf.slice(
			x,
			x.shape.map((_, i) => (i === axis ? at : 0)),
			x.shape.map((side, i) => (i === axis ? 1 : side)),
		);
	return tf.concat([edge(0), x, edge(last)], axis);
}

/**
 * The GAN zoo's standard-deviation map: neighbours form a group (the whole batch where it is no multiple), the variance
 * is the unbiased one.
 */
function consecutiveStddev(x: tf.Tensor, group: number): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	if (n === 1) return tf.concat([x, tf.fill([n, h, w, 1], 0)], 3);
	const size = n % Math.min(n, group) === 0 ? Math.min(n, group) : n;
	const y = tf.reshape(x, [n / size, size, h * w * c]);
	const centred = tf.sub(y, tf.mean(y, 1, true));
	const variance = tf.mul(tf.sum(tf.square(centred), 1), 1 / (size - 1));
	const statistic = tf.reshape(tf.mean(tf.sqrt(tf.add(variance, 1e-8)), 1), [n / size, 1, 1]);
	const maps = tf.reshape(tf.add(tf.fill([n / size, size, h * w], 0), statistic), [n, h, w, 1]);
	return tf.concat([x, maps], 3);
}

const side = (k: number): number => 4 * 2 ** k;

export const dialects: Record<PgganDialect, Dialect> = {
	karras: {
		names: {
			weight: '.weight',
			bias: '.bias',
			layer: (k, i) => `layer${2 * k + i}`,
			toRgb: (k) => `output${k}`,
			down: (k, i, top) => `layer${2 * (top - k) + i}`,
			fromRgb: (k, top) => `input${top - k}`,
		},
		firstLayers: 2,
		normaliseLatent: true,
		norm: 'input',
		normInDiscriminator: false,
		up: nearest2,
		scaleBias: false,
		positionBias: false,
		firstFan: (zDim) => 16 * zDim,
		headGain: 1,
		fromRgbActivated: true,
		widens: 1,
		stddev: minibatchStddev,
	},
	zoo: {
		names: {
			weight: '.module.weight',
			bias: '.module.bias',
			layer: (k, i) =>
				k > 0 ? `scaleLayers.${k - 1}.${i}` : i === 0 ? 'formatLayer' : `groupScale0.${i - 1}`,
			toRgb: (k) => `toRGBLayers.${k}`,
			down: (k, i) => (k > 0 ? `scaleLayers.${k - 1}.${i}` : i < 2 ? `groupScaleZero.${i}` : 'decisionLayer'),
			fromRgb: (k) => `fromRGBLayers.${k}`,
		},
		firstLayers: 2,
		normaliseLatent: true,
		norm: 'after',
		normInDiscriminator: false,
		up: nearest2,
		scaleBias: true,
		positionBias: true,
		firstFan: (zDim) => zDim,
		headGain: Math.SQRT2,
		fromRgbActivated: true,
		widens: 1,
		stddev: consecutiveStddev,
	},
	rtil: {
		names: {
			weight: '.weight_orig',
			bias: '.bias',
			layer: (k, i) =>
				k === 0 && i === 0
					? 'input_layer.0.conv'
					: `progression_${side(k)}.conv.${3 * (k === 0 ? i - 1 : i)}.conv`,
			toRgb: (k) => `to_rgb_${side(k)}.conv`,
			down: (k, i, top) => (i < 2 ? `progression.${top - k}.conv.${3 * i}.conv` : 'linear.linear'),
			fromRgb: (k, top) => `from_rgb.${top - k}.conv`,
		},
		firstLayers: 3,
		normaliseLatent: false,
		norm: 'before',
		normInDiscriminator: true,
		up: bilinear2,
		scaleBias: false,
		positionBias: false,
		// The code reads its fan off a transposed filter: the output maps, not the latent.
		firstFan: (_, channels) => 16 * channels,
		headGain: Math.SQRT2,
		fromRgbActivated: false,
		widens: 0,
		// One number for the whole batch.
		stddev: (x) => minibatchStddev(x, x.shape[0]!),
	},
};
