// PGGAN in the layouts of genforce (whose networks hold the weights of the authors' code), pytorch_GAN_zoo and the RTIL
// code. Names of parameters are each code base's own, so a dialect is told by them.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import {
	type Architecture,
	discriminatorOf,
	generatorOf,
	type PgganArchitecture,
	type PgganDialect,
} from '../../models/index.ts';
import { fromPggan, PythonObject, toPggan } from '../pytorch/index.ts';
import { type ForeignLayout, type Hints, indices, leftOver, type Part, shapeOf } from './contract.ts';

/** Where a code base keeps what tells the sizes. */
interface Dialect {
	name: string;
	/** The weight that takes the latent, and its axis of the latent's dimension. */
	latent: { name: string; axis: number };
	/** RGB head of block k, counted from 0 at 4²; `top` is the block of the full resolution. */
	head(k: number, top: number): string;
	/** The same of the discriminator, and the names that tell it. */
	fromRgb(k: number, top: number): string;
	/** Matches the RGB heads of either network. */
	heads: Record<Part, RegExp>;
	/** Keys of the file that `write` makes. */
	keys: { average: string; generator: string; discriminator: string };
}

const side = (k: number): number => 4 * 2 ** k;

const dialects: Record<PgganDialect, Dialect> = {
	karras: {
		name: 'PGGAN of genforce (weights of karras2018)',
		latent: { name: 'layer0.weight', axis: 1 },
		head: (k) => `output${k}.weight`,
		fromRgb: (k, top) => `input${top - k}.weight`,
		heads: { generator: /^output(\d+)\.weight$/u, discriminator: /^input(\d+)\.weight$/u },
		keys: { average: 'generator_smooth', generator: 'generator', discriminator: 'discriminator' },
	},
	zoo: {
		name: 'PGGAN of facebookresearch/pytorch_GAN_zoo',
		latent: { name: 'formatLayer.module.weight', axis: 1 },
		head: (k) => `toRGBLayers.${k}.module.weight`,
		fromRgb: (k) => `fromRGBLayers.${k}.module.weight`,
		heads: {
			generator: /^toRGBLayers\.(\d+)\.module\.weight$/u,
			discriminator: /^fromRGBLayers\.(\d+)\.module\.weight$/u,
		},
		keys: { average: 'avgG', generator: 'netG', discriminator: 'netD' },
	},
	rtil: {
		name: 'PGGAN of the RTIL code',
		latent: { name: 'input_layer.0.conv.weight_orig', axis: 0 },
		head: (k) => `to_rgb_${side(k)}.conv.weight_orig`,
		fromRgb: (k, top) => `from_rgb.${top - k}.conv.weight_orig`,
		heads: {
			generator: /^to_rgb_(\d+)\.conv\.weight_orig$/u,
			discriminator: /^from_rgb\.(\d+)\.conv\.weight_orig$/u,
		},
		keys: { average: 'g_ema', generator: 'g', discriminator: 'd' },
	},
};

