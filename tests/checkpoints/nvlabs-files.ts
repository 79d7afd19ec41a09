// StyleGAN2 as NVIDIA's PyTorch repositories store it: state dictionaries of rosinality's under the names there, and
// whole pickles.
import type { HostTensor, HostTensors } from '../../engine/index.ts';
import { type Attributes, Call, float64, moduleTree, pickle } from './pickles.ts';

const drop = ({ shape, data }: HostTensor, rank: number): HostTensor => ({
	shape: shape.slice(shape.length - rank),
	data,
});

const filter: HostTensor = {
	shape: [4, 4],
	data: Float32Array.from([1, 3, 3, 1].flatMap((a) => [1, 3, 3, 1].map((b) => (a * b) / 64))),
};

/** A generator with its noise maps and, as `w_avg`, its centre of truncation. */
export function nvlabsGenerator(state: HostTensors, wAvg: Float32Array): HostTensors {
	const out: HostTensors = { 'mapping.w_avg': { shape: [wAvg.length], data: wAvg } };
	const copy = (to: string, from: string, rank: number): void => {
		out[to] = drop(state[from]!, rank);
	};
	for (let i = 1; state[`style.${i}.weight`]; i++) {
		copy(`mapping.fc${i - 1}.weight`, `style.${i}.weight`, 2);
		copy(`mapping.fc${i - 1}.bias`, `style.${i}.bias`, 1);
	}
	copy('synthesis.b4.const', 'input.input', 3);
	let noise = 0;
	const layer = (to: string, from: string): void => {
		copy(`${to}.weight`, `${from}.conv.weight`, 4);
		copy(`${to}.bias`, `${from}.activate.bias`, 1);
		copy(`${to}.noise_strength`, `${from}.noise.weight`, 0);
		copy(`${to}.noise_const`, `noises.noise_${noise++}`, 2);
		copy(`${to}.affine.weight`, `${from}.conv.modulation.weight`, 2);
		copy(`${to}.affine.bias`, `${from}.conv.modulation.bias`, 1);
		out[`${to}.resample_filter`] = filter;
	};
	const rgb = (to: string, from: string): void => {
		copy(`${to}.weight`, `${from}.conv.weight`, 4);
		out[`${to}.bias`] = { shape: [3], data: state[`${from}.bias`]!.data };
		copy(`${to}.affine.weight`, `${from}.conv.modulation.weight`, 2);
		copy(`${to}.affine.bias`, `${from}.conv.modulation.bias`, 1);
	};
	layer('synthesis.b4.conv1', 'conv1');
	rgb('synthesis.b4.torgb', 'to_rgb1');
	for (let k = 0; state[`to_rgbs.${k}.bias`]; k++) {
		const block = `synthesis.b${8 * 2 ** k}`;
		layer(`${block}.conv0`, `convs.${2 * k}`);
		layer(`${block}.conv1`, `convs.${2 * k + 1}`);
		rgb(`${block}.torgb`, `to_rgbs.${k}`);
		out[`${block}.resample_filter`] = filter;
	}
	return out;
}

export function nvlabsDiscriminator(state: HostTensors, resolution: number): HostTensors {
	const out: HostTensors = {
		[`b${resolution}.fromrgb.weight`]: state['convs.0.0.weight']!,
		[`b${resolution}.fromrgb.bias`]: state['convs.0.1.bias']!,
	};
	for (let side = resolution, k = 1; side > 4; side /= 2, k++) {
		out[`b${side}.conv0.weight`] = state[`convs.${k}.conv1.0.weight`]!;
		out[`b${side}.conv0.bias`] = state[`convs.${k}.conv1.1.bias`]!;
		out[`b${side}.conv1.weight`] = state[`convs.${k}.conv2.1.weight`]!;
		out[`b${side}.conv1.bias`] = state[`convs.${k}.conv2.2.bias`]!;
		out[`b${side}.skip.weight`] = state[`convs.${k}.skip.1.weight`]!;
		for (const part of ['fromrgb', 'conv0', 'conv1', 'skip']) {
			if (part !== 'fromrgb' || side === resolution) out[`b${side}.${part}.resample_filter`] = filter;
		}
	}
	for (const part of ['weight', 'bias']) {
		out[`b4.conv.${part}`] = state[part === 'weight' ? 'final_conv.0.weight' : 'final_conv.1.bias']!;
		out[`b4.fc.${part}`] = state[`final_linear.0.${part}`]!;
		out[`b4.out.${part}`] = state[`final_linear.1.${part}`]!;
	}
	return out;
}

const isBuffer = (name: string): boolean => /^(w_avg|noise_const|resample_filter)$/u.test(name);

/** What the modules of a network keep beside their tensors; `more` is laid over it. */
function attributesOf(
	state: HostTensors,
	network: 'generator' | 'discriminator',
	more: Attributes,
): Attributes {
	const paths = new Set(Object.keys(state).map((name) => name.slice(0, name.lastIndexOf('.'))));
	const own: Record<string, Record<string, unknown>> = {
		'': {
			z_dim: 16,
			c_dim: 0,
			img_channels: 3,
			_init_kwargs: { synthesis_kwargs: new Call('dnnlib.util.EasyDict', [], undefined) },
		},
	};
	for (const path of paths) {
		if (path.startsWith('mapping.fc')) own[path] = { activation: 'lrelu', bias_gain: 0.01 };
		else if (/\.conv[01]?$/u.test(path)) own[path] = { activation: 'lrelu', act_gain: float64(Math.SQRT2) };
		else if (path.endsWith('.affine')) own[path] = { activation: 'linear', bias_gain: 1 };
		const block = /^(?:synthesis\.)?b\d+/u.exec(path)?.[0];
		if (block) own[block] = { architecture: network === 'generator' ? 'skip' : 'resnet' };
	}
	for (const [path, values] of Object.entries(more)) own[path] = { ...own[path], ...values };
	return own;
}

export function nvlabsModule(
	state: HostTensors,
	network: 'generator' | 'discriminator',
	more: Attributes = {},
): Call {
	return moduleTree(state, attributesOf(state, network, more), isBuffer);
}

/** A training snapshot: G, D, G_ema and what else is kept. */
export function nvlabsFile(modules: Record<string, unknown>): Buffer {
	return pickle({
		...modules,
		training_set_kwargs: new Call('dnnlib.util.EasyDict'),
		augment_pipe: null,
	});
}
