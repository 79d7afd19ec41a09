// The training steps of one arm as one program: all state lives on the engine between steps.
import * as tf from '@tensorflow/tfjs-core';
import {
	type AdamSettings,
	adam,
	adamStep,
	type Engine,
	type HostTensors,
	lazyAdam,
	type ParameterLayout,
	type Program,
	type ProgramFunction,
	parameterLayout,
	type TensorMap,
	valueAndGradients,
} from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import {
	type Cut,
	type Discriminator,
	family,
	type Generator,
	type Member,
	stylegan2Discriminator,
	stylegan2Generator,
} from '../models/index.ts';
import type { ArmConfig } from './config.ts';
import { discriminatorLoss, fakes, generatorLoss, pathLengths, r1Penalty } from './losses.ts';
import { type FamilyBatch, familyBatch, latentShapes, smallestBatch } from './sampling.ts';

/** The networks and the family of an arm, and how its batches are divided. */
export interface Arm {
	config: ArmConfig;
	generator: Generator;
	discriminator: Discriminator;
	members: Member[];
	/** Cuts that any member uses. */
	cuts: Cut[];
	/** Samples of the D and G steps, and of the path-length step. */
	batch: FamilyBatch;
	pathBatch: FamilyBatch;
	layout: { g: ParameterLayout; d: ParameterLayout };
	optimizer: { g: AdamSettings; d: AdamSettings };
}

/** Builds an arm; throws INVALID_INPUT where its parts do not fit together. */
export function buildArm(config: ArmConfig): Arm {
	const { training } = config;
	const generator = stylegan2Generator(config.model);
	const discriminator = stylegan2Discriminator(config.model);
	const members = family(config.rtil, generator.cuts);
	const cuts = generator.cuts.filter(({ name }) => members.some((member) => member.cuts.includes(name)));
	const mode = config.rtil?.batch ?? 'split';
	const pathShare = Math.floor(training.batch / training.pathLength.batchShrink);
	const pathSize = mode === 'each' ? pathShare * members.length : pathShare;
	if (training.batch % 4 !== 0) throw expected('a multiple of 4', 'training.batch', training.batch);
	if (mode === 'split' && training.batch < smallestBatch(members)) {
		throw expected(
			`at least ${smallestBatch(members)} (4 for each of ${members.length} members)`,
			'training.batch',
			training.batch,
			'Use fewer cuts, family: pair, or batch: each',
		);
	}
	if (pathSize < members.length) {
		throw expected(
			`at most ${mode === 'each' ? training.batch : Math.floor(training.batch / members.length)}`,
			'training.pathLength.batchShrink',
			training.pathLength.batchShrink,
		);
	}
	const settings = { rate: training.learningRate, beta1: 0, beta2: training.beta2, epsilon: 1e-8 };
	return {
		config,
		generator,
		discriminator,
		members,
		cuts,
		batch: familyBatch(members, training.batch, mode),
		pathBatch: pathFamily(members, pathSize),
		layout: { g: parameterLayout(generator.shapes), d: parameterLayout(discriminator.shapes) },
		optimizer: {
			g: training.pathLength.weight > 0 ? lazyAdam(settings, training.pathLength.every) : settings,
			d: training.r1.gamma > 0 ? lazyAdam(settings, training.r1.every) : settings,
		},
	};
}

/** The path-length step has no standard-deviation groups: samples go round the members one by one. */
function pathFamily(members: readonly Member[], size: number): FamilyBatch {
	const member = Uint8Array.from({ length: size }, (_, i) => i % members.length);
	const count = (k: number): number => member.reduce((n, m) => n + (m === k ? 1 : 0), 0);
	return { size, member, weight: Float32Array.from(member, (m) => members[m]!.weight / count(m)) };
}

type StepName = 'd' | 'g' | 'r1' | 'path' | 'average' | 'sample';
export type TrainingProgram = Program<Record<StepName, ProgramFunction>>;

/** Images in a grid of samples. */
export const sampleCount = 32;

/** State of a fresh run. */
export function initialState(arm: Arm, seed: number): HostTensors {
	const g = arm.layout.g.fromHost(arm.generator.init(seed));
	const d = arm.layout.d.fromHost(arm.discriminator.init(seed));
	const zeros = (size: number) => ({ shape: [size], data: new Float32Array(size) });
	return {
		g,
		d,
		average: { shape: g.shape, data: g.data.slice() },
		'g.v': zeros(arm.layout.g.size),
		'd.v': zeros(arm.layout.d.size),
		pathMean: zeros(arm.members.length),
	};
}

