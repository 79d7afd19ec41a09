// StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"): mapping network, skip
// generator, residual discriminator (configuration E of table 1 with the networks of figure 7; config F is wider).
//
// Checked against golden tensors of rosinality/stylegan2-pytorch; parameters carry its names. Layout differs: images
// NHWC, filters [kh, kw, in, out], matrices [in, out], the discriminator's flattening in (h, w, c) order. Noise maps are
// inputs, not parameters. Styles scale activations instead of filters, which is the same function.
import * as tf from '@tensorflow/tfjs-core';
import {
	biasLeakyRelu,
	blurForStride2,
	conv2d,
	downsample2,
	elements,
	type HostTensors,
	minibatchStddev,
	modulatedConv2d,
	pixelNorm,
	stream,
	type TensorMap,
	upsample2,
} from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import type { Cut, CutState, Discriminator, Generator, SynthesisInput } from './contract.ts';

export interface StyleGAN2Config {
	/** Side of the image: a power of two, 8 … 1024. */
	resolution: number;
	/** Feature maps at each resolution 4, 8, … up to `resolution`. */
	channels: readonly number[];
	/** Dimension of z. */
	zDim: number;
	/** Dimension of w. */
	wDim: number;
	/** Layers of the mapping network. */
	mappingLayers: number;
}

type Shapes = Record<string, readonly number[]>;

/** Learning rate of the mapping network relative to the rest (Karras et al. 2019, appendix C). */
const mappingRate = 0.01;

function blocksOf({ resolution, channels }: StyleGAN2Config): { resolution: number; channels: number }[] {
	const count = Math.log2(resolution) - 1;
	if (!Number.isInteger(count) || resolution < 8 || resolution > 1024) {
		throw expected('a power of two from 8 to 1024', 'resolution', resolution);
	}
	if (channels.length !== count)
		throw expected(`${count} numbers, one a resolution from 4 to ${resolution}`, 'channels', channels);
	return channels.map((width, i) => ({ resolution: 4 * 2 ** i, channels: width }));
}

/** One modulated layer: where its parameters are, which style and noise it takes. */
interface Layer {
	name: string;
	inputs: number;
	outputs: number;
	up: boolean;
	style: number;
	noise: number;
}

/** The rows of w+, and what is added to the scales that they give. */
interface Styles {
	rows: tf.Tensor[];
	shifts: Readonly<Record<string, tf.Tensor>>;
}

interface Block {
	cut: string;
	resolution: number;
	channels: number;
	layers: Layer[];
	toRgb: { name: string; style: number };
}

