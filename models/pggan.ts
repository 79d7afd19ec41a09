// PGGAN (Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation"): generator
// and discriminator at every stage of growing, with fade-in (§2), minibatch standard deviation (§3), equalised learning
// rate (§4.1) and PixelNorm (§4.2).
//
// Checked against golden tensors of genforce (weight-compatible with the authors' code), pytorch_GAN_zoo and the RTIL
// code; they differ in the places that pggan-dialects.ts lists, and parameters carry each one's names. Layout differs:
// images NHWC, filters [kh, kw, in, out], matrices [in, out]; the layer that takes the latent and the one that takes
// the last 4 × 4 map are matrices over (h, w, c). Fused up-scaling is the plain form with a turned filter and is
// imported as that; fused down-scaling is another function, hence an option.
//
// A PGGAN has no mapping network, styles, noise or running RGB image: map is the identity, the one style row is z,
// and `rgb` of a cut is what fades out (see PgganGenerator).
import * as tf from '@tensorflow/tfjs-core';
import {
	conv2d,
	elements,
	type HostTensors,
	leakyRelu,
	pixelNorm,
	stream,
	type TensorMap,
} from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import type { Cut, CutState, Discriminator, Fade, Generator, SynthesisInput } from './contract.ts';
import { average2, dialects, type PgganDialect } from './pggan-dialects.ts';

export interface PgganConfig {
	/** Whose conventions and parameter names. */
	dialect: PgganDialect;
	/** Side of the images when fully grown: a power of two, 8 … 1024. Parameters are those of the full network. */
	resolution: number;
	/** Feature maps at each resolution 4, 8, … up to `resolution`. */
	channels: readonly number[];
	/** Dimension of z. */
	zDim: number;
	/** Side of the images at this stage of growing: a power of two, 4 … resolution. Absent: fully grown. */
	stage?: number;
	/** Discriminator: average before bias and activation, as `fused_scale` of karras does. Absent: after. */
	fusedDown?: boolean;
	/** Largest group of the standard-deviation map (rtil: always the batch). Absent: 4. */
	stddevGroup?: number;
}

/**
 * A generator whose cuts are finer than those listed: `b8.0` is after the first layer of the block at 8², `b8` after
 * all. While a block fades in ((1 − fade)·up(RGB of the block before) + fade·RGB), the state at the last cut carries the
 * RGB image of the block before in `rgb`.
 */
export type PgganGenerator = Generator<PgganConfig>;

export interface PgganDiscriminator extends Discriminator<PgganConfig> {
	/** What the last layer sees, [N, C]. */
	embedding(params: TensorMap, images: tf.Tensor, fade?: Fade): tf.Tensor;
}

type Shapes = Record<string, readonly number[]>;

/**
 * The PGGAN of the RTIL paper (table 2), or one of its shape: at 256² with a width of 256 it has 7,449,109 parameters,
 * 7,445,443 without the RGB heads of growing.
 *
 * @param resolution a power of two, 8 … 256
 * @param width feature maps up to 32², a multiple of 4; z has twice as many dimensions
 */
export function pgganRtil(resolution = 256, width = 256): PgganConfig {
	const channels = [1, 1, 1, 1, 1 / 2, 1 / 4, 1 / 4].map((share) => share * width);
	return {
		dialect: 'rtil',
		resolution,
		channels: channels.slice(0, Math.log2(resolution) - 1),
		zDim: 2 * width,
	};
}

/** Index of the block of this stage; throws INVALID_INPUT where the configuration is not one. */
function stageOf({ resolution, channels, stage = resolution }: PgganConfig): number {
	const count = Math.log2(resolution) - 1;
	if (!Number.isInteger(count) || resolution < 8 || resolution > 1024) {
		throw expected('a power of two from 8 to 1024', 'resolution', resolution);
	}
	if (channels.length !== count) {
		throw expected(`${count} numbers, one a resolution from 4 to ${resolution}`, 'channels', channels);
	}
	const last = Math.log2(stage) - 2;
	if (!Number.isInteger(last) || last < 0 || last >= count) {
		throw expected(`a power of two from 4 to ${resolution}`, 'stage', stage);
	}
	return last;
}

