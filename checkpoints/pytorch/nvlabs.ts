// StyleGAN2 modules of NVIDIA's repositories (stylegan2-ada-pytorch training/networks.py, stylegan3
// training/networks_stylegan2.py) under the names of rosinality/stylegan2-pytorch: the values and the order of their axes
// are the same, names and axes of one element are not.
import type { HostTensor, HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import { moduleState, modules } from './persistent.ts';
import { PythonObject } from './pickle.ts';
import { lowPass } from './rosinality.ts';

export interface NvlabsNetwork {
	network: 'generator' | 'discriminator';
	/** Under rosinality's names and in its shapes. */
	state: HostTensors;
	/** Name there → name here, of every entry of `state`. */
	names: Record<string, string>;
	/** Mean of w over training, [W]: the centre of truncation. */
	wAvg?: HostTensor;
	/** Entries that are constants. */
	constants: string[];
	/** What differs from the network there. */
	notes: string[];
}

/**
 * A StyleGAN2 module as a state dictionary of rosinality's; undefined when it is no module of that kind.
 *
 * @throws MISMATCH for what cannot be represented: classes, other architectures, activations, filters or rates, StyleGAN3.
 */
export function fromNvlabs(module: unknown): NvlabsNetwork | undefined {
	if (!(module instanceof PythonObject)) return undefined;
	const stored = moduleState(module);
	const network = Object.hasOwn(stored, 'synthesis.b4.const')
		? 'generator'
		: Object.hasOwn(stored, 'b4.fc.weight')
			? 'discriminator'
			: undefined;
	if (Object.keys(stored).some((name) => /^synthesis\.L\d+_/u.test(name))) throw refuse('it is a StyleGAN3');
	if (!network) return undefined;
	const notes = check(module, network);
	const sides = Object.keys(stored).flatMap((name) => /^(?:synthesis\.)?b(\d+)\./u.exec(name)?.[1] ?? []);
	const top = Math.max(...sides.map(Number));
	const result: NvlabsNetwork = { network, state: {}, names: {}, constants: [], notes };
	for (const [name, tensor] of Object.entries(stored)) {
		if (name.endsWith('resample_filter')) {
			requireFilter(name, tensor);
			result.constants.push(name);
		} else if (name === 'mapping.w_avg') result.wAvg = tensor;
		else {
			const there = network === 'generator' ? generatorName(name) : discriminatorName(name, top);
			if (!there) throw refuse(`it has ${name}, which no such network has`);
			result.state[there] = { shape: withOnes(there, tensor.shape), data: tensor.data };
			result.names[there] = name;
		}
	}
	return result;
}

function refuse(why: string): RtilError {
	return new RtilError('MISMATCH', `The module cannot be imported: ${why}`);
}

/** Refuses what the attributes of the modules say that shapes do not. */
function check(root: PythonObject, network: 'generator' | 'discriminator'): string[] {
	const number = (module: PythonObject, key: string) => Number(module.attributes.get(key) ?? Number.NaN);
	if (number(root, 'c_dim') > 0) throw refuse(`it is conditional on ${number(root, 'c_dim')} classes`);
	if (root.attributes.has('img_channels') && number(root, 'img_channels') !== 3) {
		throw refuse(`its images have ${number(root, 'img_channels')} channels, not 3`);
	}
	const wanted = network === 'generator' ? 'skip' : 'resnet';
	const notes = new Set<string>();
	for (const [path, module] of modules(root)) {
		const { attributes } = module;
		const [architecture, activation] = [attributes.get('architecture'), attributes.get('activation')];
		if (typeof architecture === 'string' && architecture !== wanted) {
			throw refuse(`${path} has the architecture ${architecture}, not ${wanted}`);
		}
		if (typeof activation === 'string' && activation !== 'lrelu' && activation !== 'linear') {
			throw refuse(`${path} has the activation ${activation}, not lrelu`);
		}
		if (/^mapping\.fc\d+$/u.test(path) && Math.abs(number(module, 'bias_gain') - 0.01) > 1e-9) {
			throw refuse(`${path} learns at ${number(module, 'bias_gain')} times the rate, not at 0.01 times`);
		}
		if (typeof attributes.get('conv_clamp') === 'number') {
			notes.add(
				`${network}: activations beyond ±${attributes.get('conv_clamp')} were clamped there, for float16; here they are not`,
			);
		}
		if (number(module, 'group_size') > 0 && number(module, 'group_size') !== 4) {
			notes.add(
				`${network}: standard deviations were of groups of ${number(module, 'group_size')} there; here they are of 4`,
			);
		}
	}
	return [...notes];
}

function requireFilter(name: string, { shape, data }: HostTensor): void {
	const wanted = lowPass(1);
	const equal =
		`${shape}` === `${wanted.shape}` && data.every((tap, i) => Math.abs(tap - wanted.data[i]!) < 1e-6);
	if (!equal) throw refuse(`${name} is not the filter [1, 3, 3, 1]`);
}

const layerParts = new Map([
	['weight', 'conv.weight'],
	['bias', 'activate.bias'],
	['noise_strength', 'noise.weight'],
	['affine.weight', 'conv.modulation.weight'],
	['affine.bias', 'conv.modulation.bias'],
]);

function generatorName(name: string): string | undefined {
	if (name === 'synthesis.b4.const') return 'input.input';
	const mapping = /^mapping\.fc(\d+)\.(weight|bias)$/u.exec(name);
	if (mapping) return `style.${Number(mapping[1]) + 1}.${mapping[2]}`;
	const [, side, layer, part = ''] = /^synthesis\.b(\d+)\.(conv[01]|torgb)\.(.+)$/u.exec(name) ?? [];
	if (!layer) return undefined;
	const k = Math.log2(Number(side)) - 2;
	if (layer === 'torgb') {
		if (part === 'bias') return k === 0 ? 'to_rgb1.bias' : `to_rgbs.${k - 1}.bias`;
		const place = layerParts.get(part);
		return place && `${k === 0 ? 'to_rgb1' : `to_rgbs.${k - 1}`}.${place}`;
	}
	const second = layer === 'conv1';
	if (part === 'noise_const') return `noises.noise_${second ? 2 * k : 2 * k - 1}`;
	const place = layerParts.get(part);
	return place && `${k === 0 ? 'conv1' : `convs.${2 * k - (second ? 1 : 2)}`}.${place}`;
}

const blockParts = new Map([
	['conv0.weight', 'conv1.0.weight'],
	['conv0.bias', 'conv1.1.bias'],
	['conv1.weight', 'conv2.1.weight'],
	['conv1.bias', 'conv2.2.bias'],
	['skip.weight', 'skip.1.weight'],
]);

const lastParts = new Map([
	['conv.weight', 'final_conv.0.weight'],
	['conv.bias', 'final_conv.1.bias'],
	['fc.weight', 'final_linear.0.weight'],
	['fc.bias', 'final_linear.0.bias'],
	['out.weight', 'final_linear.1.weight'],
	['out.bias', 'final_linear.1.bias'],
]);

function discriminatorName(name: string, top: number): string | undefined {
	const [, side, part = ''] = /^b(\d+)\.(.+)$/u.exec(name) ?? [];
	if (Number(side) === 4) return lastParts.get(part);
	if (Number(side) === top && part === 'fromrgb.weight') return 'convs.0.0.weight';
	if (Number(side) === top && part === 'fromrgb.bias') return 'convs.0.1.bias';
	const place = blockParts.get(part);
	return place && `convs.${Math.log2(top / Number(side)) + 1}.${place}`;
}

/** A shape there with the axes of one element that rosinality has. */
function withOnes(name: string, shape: readonly number[]): readonly number[] {
	if (name === 'input.input' || name.endsWith('.conv.weight')) return [1, ...shape];
	if (name.startsWith('noises.')) return [1, 1, ...shape];
	if (/^to_rgb.*\d\.bias$/u.test(name)) return [1, ...shape, 1, 1];
	return name.endsWith('.noise.weight') ? [1] : shape;
}