/** Compiles the steps of an arm; their inputs come from `latentSource`, the data set and `optimizerInput`. */
export function compileArm(engine: Engine, arm: Arm, state: HostTensors): TrainingProgram {
	const { generator, discriminator, layout, batch, pathBatch, members, config } = arm;
	const { training } = config;
	const size = generator.resolution;
	const drawn = latentShapes(generator, arm.cuts, batch.size);
	const real = [training.batch, size, size, 3];
	const indicator = memberMatrix(members, batch);

	/** Mean logit of each member's samples, [K]. */
	const scoresOf = (logits: tf.Tensor): tf.Tensor =>
		tf.reshape(tf.matMul(constant(indicator.mean), tf.reshape(logits, [-1, 1])), [-1]);

	function updated(network: 'g' | 'd', current: TensorMap, gradients: TensorMap, step: tf.Tensor): TensorMap {
		const next = adam(
			{ value: current[network]!, v: current[`${network}.v`]! },
			layout[network].pack(gradients),
			step,
			arm.optimizer[network],
		);
		return { [network]: next.value, [`${network}.v`]: next.v };
	}

	const functions: Record<StepName, ProgramFunction> = {
		d: {
			inputs: { ...drawn, real, adam: [2] },
			run(current, inputs) {
				const images = fakes(generator, layout.g.unpack(current.g!), inputs);
				const weights = tf.tensor1d(batch.weight);
				let logits: { real: tf.Tensor; fake: tf.Tensor } | undefined;
				const d = layout.d.unpack(current.d!);
				const { value, gradients } = valueAndGradients(() => {
					logits = { real: discriminator.score(d, inputs.real!), fake: discriminator.score(d, images) };
					// Kept: the tape frees what the loss does not return.
					tf.keep(logits.real);
					tf.keep(logits.fake);
					return discriminatorLoss(logits.real, logits.fake, weights);
				}, d);
				const outputs = { loss: value, real: tf.mean(logits!.real), fake: scoresOf(logits!.fake) };
				tf.dispose(logits!);
				return { outputs, state: updated('d', current, gradients, inputs.adam!) };
			},
		},
		r1: {
			inputs: { real, adam: [2] },
			run(current, inputs) {
				const d = layout.d.unpack(current.d!);
				let penalty: tf.Tensor | undefined;
				const { gradients } = valueAndGradients(() => {
					penalty = tf.keep(r1Penalty(discriminator, d, inputs.real!));
					return tf.mul(penalty, (training.r1.gamma / 2) * training.r1.every) as tf.Scalar;
				}, d);
				const outputs = { penalty: tf.clone(penalty!) };
				penalty!.dispose();
				return { outputs, state: updated('d', current, gradients, inputs.adam!) };
			},
		},
		g: {
			inputs: { ...drawn, adam: [2] },
			run(current, inputs) {
				const d = layout.d.unpack(current.d!);
				const g = layout.g.unpack(current.g!);
				const { value, gradients } = valueAndGradients(
					() => generatorLoss(discriminator.score(d, fakes(generator, g, inputs)), tf.tensor1d(batch.weight)),
					g,
				);
				return { outputs: { loss: value }, state: updated('g', current, gradients, inputs.adam!) };
			},
		},
		path: {
			inputs: {
				...latentShapes(generator, arm.cuts, pathBatch.size),
				y: [pathBatch.size, size, size, 3],
				adam: [2],
			},
			run(current, inputs) {
				const g = layout.g.unpack(current.g!);
				const of = memberMatrix(members, pathBatch);
				const { decay, weight, every } = training.pathLength;
				let kept: tf.Tensor[] = [];
				const { gradients } = valueAndGradients(() => {
					const lengths = pathLengths(generator, g, inputs);
					const means = tf.reshape(tf.matMul(constant(of.mean), tf.reshape(lengths, [-1, 1])), [-1]); // [K]
					const running = tf.add(tf.mul(current.pathMean!, 1 - decay), tf.mul(means, decay));
					const target = tf.reshape(tf.matMul(constant(of.belongs), tf.reshape(running, [-1, 1])), [-1]); // [N]
					const penalty = tf.sum(tf.mul(tf.tensor1d(pathBatch.weight), tf.square(tf.sub(lengths, target))));
					kept = [penalty, tf.mean(lengths), running].map((value) => tf.keep(value));
					return tf.mul(penalty, weight * every) as tf.Scalar;
				}, g);
				const [penalty, length, running] = kept.map((value) => tf.clone(value)) as [
					tf.Tensor,
					tf.Tensor,
					tf.Tensor,
				];
				tf.dispose(kept);
				return {
					outputs: { penalty, length },
					state: { ...updated('g', current, gradients, inputs.adam!), pathMean: running },
				};
			},
		},
		average: {
			inputs: { decay: [1] },
			run(current, { decay }) {
				// By the difference: one rounding, and what does not change stays as it is to the bit.
				const change = tf.mul(tf.sub(current.g!, current.average!), tf.sub(1, decay!));
				const average = tf.add(current.average!, change);
				return { outputs: {}, state: { average } };
			},
		},
		sample: {
			inputs: latentShapes(generator, [], sampleCount),
			run(current, inputs) {
				return { outputs: { images: fakes(generator, layout.g.unpack(current.average!), inputs) } };
			},
		},
	};
	return engine.compile({ name: 'training', state, functions });
}

/** The input `adam` of step t = 1, 2, … of a network's optimiser. */
export function optimizerInput(arm: Arm, network: 'g' | 'd', t: number): Float32Array {
	return adamStep(arm.optimizer[network], t);
}

interface Matrix {
	rows: number;
	columns: number;
	data: Float32Array;
}

function constant({ rows, columns, data }: Matrix): tf.Tensor2D {
	return tf.tensor2d(data, [rows, columns]);
}

/** `belongs` [N, K] is 1 where a sample belongs to a member; `mean` [K, N] averages over a member's samples. */
function memberMatrix(
	members: readonly Member[],
	{ size, member }: FamilyBatch,
): { belongs: Matrix; mean: Matrix } {
	const k = members.length;
	const belongs = new Float32Array(size * k);
	const mean = new Float32Array(k * size);
	const counts = members.map((_, m) => member.reduce((n, own) => n + (own === m ? 1 : 0), 0));
	member.forEach((m, i) => {
		belongs[i * k + m] = 1;
		mean[m * size + i] = 1 / counts[m]!;
	});
	return {
		belongs: { rows: size, columns: k, data: belongs },
		mean: { rows: k, columns: size, data: mean },
	};
}