/** A layer of either network with its equalised learning rate (§4.1). */
interface Layer {
	name: string;
	/** Of the weight; of the bias, if not [outputs]. */
	shape: readonly number[];
	biasShape?: readonly number[];
	gain: number;
	/** Inputs that count for the constant. Absent: all but the last axis of the weight. */
	fan?: number;
}

function registry({ dialect }: PgganConfig) {
	const { names, scaleBias } = dialects[dialect];
	const shapes: Shapes = {};
	return {
		shapes,
		declare(layer: Layer): Layer {
			shapes[layer.name + names.weight] = layer.shape;
			shapes[layer.name + names.bias] = layer.biasShape ?? [layer.shape[layer.shape.length - 1]!];
			return layer;
		},
		/** The weight and bias that act. */
		of(params: TensorMap, { name, shape, gain, fan }: Layer): { weight: tf.Tensor; bias: tf.Tensor } {
			const scale = gain / Math.sqrt(fan ?? elements(shape.slice(0, -1)));
			const bias = params[name + names.bias]!;
			return {
				weight: tf.mul(params[name + names.weight]!, scale),
				bias: scaleBias ? tf.mul(bias, scale) : bias,
			};
		},
	};
}

function blend(old: tf.Tensor, young: tf.Tensor, fade: Fade): tf.Tensor {
	return tf.add(tf.mul(old, tf.sub(1, fade)), tf.mul(young, fade));
}