/** The layout of one code base. */
export function pgganLayout(dialect: PgganDialect): ForeignLayout {
	const { name, latent, head, fromRgb, heads, keys } = dialects[dialect];

	function sizes(state: HostTensors, part: Part): { resolution: number; channels: number[] } {
		const count = indices(state, heads[part]).length;
		const channels = Array.from({ length: count }, (_, k) =>
			part === 'generator'
				? shapeOf(state, head(k, count - 1))[1]!
				: shapeOf(state, fromRgb(k, count - 1))[0]!,
		);
		return { resolution: side(count - 1), channels };
	}

	return {
		name,

		recognise(has) {
			if (has(latent.name) && has(head(0, 0))) return 'generator';
			return has(fromRgb(0, 0)) && has(lastLayer[dialect]) ? 'discriminator' : undefined;
		},

		read(state, part, hints) {
			const size = sizes(state, part);
			if (part === 'generator') {
				const fused = dialect === 'karras' ? fusedUp(state, size.channels) : { fused: false, notes: [] };
				const growth = growthOf(dialect, state, size.resolution, hints);
				const architecture: PgganArchitecture = {
					kind: 'pggan',
					dialect,
					...size,
					zDim: shapeOf(state, latent.name)[latent.axis]!,
					...growth.stage,
					// The two networks are trained with one setting; the generator's function is the same either way.
					...(fused.fused ? { fusedDown: true } : {}),
				};
				const { shapes } = generatorOf(architecture);
				return {
					architecture,
					params: fromPggan(state, shapes, { dialect, network: part, fusedUp: fused.fused }),
					left: leftOver(state, shapes, reasonOf),
					notes: [...fused.notes, ...growth.notes],
				};
			}
			const { generator } = hints;
			if (generator?.kind !== 'pggan') throw new RtilError('MISMATCH', 'The two networks are of two kinds');
			const architecture: PgganArchitecture = { ...generator, ...size };
			const { shapes } = discriminatorOf(architecture);
			return {
				architecture,
				params: fromPggan(state, shapes, { dialect, network: part }),
				left: leftOver(state, shapes, reasonOf),
				notes: [],
			};
		},

		stores: (architecture) => architecture.kind === 'pggan' && architecture.dialect === dialect,

		write({ architecture: { generator: architecture }, average, generator, discriminator, step }) {
			const state = (params: HostTensors): HostTensors => ({
				...toPggan(params, { dialect, network: 'generator' }),
				...(dialect === 'karras' ? { lod: scalar(levelOfDetail(architecture)) } : {}),
			});
			return {
				content: {
					...(generator ? { [keys.generator]: state(generator) } : {}),
					...(discriminator
						? { [keys.discriminator]: toPggan(discriminator, { dialect, network: 'discriminator' }) }
						: {}),
					[keys.average]: state(average),
					...(dialect === 'rtil' ? { alpha: 1, step: blockOf(architecture), iteration: step } : {}),
				},
				notes: dialect === 'karras' ? ['up-scaling convolutions are written with fused_scale=False'] : [],
			};
		},
	};
}

/** A layer that only the discriminator has. */
const lastLayer: Record<PgganDialect, string> = {
	karras: 'input0.bias',
	zoo: 'decisionLayer.module.weight',
	rtil: 'linear.linear.weight_orig',
};

/** Are up-scaling filters stored as those of transposed convolutions, [I, O, 3, 3]? Shapes tell where I ≠ O. */
function fusedUp(state: HostTensors, channels: readonly number[]): { fused: boolean; notes: string[] } {
	for (let k = 1; k < channels.length; k++) {
		if (channels[k] === channels[k - 1]) continue;
		return { fused: shapeOf(state, `layer${2 * k}.weight`)[1] === channels[k], notes: [] };
	}
	return {
		fused: false,
		notes: ['shapes do not tell whether up-scaling was fused; it is taken not to be (fused_scale=False)'],
	};
}

/** How far a network has grown, and what of that is not kept. */
function growthOf(
	dialect: PgganDialect,
	state: HostTensors,
	resolution: number,
	{ field }: Hints,
): { stage: { stage?: number }; notes: string[] } {
	const notes: string[] = [];
	let stage = resolution;
	if (dialect === 'karras' && state.lod) {
		const lod = state.lod.data[0] ?? 0;
		stage = resolution / 2 ** Math.floor(lod);
		if (!Number.isInteger(lod)) notes.push(`the block at ${stage}² was fading in; here it stands wholly`);
	}
	if (dialect === 'rtil') {
		const [step, alpha] = [field('step'), field('alpha')];
		if (typeof step === 'number' && side(step) < resolution) stage = side(step);
		if (typeof alpha === 'number' && alpha >= 0 && alpha < 1) {
			notes.push(`the block at ${stage}² was fading in (α = ${alpha}); here it stands wholly`);
		}
	}
	const config = field('config');
	if (config instanceof PythonObject && Number(config.attributes.get('categoryVectorDim') ?? 0) > 0) {
		throw new RtilError('MISMATCH', 'The generator cannot be imported: it is conditional on classes');
	}
	if (stage < resolution) notes.push(`grown to ${stage}²`);
	return { stage: stage < resolution ? { stage } : {}, notes };
}

function reasonOf(name: string): string | undefined {
	return name === 'lod' ? 'the level of detail, kept as the stage' : undefined;
}

function blockOf(architecture: Architecture): number {
	if (architecture.kind !== 'pggan') return 0;
	return Math.log2(architecture.stage ?? architecture.resolution) - 2;
}

function levelOfDetail(architecture: Architecture): number {
	return Math.log2(architecture.resolution) - 2 - blockOf(architecture);
}

function scalar(value: number): HostTensors[string] {
	return { shape: [], data: Float32Array.of(value) };
}
