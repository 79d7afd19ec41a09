// A GAN under training: its networks and family, how batches are divided among the members, its optimisers. What
// StyleGAN2 and PGGAN have in common; their steps are in stylegan2-steps.ts and pggan-steps.ts.
import * as tf from '@tensorflow/tfjs-core';
import {
	type AdamSettings,
	adam,
	adamStep,
	type Engine,
	type HostTensor,
	type HostTensors,
	lazyAdam,
	type ParameterLayout,
	type ProgramFunction,
	parameterLayout,
	type TensorMap,
} from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import {
	type Cut,
	type Discriminator,
	discriminatorOf,
	family,
	type GanArchitecture,
	type Generator,
	generatorOf,
	latentGroup,
	latentStatistics,
	type Member,
	sigmas,
} from '../models/index.ts';
import type { ArmConfig, ArmOf } from './config.ts';
import { mixedStyles, type Pass } from './losses.ts';
import { sampleCount } from './recipe.ts';
import {
	codeOwners,
	type FamilyBatch,
	familyBatch,
	latentShapes,
	memberBatch,
	roundRobin,
	smallestBatch,
} from './sampling.ts';

/** The networks and the family of an arm, and how its batches are divided. */
export interface Arm<Config = ArmOf<'stylegan2'> | ArmOf<'pggan'>> {
	config: Config;
	generator: Generator;
	discriminator: Discriminator;
	members: Member[];
	/** Cuts that any member uses. */
	cuts: Cut[];
	sigmas: Readonly<Record<string, number>>;
	/** Where codes are mixed; null without a mixture. */
	mixtureCut: string | null;
	/**
	 * Samples of the D and G steps, and of the path-length step: one part where the members share a batch, one for each
	 * member where they take turns.
	 */
	parts: FamilyBatch[];
	pathParts: FamilyBatch[];
	layout: { g: ParameterLayout; d: ParameterLayout };
	optimizer: { g: AdamSettings; d: AdamSettings };
}

export type GanConfig = ArmOf<'stylegan2'> | ArmOf<'pggan'>;

/** Throws INVALID_INPUT unless the training options are of the kind of the model. */
export function requireKind({ model, training }: ArmConfig): void {
	if (model.kind !== training.kind)
		throw expected(`"${model.kind}", as the model`, 'training.kind', training.kind);
}

/** Networks and family of a GAN; `architecture` may be that of a stage of growing. */
export function networksOf(
	config: GanConfig,
	architecture: GanArchitecture = config.model,
): Omit<Arm, 'config' | 'parts' | 'pathParts' | 'optimizer'> {
	const generator = generatorOf(architecture);
	const discriminator = discriminatorOf(architecture);
	// A family is one of the full network: while that grows, members without a cut that is there yet are as G.
	const all = generatorOf(config.model).cuts;
	const members = family(config.rtil, all);
	const cuts = generator.cuts.filter(({ name }) => members.some((member) => member.cuts.includes(name)));
	return {
		generator,
		discriminator,
		members,
		cuts,
		sigmas: sigmas(config.rtil),
		mixtureCut: config.rtil?.form === 'mixture' ? config.rtil.cut : null,
		layout: { g: parameterLayout(generator.shapes), d: parameterLayout(discriminator.shapes) },
	};
}

/** Divides a batch; throws INVALID_INPUT where it is no multiple of 4 or too small to be shared. */
export function partsOf(config: GanConfig, members: readonly Member[], batch: number): FamilyBatch[] {
	if (batch % 4 !== 0) throw expected('a multiple of 4', 'training.batch', batch);
	if (config.rtil?.batch === 'each') return members.map((_, k) => memberBatch(members, k, batch));
	if (batch < smallestBatch(members)) {
		throw expected(
			`at least ${smallestBatch(members)} (4 for each of ${members.length} members)`,
			'training.batch',
			batch,
			'Use fewer cuts, family: pair, or batch: each',
		);
	}
	return [familyBatch(members, batch)];
}