/** The generator of a configuration at its stage; `shapes` and `init` are those of the full network. */
export function pgganGenerator(config: PgganConfig): PgganGenerator {
	const last = stageOf(config);
	const { channels, zDim } = config;
	const { names, firstLayers, firstFan, headGain, norm, normaliseLatent, positionBias, up } =
		dialects[config.dialect];
	const { shapes, declare, of } = registry(config);

	/** In order; `place` is the cut after the layer. */
	const layers: (Layer & { block: number; place: string; up: boolean })[] = [];
	const heads: Layer[] = [];
	channels.forEach((width, k) => {
		const count = k === 0 ? firstLayers : 2;
		for (let i = 0; i < count; i++) {
			const place = i === count - 1 ? `b${4 * 2 ** k}` : `b${4 * 2 ** k}.${i}`;
			const name = names.layer(k, i);
			const inputs = i === 0 ? (channels[k - 1] ?? zDim) : width;
			const layer: Layer =
				k === 0 && i === 0
					? {
							name,
							shape: [zDim, 16 * width],
							biasShape: [positionBias ? 16 * width : width],
							gain: Math.SQRT2,
							fan: firstFan(zDim, width),
						}
					: { name, shape: [3, 3, inputs, width], gain: Math.SQRT2 };
			layers.push({ ...declare(layer), block: k, place, up: k > 0 && i === 0 });
		}
		heads.push(declare({ name: names.toRgb(k), shape: [1, 1, width, 3], gain: headGain }));
	});

	function apply(params: TensorMap, at: number, input: tf.Tensor): tf.Tensor {
		const layer = layers[at]!;
		const { weight, bias } = of(params, layer);
		let x = norm === 'input' && at > 0 ? pixelNorm(input) : input;
		if (layer.up) x = up(x);
		if (at > 0) x = tf.add(conv2d(x, weight), bias);
		else {
			const maps = (value: tf.Tensor): tf.Tensor => tf.reshape(value, [-1, 4, 4, channels[0]!]);
			const y = tf.matMul(x, weight); // [N, 16C]
			x = positionBias ? maps(tf.add(y, bias)) : tf.add(maps(y), bias);
		}
		x = leakyRelu(norm === 'before' ? pixelNorm(x) : x);
		return norm === 'after' ? pixelNorm(x) : x;
	}

	/** RGB image of block k, before any doubling. */
	function head(params: TensorMap, k: number, x: tf.Tensor): tf.Tensor {
		const { weight, bias } = of(params, heads[k]!);
		return tf.add(conv2d(norm === 'input' ? pixelNorm(x) : x, weight), bias);
	}

	function placeOf(name: string, what: string): number {
		const at = layers.findIndex(({ place, block }) => place === name && block <= last);
		if (at < 0) {
			const places = layers.filter(({ block }) => block <= last).map(({ place }) => place);
			throw expected(`one of ${places.join(', ')}`, what, name);
		}
		return at;
	}

	/** The state after layer `stop`, from the latent or from `from`. */
	function run(params: TensorMap, input: SynthesisInput, stop: number): CutState {
		const { from, inject = {}, fade } = input;
		const place = layers[stop]!.place;
		let at = -1;
		let x: tf.Tensor;
		let rgb: tf.Tensor | null = null;
		if (from) {
			at = placeOf(from.cut, 'from');
			if (at > stop) throw expected(`a cut at or before ${place}`, 'from', from.cut);
			x = from.features;
			rgb = fade === undefined ? null : from.rgb;
		} else {
			x = tf.reshape(input.styles, [-1, zDim]); // [N, Z]
			if (normaliseLatent) x = pixelNorm(x);
		}
		for (;;) {
			// The newest block comes next: what it fades in over is the RGB image of this one.
			const fades = fade !== undefined && at >= 0 && at < stop && layers[at + 1]!.block === last;
			if (fades && layers[at]!.block === last - 1) rgb = head(params, last - 1, x);
			if (at === stop) return { cut: place, features: x, rgb };
			at++;
			x = apply(params, at, x);
			const extra = inject[layers[at]!.place];
			if (extra) x = tf.add(x, extra);
		}
	}

	const cuts: Cut[] = channels
		.slice(0, last)
		.map((width, k) => ({ name: `b${4 * 2 ** k}`, resolution: 4 * 2 ** k, channels: width }));

	return {
		kind: 'pggan',
		config,
		resolution: 4 * 2 ** last,
		channels: 3,
		zDim,
		wDim: zDim,
		numStyles: 1,
		noiseShapes: [],
		cuts,
		shapes,
		blocks: channels.slice(0, last + 1).map((_, k) => {
			const own = [...layers.filter(({ block }) => block === k), heads[k]!];
			return own.flatMap(({ name }) => [name + names.weight, name + names.bias]);
		}),
		init: (seed) => initialise(shapes, seed, 'generator'),
		map: (_, z) => z,
		synthesize(params, input) {
			const { features, rgb } = run(params, input, placeOf(`b${4 * 2 ** last}`, 'cut'));
			const image = head(params, last, features);
			if (input.fade === undefined || last === 0) return image;
			if (!rgb) throw expected('the RGB image of the block before', 'from.rgb', rgb);
			return blend(up(rgb), image, input.fade);
		},
		synthesizeTo: (params, input, cut) => run(params, input, placeOf(cut, 'cut')),
	};
}

