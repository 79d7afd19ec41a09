// StyleGAN2 state dictionaries of rosinality/stylegan2-pytorch (and of the RTIL code, which prefixes `module.`), both
// ways. Names are equal; layouts are not: torch has filters [1, O, I, kh, kw] or [O, I, kh, kw], matrices [out, in],
// maps [1, C, h, w] and flattens maps as (c, h, w). Low-pass filters and noise maps are buffers there; here the filters
// are constants and noise is an input.

import type { HostTensor, HostTensors } from '../../engine/contract.ts';
import { stream } from '../../engine/random.ts';
import { RtilError } from '../../errors/index.ts';
import { permute } from './layout.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;

/** The options of a StyleGAN2 network, as `stylegan2Generator` takes them. */
export interface StyleGAN2Options {
	resolution: number;
	channels: number[];
	zDim: number;
	wDim: number;
	mappingLayers: number;
}

/** Buffers of the reference that are no parameters. */
const buffer = /(^|\.)kernel$|^noises\.noise_\d+$/u;
/** The one matrix whose inputs are a flattened map. */
const FLATTENED = 'final_linear.0.weight';
const binomial = [1, 3, 3, 1];

/**
 * The options of the generator whose state dictionary this is, read off its shapes.
 *
 * @throws MISMATCH when it is no StyleGAN2 generator of that layout.
 */
export function generatorOptions(state: HostTensors): StyleGAN2Options {
	const names = withoutPrefix(state);
	const shape = (name: string): readonly number[] => {
		const found = names[name]?.shape;
		if (!found) {
			throw new RtilError(
				'MISMATCH',
				`The state dictionary is no StyleGAN2 generator in rosinality's layout: it lacks ${name}`,
			);
		}
		return found;
	};
	const count = (pattern: RegExp) => Object.keys(names).filter((name) => pattern.test(name)).length;
	const blocks = count(/^to_rgbs\.\d+\.conv\.weight$/u);
	const channels = [shape('input.input')[1]!];
	for (let k = 0; k < blocks; k++) channels.push(shape(`convs.${2 * k + 1}.conv.weight`)[1]!);
	return {
		resolution: 4 * 2 ** blocks,
		channels,
		zDim: shape('style.1.weight')[1]!,
		wDim: shape('style.1.weight')[0]!,
		mappingLayers: count(/^style\.\d+\.weight$/u),
	};
}

/**
 * A network's parameters in our layout.
 *
 * @param shapes names and shapes that the network has (`generator.shapes`, `discriminator.shapes`).
 * @throws MISMATCH, naming the entry that is missing, of another shape, or not known.
 */
export function fromRosinality(state: HostTensors, shapes: Shapes): HostTensors {
	const named = withoutPrefix(state);
	const unknown = Object.keys(named).find((name) => !Object.hasOwn(shapes, name) && !buffer.test(name));
	if (unknown)
		throw new RtilError(
			'MISMATCH',
			`The network has no parameter ${unknown}, which the state dictionary has`,
		);
	return mapTensors(shapes, (name, shape) => {
		const source = named[name];
		if (!source) throw new RtilError('MISMATCH', `The state dictionary lacks ${name}`);
		const wanted = torchShape(name, shape);
		const bare = withoutOnes(wanted);
		if (`${withoutOnes(source.shape)}` !== `${bare}`) {
			throw new RtilError(
				'MISMATCH',
				`${name} has shape [${source.shape}] in the state dictionary, not [${wanted}]`,
			);
		}
		const { size, axes } = toOurs(name, shape);
		return { shape, data: permute(source.data, size, axes) };
	});
}

/** The fixed noise maps of a generator's state dictionary in the order of its layers, each [1, h, w, 1]. */
export function noisesFromRosinality(state: HostTensors): HostTensor[] {
	const named = withoutPrefix(state);
	const noises: HostTensor[] = [];
	for (let noise = named['noises.noise_0']; noise; noise = named[`noises.noise_${noises.length}`]) {
		const [, , height, width] = noise.shape as [number, number, number, number];
		noises.push({ shape: [1, height, width, 1], data: noise.data });
	}
	return noises;
}

export interface ExportOptions {
	/** The generator's fixed noise maps [1, h, w, 1]; default: drawn from a fixed seed. Not for discriminators. */
	noises?: readonly HostTensor[];
}