/** Builds a StyleGAN2 arm; throws INVALID_INPUT where its parts do not fit together. */
export function buildArm(config: ArmOf<'stylegan2'>): Arm<ArmOf<'stylegan2'>> {
	const { training } = config;
	const networks = networksOf(config);
	const { members } = networks;
	const parts = partsOf(config, members, training.batch);
	const each = parts.length > 1;
	// Path lengths have no meaning for mixtures, whose images have several latents: the others have them.
	const measured = members.flatMap(({ codes }, k) => (codes === 1 ? [k] : []));
	const size = Math.floor(training.batch / training.pathLength.batchShrink);
	if (size < (each ? 1 : measured.length)) {
		throw expected(
			`at most ${each ? training.batch : Math.floor(training.batch / measured.length)}`,
			'training.pathLength.batchShrink',
			training.pathLength.batchShrink,
		);
	}
	const settings = { rate: training.learningRate, beta1: 0, beta2: training.beta2, epsilon: 1e-8 };
	return {
		config,
		...networks,
		parts,
		pathParts: each
			? measured.map((k) => memberBatch(members, k, size))
			: [roundRobin(members.slice(0, measured.length), size)],
		optimizer: {
			g: training.pathLength.weight > 0 ? lazyAdam(settings, training.pathLength.every) : settings,
			d: training.r1.gamma > 0 ? lazyAdam(settings, training.r1.every) : settings,
		},
	};
}

/** State of a fresh GAN: networks, second moments, weight average. */
export function initialNetworks({ generator, discriminator, layout }: Arm, seed: number): HostTensors {
	const g = layout.g.fromHost(generator.init(seed));
	const zeros = (size: number): HostTensor => ({ shape: [size], data: new Float32Array(size) });
	return {
		g,
		d: layout.d.fromHost(discriminator.init(seed)),
		average: { shape: g.shape, data: g.data.slice() },
		'g.v': zeros(layout.g.size),
		'd.v': zeros(layout.d.size),
	};
}

/** What a checkpoint holds of a GAN, by file: networks under their parameters' names, and their optimisers. */
export function networkGroups({ layout }: Arm, state: HostTensors): Record<string, HostTensors> {
	return {
		g_ema: layout.g.toHost(state.average!),
		g: layout.g.toHost(state.g!),
		d: layout.d.toHost(state.d!),
		g_optimizer: layout.g.toHost(state['g.v']!),
		d_optimizer: layout.d.toHost(state['d.v']!),
	};
}

/** The state whose `networkGroups` are read by `read`. */
export async function restoreNetworks(
	{ layout }: Arm,
	read: (group: string) => Promise<HostTensors>,
): Promise<HostTensors> {
	const flat = async (network: 'g' | 'd', group: string): Promise<HostTensor> =>
		layout[network].fromHost(await read(group));
	return {
		average: await flat('g', 'g_ema'),
		g: await flat('g', 'g'),
		d: await flat('d', 'd'),
		'g.v': await flat('g', 'g_optimizer'),
		'd.v': await flat('d', 'd_optimizer'),
	};
}

/** Group `latent` of the weight average. */
export function ownLatents(engine: Engine, { generator, layout }: Arm, state: HostTensors): HostTensors {
	return latentGroup(latentStatistics(engine, generator, layout.g.toHost(state.average!), { seed: 0 }));
}

/** Shapes of what `latentSource` draws for a part. */
export function partShapes(
	{ generator, cuts, members }: Pick<Arm, 'generator' | 'cuts' | 'members'>,
	part: FamilyBatch,
): Record<string, number[]> {
	return latentShapes(generator, cuts, part.size, codeOwners(members, part).length);
}