/** The discriminator (critic) of a configuration at its stage; `zDim` is not used. */
export function pgganDiscriminator(config: PgganConfig): PgganDiscriminator {
	const last = stageOf(config);
	const { channels, dialect, fusedDown = false, stddevGroup = 4 } = config;
	const { names, fromRgbActivated, headGain, normInDiscriminator, stddev, widens } = dialects[dialect];
	const { shapes, declare, of } = registry(config);
	const top = channels.length - 1;

	const heads: Layer[] = [];
	const blocks: Layer[][] = [];
	for (let k = top; k >= 0; k--) {
		const width = channels[k]!;
		const below = channels[k - 1] ?? width;
		const inner = widens === 0 ? below : width;
		heads[k] = declare({ name: names.fromRgb(k, top), shape: [1, 1, 3, width], gain: Math.SQRT2 });
		const layer = (i: number, shape: number[], gain = Math.SQRT2): Layer =>
			declare({ name: names.down(k, i, top), shape, gain });
		blocks[k] =
			k > 0
				? [layer(0, [3, 3, width, inner]), layer(1, [3, 3, inner, below])]
				: [layer(0, [3, 3, width + 1, width]), layer(1, [16 * width, width]), layer(2, [width, 1], headGain)];
	}

	function activate(x: tf.Tensor): tf.Tensor {
		return leakyRelu(normInDiscriminator ? pixelNorm(x) : x);
	}

	function apply(params: TensorMap, layer: Layer, x: tf.Tensor): tf.Tensor {
		const { weight, bias } = of(params, layer);
		return activate(tf.add(weight.rank === 2 ? tf.matMul(x, weight) : conv2d(x, weight), bias));
	}

	/** The second layer of a block with the averaging: [N, 2h, 2w, I] → [N, h, w, O]. */
	function applyDown(params: TensorMap, layer: Layer, x: tf.Tensor): tf.Tensor {
		if (!fusedDown) return average2(apply(params, layer, x));
		const { weight, bias } = of(params, layer);
		// The average of a convolution is one of stride 2 with the mean of the four shifted filters, 4 × 4.
		const wide = tf.mul(shiftedFilter(weight), 0.25);
		const padded = tf.pad(x, [
			[0, 0],
			[1, 1],
			[1, 1],
			[0, 0],
		]);
		return activate(tf.add(conv2d(padded, wide, 2, 'valid'), bias));
	}

	function fromRgb(params: TensorMap, k: number, images: tf.Tensor): tf.Tensor {
		const { weight, bias } = of(params, heads[k]!);
		const x = tf.add(conv2d(images, weight), bias);
		return fromRgbActivated ? leakyRelu(x) : x;
	}

	function features(params: TensorMap, images: tf.Tensor, fade?: Fade): tf.Tensor[] {
		const size = 4 * 2 ** last;
		if (images.shape[1] !== size || images.shape[2] !== size) {
			throw expected(`images [N, ${size}, ${size}, 3]`, 'images', `[${images.shape}]`);
		}
		let x = fromRgb(params, last, images); // [N, s, s, C]
		const maps = [x];
		for (let k = last; k > 0; k--) {
			const [first, second] = blocks[k] as [Layer, Layer];
			x = applyDown(params, second, apply(params, first, x)); // [N, s/2, s/2, C']
			if (k === last && fade !== undefined) {
				x = blend(fromRgb(params, k - 1, average2(images)), x, fade);
			}
			maps.push(x);
		}
		return maps;
	}

	function embedding(params: TensorMap, images: tf.Tensor, fade?: Fade): tf.Tensor {
		let x = features(params, images, fade).at(-1)!;
		const [conv, dense] = blocks[0] as [Layer, Layer];
		x = apply(params, conv, stddev(x, stddevGroup));
		return apply(params, dense, tf.reshape(x, [x.shape[0]!, -1])); // [N, C]
	}

	return {
		kind: 'pggan',
		config,
		resolution: 4 * 2 ** last,
		shapes,
		init: (seed) => initialise(shapes, seed, 'discriminator'),
		features,
		embedding,
		score(params, images, fade) {
			const { weight, bias } = of(params, blocks[0]![2]!);
			return tf.reshape(tf.add(tf.matMul(embedding(params, images, fade), weight), bias), [-1]);
		},
	};
}

/** Sum of the four shifts of a 3 × 3 filter: [3, 3, I, O] → [4, 4, I, O]. */
function shiftedFilter(filter: tf.Tensor): tf.Tensor {
	const shifted = (y: number, x: number): tf.Tensor =>
		tf.pad(filter, [
			[y, 1 - y],
			[x, 1 - x],
			[0, 0],
			[0, 0],
		]);
	return tf.add(tf.add(shifted(0, 0), shifted(0, 1)), tf.add(shifted(1, 0), shifted(1, 1)));
}

/** N(0, 1) weights, biases 0. */
function initialise(shapes: Shapes, seed: number, network: string): HostTensors {
	return Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => {
			const n = elements(shape);
			const drawn = !name.endsWith('bias');
			const data = drawn ? stream(seed, `init ${network} ${name}`).normals(0, n) : new Float32Array(n);
			return [name, { shape, data }];
		}),
	);
}