/** The generator of a configuration. */
export function stylegan2Generator(config: StyleGAN2Config): Generator<StyleGAN2Config> {
	const sizes = blocksOf(config);
	const { zDim, wDim, mappingLayers } = config;
	const blocks: Block[] = sizes.map(({ resolution, channels }, k) => {
		const cut = `b${resolution}`;
		if (k === 0) {
			const layers = [{ name: 'conv1', inputs: channels, outputs: channels, up: false, style: 0, noise: 0 }];
			return { cut, resolution, channels, layers, toRgb: { name: 'to_rgb1', style: 1 } };
		}
		const j = k - 1;
		const before = sizes[j]!.channels;
		return {
			cut,
			resolution,
			channels,
			layers: [
				{
					name: `convs.${2 * j}`,
					inputs: before,
					outputs: channels,
					up: true,
					style: 2 * j + 1,
					noise: 2 * j + 1,
				},
				{
					name: `convs.${2 * j + 1}`,
					inputs: channels,
					outputs: channels,
					up: false,
					style: 2 * j + 2,
					noise: 2 * j + 2,
				},
			],
			toRgb: { name: `to_rgbs.${j}`, style: 2 * j + 3 },
		};
	});
	const cuts: Cut[] = sizes.slice(0, -1).map((size) => ({ name: `b${size.resolution}`, ...size }));
	const noiseShapes = sizes.flatMap(({ resolution }, k) => {
		const shape = [resolution, resolution] as const;
		return k === 0 ? [shape] : [shape, shape];
	});

	const shapes: Shapes = {};
	for (let i = 1; i <= mappingLayers; i++) {
		shapes[`style.${i}.weight`] = [i === 1 ? zDim : wDim, wDim];
		shapes[`style.${i}.bias`] = [wDim];
	}
	shapes['input.input'] = [1, 4, 4, sizes[0]!.channels];
	for (const { layers, toRgb, channels } of blocks) {
		for (const { name, inputs, outputs } of layers) {
			shapes[`${name}.conv.weight`] = [3, 3, inputs, outputs];
			shapes[`${name}.conv.modulation.weight`] = [wDim, inputs];
			shapes[`${name}.conv.modulation.bias`] = [inputs];
			shapes[`${name}.noise.weight`] = [1];
			shapes[`${name}.activate.bias`] = [outputs];
		}
		shapes[`${toRgb.name}.bias`] = [3];
		shapes[`${toRgb.name}.conv.weight`] = [1, 1, channels, 3];
		shapes[`${toRgb.name}.conv.modulation.weight`] = [wDim, channels];
		shapes[`${toRgb.name}.conv.modulation.bias`] = [channels];
	}

	const owner = (name: string): number => {
		if (name === 'input.input') return 0;
		return blocks.findIndex(({ layers, toRgb }) =>
			[...layers, toRgb].some((layer) => name.startsWith(`${layer.name}.`)),
		);
	};

	function styleOf(params: TensorMap, name: string, { rows, shifts }: Styles, row: number): tf.Tensor {
		const weight = params[`${name}.conv.modulation.weight`]!;
		const style = tf.add(
			tf.matMul(rows[row]!, tf.mul(weight, 1 / Math.sqrt(wDim))),
			params[`${name}.conv.modulation.bias`]!,
		);
		return shifts[name] ? tf.add(style, shifts[name]) : style;
	}

	function styledConv(
		params: TensorMap,
		layer: Layer,
		x: tf.Tensor,
		styles: Styles,
		noise: tf.Tensor,
	): tf.Tensor {
		const { name, inputs, up } = layer;
		const y = modulatedConv2d(x, params[`${name}.conv.weight`]!, styleOf(params, name, styles, layer.style), {
			resample: up ? 'up' : 'plain',
			gain: 1 / Math.sqrt(9 * inputs),
		});
		return biasLeakyRelu(
			tf.add(y, tf.mul(noise, params[`${name}.noise.weight`]!)),
			params[`${name}.activate.bias`]!,
		);
	}

	/** The running image after a block's RGB layer, [N, r, r, 3]. */
	function addRgb(
		params: TensorMap,
		block: Block,
		x: tf.Tensor,
		rgb: tf.Tensor | null,
		styles: Styles,
	): tf.Tensor {
		const { name, style } = block.toRgb;
		const own = modulatedConv2d(x, params[`${name}.conv.weight`]!, styleOf(params, name, styles, style), {
			demodulate: false,
			gain: 1 / Math.sqrt(block.channels),
		});
		const y = tf.add(own, params[`${name}.bias`]!);
		return rgb ? tf.add(y, upsample2(rgb)) : y;
	}

	/** Runs from the start or `from` up to the end of block `stop`, before its RGB layer. */
	function run(
		params: TensorMap,
		input: SynthesisInput,
		stop: number,
	): { features: tf.Tensor; rgb: tf.Tensor | null; styles: Styles } {
		const { from, inject = {}, injectAfterRgb = {}, noises, shifts = {} } = input;
		const styles = { rows: tf.unstack(input.styles, 1), shifts };
		const added = (value: tf.Tensor, extra: tf.Tensor | undefined): tf.Tensor =>
			extra ? tf.add(value, extra) : value;
		let first = 0;
		let x: tf.Tensor;
		let rgb: tf.Tensor | null = null;
		if (from) {
			const at = blocks.findIndex(({ cut }) => cut === from.cut);
			if (at < 0 || at > stop) throw expected(`a cut before ${blocks[stop]!.cut}`, 'from', from.cut);
			x = from.features;
			rgb = from.rgb;
			first = at + 1;
			if (first <= stop) {
				if (!from.withoutRgb) rgb = addRgb(params, blocks[at]!, x, rgb, styles);
				x = added(x, injectAfterRgb[from.cut]);
			}
		} else {
			const constant = params['input.input']!;
			x = tf.mul(constant, tf.fill([input.styles.shape[0]!, 1, 1, 1], 1));
		}
		for (let k = first; k <= stop; k++) {
			const block = blocks[k]!;
			for (const layer of block.layers) x = styledConv(params, layer, x, styles, noises[layer.noise]!);
			x = added(x, inject[block.cut]);
			if (k === stop) break;
			rgb = addRgb(params, block, x, rgb, styles);
			x = added(x, injectAfterRgb[block.cut]);
		}
		return { features: x, rgb, styles };
	}

	return {
		kind: 'stylegan2',
		config,
		resolution: config.resolution,
		channels: 3,
		zDim,
		wDim,
		numStyles: 2 * blocks.length,
		noiseShapes,
		cuts,
		shapes,
		blocks: blocks.map((_, k) => Object.keys(shapes).filter((name) => owner(name) === k)),
		init: (seed) => initialise(shapes, seed, 'generator'),
		map(params, z) {
			let w = pixelNorm(z);
			for (let i = 1; i <= mappingLayers; i++) {
				const weight = params[`style.${i}.weight`]!;
				const y = tf.matMul(w, tf.mul(weight, mappingRate / Math.sqrt(weight.shape[0]!)));
				w = biasLeakyRelu(y, tf.mul(params[`style.${i}.bias`]!, mappingRate));
			}
			return w;
		},
		synthesize(params, input) {
			const last = blocks.length - 1;
			const { features, rgb, styles } = run(params, input, last);
			return addRgb(params, blocks[last]!, features, rgb, styles);
		},
		synthesizeTo(params, input, cut): CutState {
			const at = blocks.findIndex((block) => block.cut === cut);
			if (at < 0) throw expected(`one of ${blocks.map((block) => block.cut).join(', ')}`, 'cut', cut);
			const { features, rgb } = run(params, input, at);
			return { cut, features, rgb };
		},
	};
}