/** How the latents of a part become images, for `fakes`. */
export function passOf({ config, members, mixtureCut }: Arm, part: FamilyBatch): Omit<Pass, 'styles'> {
	const { rtil } = config;
	if (mixtureCut) return { mixing: { cut: mixtureCut, owners: codeOwners(members, part) } };
	return { afterRgb: rtil?.form === 'additive' && rtil.placement === 'after-rgb' };
}

/** The new state of a network after a step of Adam with a flat gradient. */
export function updated(
	arm: Arm,
	network: 'g' | 'd',
	current: TensorMap,
	gradient: tf.Tensor,
	step: tf.Tensor,
): TensorMap {
	const slots = { value: current[network]!, v: current[`${network}.v`]! };
	const next = adam(slots, gradient, step, arm.optimizer[network]);
	return { [network]: next.value, [`${network}.v`]: next.v };
}

/** The step of Adam with the sum of the parts' gradients (state `g.sum`, `d.sum`), which then begins anew. */
export function appliedStep(arm: Arm, network: 'g' | 'd'): ProgramFunction {
	return {
		inputs: { adam: [2] },
		run(current, inputs) {
			const sum = current[`${network}.sum`]!;
			const state = updated(arm, network, current, sum, inputs.adam!);
			return { outputs: {}, state: { ...state, [`${network}.sum`]: tf.zerosLike(sum) } };
		},
	};
}

/** The input `adam` of step t = 1, 2, … of a network's optimiser. */
export function optimizerInput(arm: Pick<Arm, 'optimizer'>, network: 'g' | 'd', t: number): Float32Array {
	return adamStep(arm.optimizer[network], t);
}

/** The weight average after a step: `decay` [1] of the old one, the rest of `g`. */
export function averaged(average: tf.Tensor, g: tf.Tensor, decay: tf.Tensor): tf.Tensor {
	// By the difference: one rounding, and what does not change stays as it is to the bit.
	return tf.add(average, tf.mul(tf.sub(g, average), tf.sub(1, decay)));
}

/**
 * Decay of the weight average for a step of `batch` images after `images`. The half-life is at most 5 % of the images
 * seen, so that a young average forgets its random start (the ramp-up of StyleGAN2-ADA).
 */
export function averageDecay(halfLifeKimg: number, batch: number, images: number): number {
	return 0.5 ** (batch / Math.min(halfLifeKimg * 1000, Math.max(0.05 * images, 1e-8)));
}

/** `belongs` [N, K] is 1 where a sample belongs to a member; `mean` [K, N] averages over a member's samples. */
export function memberMatrices(
	members: readonly Member[],
	{ size, member }: FamilyBatch,
): { belongs: () => tf.Tensor2D; mean: () => tf.Tensor2D } {
	const k = members.length;
	const belongs = new Float32Array(size * k);
	const mean = new Float32Array(k * size);
	const counts = members.map((_, m) => member.reduce((n, own) => n + (own === m ? 1 : 0), 0));
	member.forEach((m, i) => {
		belongs[i * k + m] = 1;
		mean[m * size + i] = 1 / counts[m]!;
	});
	return {
		belongs: () => tf.tensor2d(belongs, [size, k]),
		mean: () => tf.tensor2d(mean, [k, size]),
	};
}

/** Root mean square of the weight average's features at each cut: what z1, of deviation σ, is added to. */
export function spreadStep({ generator, layout }: Arm): ProgramFunction {
	return {
		inputs: latentShapes(generator, [], sampleCount),
		run(current, inputs) {
			const g = layout.g.unpack(current.average!);
			const styles = mixedStyles(generator, g, inputs);
			const noises = generator.noiseShapes.map((_, i) => inputs[`noise${i}`]!);
			const spread = generator.cuts.map(({ name }) => {
				const { features } = generator.synthesizeTo(g, { styles, noises }, name);
				return [name, tf.sqrt(tf.mean(tf.square(features)))] as const;
			});
			return { outputs: Object.fromEntries(spread) };
		},
	};
}
