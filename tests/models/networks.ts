// StyleGAN2 networks of a golden fixture: its weights in this project's layout, and tensors between the two layouts.
import * as tf from '@tensorflow/tfjs-core';
import { fromRosinality } from '../../checkpoints/pytorch/rosinality.ts';
import { elements, type HostTensor, type HostTensors, type TensorMap } from '../../engine/index.ts';
import {
	type Discriminator,
	type Generator,
	type StyleGAN2Config,
	stylegan2Discriminator,
	stylegan2Generator,
} from '../../models/index.ts';
import type { Fixture } from '../golden.ts';

export interface Networks {
	config: StyleGAN2Config;
	generator: Generator;
	discriminator: Discriminator;
	g: HostTensors;
	d: HostTensors;
}

/** The networks whose weights a fixture has under `prefix` (`w.`, or nothing). */
export function networksOf(f: Fixture, prefix: string): Networks {
	const state = parameters(f, `${prefix}g.`);
	const { size, style_dim, n_mlp, channels } = f.config;
	const config: StyleGAN2Config = {
		resolution: size,
		channels: Object.values(channels as Record<string, number>),
		zDim: style_dim,
		wDim: style_dim,
		mappingLayers: n_mlp,
	};
	const generator = stylegan2Generator(config);
	const discriminator = stylegan2Discriminator(config);
	return {
		config,
		generator,
		discriminator,
		g: fromRosinality(state, generator.shapes),
		d: fromRosinality(parameters(f, `${prefix}d.`), discriminator.shapes),
	};
}

/** A network's stored tensors; what is expected of it may have the same prefix. */
function parameters(f: Fixture, prefix: string): HostTensors {
	const expected = new Set(f.names({ role: 'expected', prefix }).map((name) => name.slice(prefix.length)));
	return Object.fromEntries(Object.entries(f.group(prefix)).filter(([name]) => !expected.has(name)));
}

/** Named host tensors on the engine. */
export function load(tensors: HostTensors): TensorMap {
	return Object.fromEntries(
		Object.entries(tensors).map(([name, { shape, data }]) => [name, tf.tensor(data.slice(), [...shape])]),
	);
}

export function host(x: tf.Tensor): HostTensor {
	return { shape: x.shape, data: x.dataSync() as Float32Array };
}

/** NCHW in host memory → NHWC in host memory. */
export function channelsLast({ shape, data }: HostTensor): HostTensor {
	const [n, c, h, w] = shape as [number, number, number, number];
	const out = new Float32Array(data.length);
	for (let i = 0; i < n; i++)
		for (let k = 0; k < c; k++)
			for (let p = 0; p < h * w; p++) out[(i * h * w + p) * c + k] = data[(i * c + k) * h * w + p]!;
	return { shape: [n, h, w, c], data: out };
}

/** NHWC → NCHW in host memory. */
export function channelsFirst(x: tf.Tensor | HostTensor): HostTensor {
	const { shape, data } =
		'data' in x && x.data instanceof Float32Array ? (x as HostTensor) : host(x as tf.Tensor);
	const [n, h, w, c] = shape as [number, number, number, number];
	const out = new Float32Array(elements(shape));
	for (let i = 0; i < n; i++)
		for (let k = 0; k < c; k++)
			for (let p = 0; p < h * w; p++) out[(i * c + k) * h * w + p] = data[(i * h * w + p) * c + k]!;
	return { shape: [n, c, h, w], data: out };
}

/** Images or maps of a fixture on the engine, NHWC. */
export function images(tensor: HostTensor): tf.Tensor {
	const { shape, data } = channelsLast(tensor);
	return tf.tensor(data, [...shape]);
}

/** The noise maps `<prefix>0`, `<prefix>1`, … of a fixture, [N, h, w, 1]. */
export function noiseMaps(f: Fixture, prefix: string): HostTensor[] {
	const maps: HostTensor[] = [];
	for (let i = 0; f.has(`${prefix}${i}`); i++) maps.push(channelsLast(f.tensor(`${prefix}${i}`)));
	return maps;
}

/** [N, L, 1]: 1 from row `from` on (0 everywhere without it): which styles come from the second latent. */
export function mixingFrom(from: number | null, n: number, rows: number): Float32Array {
	return Float32Array.from({ length: n * rows }, (_, i) => (from !== null && i % rows >= from ? 1 : 0));
}