/** The residual discriminator of a configuration; `zDim`, `wDim` and `mappingLayers` are not used. */
export function stylegan2Discriminator(config: StyleGAN2Config): Discriminator<StyleGAN2Config> {
	const sizes = blocksOf(config).reverse(); // from the image down to 4²
	const first = sizes[0]!.channels;
	const last = sizes[sizes.length - 1]!.channels;
	const shapes: Shapes = { 'convs.0.0.weight': [1, 1, 3, first], 'convs.0.1.bias': [first] };
	for (let k = 1; k < sizes.length; k++) {
		const [inputs, outputs] = [sizes[k - 1]!.channels, sizes[k]!.channels];
		shapes[`convs.${k}.conv1.0.weight`] = [3, 3, inputs, inputs];
		shapes[`convs.${k}.conv1.1.bias`] = [inputs];
		shapes[`convs.${k}.conv2.1.weight`] = [3, 3, inputs, outputs];
		shapes[`convs.${k}.conv2.2.bias`] = [outputs];
		shapes[`convs.${k}.skip.1.weight`] = [1, 1, inputs, outputs];
	}
	shapes['final_conv.0.weight'] = [3, 3, last + 1, last];
	shapes['final_conv.1.bias'] = [last];
	shapes['final_linear.0.weight'] = [16 * last, last];
	shapes['final_linear.0.bias'] = [last];
	shapes['final_linear.1.weight'] = [last, 1];
	shapes['final_linear.1.bias'] = [1];

	/** A filter or matrix at its equalised learning rate: divided by √fan-in at run time. */
	function weight(params: TensorMap, name: string): tf.Tensor {
		const value = params[`${name}.weight`]!;
		return tf.mul(value, 1 / Math.sqrt(elements(value.shape.slice(0, -1))));
	}

	function features(params: TensorMap, images: tf.Tensor): tf.Tensor[] {
		let x = biasLeakyRelu(conv2d(images, weight(params, 'convs.0.0')), params['convs.0.1.bias']!);
		const maps = [x];
		for (let k = 1; k < sizes.length; k++) {
			const block = `convs.${k}`;
			const y = biasLeakyRelu(
				conv2d(x, weight(params, `${block}.conv1.0`)),
				params[`${block}.conv1.1.bias`]!,
			);
			const z = biasLeakyRelu(
				conv2d(blurForStride2(y, 3), weight(params, `${block}.conv2.1`), 2),
				params[`${block}.conv2.2.bias`]!,
			);
			// Down-sampling before the 1×1 convolution: the same numbers with a quarter of the work.
			const skip = conv2d(downsample2(x), weight(params, `${block}.skip.1`));
			x = tf.mul(tf.add(z, skip), Math.SQRT1_2); // [N, r/2, r/2, C]
			maps.push(x);
		}
		return maps;
	}

	return {
		kind: 'stylegan2',
		config,
		resolution: config.resolution,
		shapes,
		init: (seed) => initialise(shapes, seed, 'discriminator'),
		features,
		score(params, images) {
			let x = minibatchStddev(features(params, images).at(-1)!);
			x = biasLeakyRelu(conv2d(x, weight(params, 'final_conv.0')), params['final_conv.1.bias']!);
			x = tf.reshape(x, [images.shape[0]!, -1]);
			x = biasLeakyRelu(tf.matMul(x, weight(params, 'final_linear.0')), params['final_linear.0.bias']!);
			x = tf.add(tf.matMul(x, weight(params, 'final_linear.1')), params['final_linear.1.bias']!);
			return tf.reshape(x, [-1]);
		},
	};
}

/** N(0, 1) weights (÷ 0.01 in the mapping network), modulation biases 1, everything else 0. */
function initialise(shapes: Shapes, seed: number, network: string): HostTensors {
	return Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => {
			const n = elements(shape);
			const drawn = name.endsWith('.weight') && !name.endsWith('noise.weight');
			let data: Float32Array = new Float32Array(n);
			if (drawn || name === 'input.input') data = stream(seed, `init ${network} ${name}`).normals(0, n);
			if (name.startsWith('style.') && drawn) data = data.map((value) => value / mappingRate);
			if (name.endsWith('modulation.bias')) data.fill(1);
			return [name, { shape, data }];
		}),
	);
}