/**
 * A network's parameters as the state dictionary that `load_state_dict` takes there, buffers included.
 *
 * @param network which of the two it is: their buffers differ.
 */
export function toRosinality(
	params: HostTensors,
	network: 'generator' | 'discriminator',
	{ noises }: ExportOptions = {},
): HostTensors {
	const state: HostTensors = mapTensors(params, (name, { shape, data }) => {
		const { axes, size } = toOurs(name, shape);
		const ours = axes.map((axis) => size[axis]!);
		return { shape: torchShape(name, shape), data: permute(data, ours, inverse(axes)) };
	});
	const count = (pattern: RegExp) => Object.keys(params).filter((name) => pattern.test(name)).length;
	if (network === 'discriminator') {
		for (let k = 1; k <= count(/^convs\.\d+\.skip\.1\.weight$/u); k++) {
			state[`convs.${k}.conv2.0.kernel`] = lowPass(1);
			state[`convs.${k}.skip.0.kernel`] = lowPass(1);
		}
		return state;
	}
	const blocks = count(/^to_rgbs\.\d+\.conv\.weight$/u);
	for (let k = 0; k < blocks; k++) {
		state[`convs.${2 * k}.conv.blur.kernel`] = lowPass(4);
		state[`to_rgbs.${k}.upsample.kernel`] = lowPass(4);
	}
	for (let i = 0; i <= 2 * blocks; i++) {
		const side = 4 * 2 ** Math.ceil(i / 2);
		const data = noises?.[i]?.data ?? stream(0, `export noise ${i}`).normals(0, side * side);
		state[`noises.noise_${i}`] = { shape: [1, 1, side, side], data };
	}
	return state;
}

/** Data-parallel training there puts `module.` before every name. */
function withoutPrefix(state: HostTensors): HostTensors {
	return Object.fromEntries(
		Object.entries(state).map(([name, tensor]) => [name.replace(/^module\./u, ''), tensor]),
	);
}

function mapTensors<T>(
	entries: Readonly<Record<string, T>>,
	make: (name: string, entry: T) => HostTensor,
): HostTensors {
	return Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, make(name, entry)]));
}

/** The shape that a parameter has there. */
function torchShape(name: string, shape: readonly number[]): number[] {
	const { size } = toOurs(name, shape);
	if (name === FLATTENED) return [shape[1]!, shape[0]!];
	if (/^to_rgb.*\d\.bias$/u.test(name)) return [1, ...size, 1, 1];
	// Modulated convolutions have a leading 1; those of the discriminator have not.
	return /\.conv\.weight$/u.test(name) ? [1, ...size] : size;
}

/** The shape there (singletons dropped where they carry nothing), and which of its axes each of ours is. */
function toOurs(name: string, shape: readonly number[]): { size: number[]; axes: number[] } {
	if (name === 'input.input') {
		const [one, h, w, c] = shape as [number, number, number, number];
		return { size: [one, c, h, w], axes: [0, 2, 3, 1] };
	}
	if (name === FLATTENED) {
		const [inputs, outputs] = shape as [number, number];
		return { size: [outputs, inputs / 16, 4, 4], axes: [2, 3, 1, 0] }; // the map before it is 4 × 4
	}
	if (shape.length === 4) {
		const [h, w, i, o] = shape as [number, number, number, number];
		return { size: [o, i, h, w], axes: [2, 3, 1, 0] };
	}
	if (shape.length === 2) return { size: [shape[1]!, shape[0]!], axes: [1, 0] };
	return { size: [...shape], axes: [0] };
}

function withoutOnes(shape: readonly number[]): number[] {
	return shape.filter((side) => side !== 1);
}

function inverse(axes: readonly number[]): number[] {
	return axes.map((_, i) => axes.indexOf(i));
}

/** The outer product of [1, 3, 3, 1] with itself, of sum `gain`. */
export function lowPass(gain: number): HostTensor {
	const total = binomial.reduce((sum, tap) => sum + tap, 0) ** 2;
	return {
		shape: [4, 4],
		data: Float32Array.from(binomial.flatMap((a) => binomial.map((b) => (a * b * gain) / total))),
	};
}
