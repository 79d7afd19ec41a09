// StyleGAN2 in the layout of rosinality/stylegan2-pytorch; modules of NVIDIA's repositories come in under its names.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import { type Architecture, stylegan2Discriminator, stylegan2Generator } from '../../models/index.ts';
import { fromRosinality, generatorOptions, noisesFromRosinality, toRosinality } from '../pytorch/index.ts';
import { type ForeignLayout, indices, leftOver, shapeOf } from './contract.ts';

export const rosinality: ForeignLayout = {
	name: 'StyleGAN2 of rosinality/stylegan2-pytorch',

	recognise(has) {
		if (has('style.1.weight') && has('input.input')) return 'generator';
		return has('convs.0.0.weight') && has('final_linear.1.weight') ? 'discriminator' : undefined;
	},

	read(state, part, { generator }) {
		if (part === 'generator') {
			const options = generatorOptions(state);
			const { shapes } = stylegan2Generator(options);
			const noises = noisesFromRosinality(state).map((noise, i) => [`noise_${i}`, noise] as const);
			return {
				architecture: { kind: 'stylegan2', ...options },
				params: fromRosinality(state, shapes),
				noises: Object.fromEntries(noises),
				left: leftOver(state, shapes, reasonOf),
				notes: [],
			};
		}
		if (generator?.kind !== 'stylegan2') throw new RtilError('MISMATCH', 'The two networks are of two kinds');
		const options = { ...generator, ...discriminatorSize(state) };
		const { shapes } = stylegan2Discriminator(options);
		return {
			architecture: options,
			params: fromRosinality(state, shapes),
			left: leftOver(state, shapes, reasonOf),
			notes: [],
		};
	},

	stores: ({ kind }) => kind === 'stylegan2',

	write({ architecture, average, generator, discriminator, noises = {}, wMean }) {
		const state = (group: string, params: HostTensors): HostTensors => {
			const own = Object.keys(noises).filter((name) => name.startsWith(`${group}.`));
			return toRosinality(params, 'generator', { noises: own.map((_, i) => noises[`${group}.noise_${i}`]!) });
		};
		return {
			content: {
				...(generator ? { g: state('g', generator) } : {}),
				...(discriminator ? { d: toRosinality(discriminator, 'discriminator') } : {}),
				g_ema: state('g_ema', average),
				...(wMean ? { latent_avg: { shape: [wMean.length], data: Float32Array.from(wMean) } } : {}),
			},
			notes: constructorNotes(architecture.generator),
		};
	},
};

function reasonOf(name: string): string | undefined {
	if (/(^|\.)kernel$/u.test(name)) return 'a low-pass filter, a constant here';
	return /^noises\.noise_\d+$/u.test(name) ? 'a fixed noise map, kept in the group noises' : undefined;
}

function discriminatorSize(state: HostTensors): { resolution: number; channels: number[] } {
	const blocks = indices(state, /^convs\.(\d+)\.conv2\.1\.weight$/u).length;
	const channels = [shapeOf(state, 'convs.0.0.weight')[0]!];
	for (let k = 1; k <= blocks; k++) channels.unshift(shapeOf(state, `convs.${k}.conv2.1.weight`)[0]!);
	return { resolution: 4 * 2 ** blocks, channels };
}

/** How the network is made there, or why it cannot be without changes. */
function constructorNotes(architecture: Architecture): string[] {
	if (architecture.kind !== 'stylegan2') return [];
	const { resolution, channels, zDim, wDim, mappingLayers } = architecture;
	const multiplier = [1, 2, 4].find((m) =>
		channels.every((width, k) => width === (k < 4 ? 512 : (512 / 2 ** (k - 3)) * m)),
	);
	if (zDim !== wDim) {
		return [`z has ${zDim} dimensions and w ${wDim}; there one number, style_dim, is both: adapt model.py`];
	}
	return [
		multiplier
			? `loads into Generator(${resolution}, ${wDim}, ${mappingLayers}, channel_multiplier=${multiplier})`
			: `loads into Generator(${resolution}, ${wDim}, ${mappingLayers}) with the table of channels in model.py set to ${channels}`,
	];
}
