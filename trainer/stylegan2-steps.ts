// The training steps of a StyleGAN2 as one program: all state lives on the engine between steps. Where the members of a
// family share a batch, a step is one function; where they take turns, gradients are summed up in the state part by part
// (`d.real`, `d.0`, `d.1`, …, `d.apply`) and applied once, so that memory does not grow with the family.
import * as tf from '@tensorflow/tfjs-core';
import {
	type Engine,
	type HostTensors,
	type Program,
	type ProgramFunction,
	type TensorMap,
	valueAndGradients,
} from '../engine/index.ts';
import type { Member } from '../models/index.ts';
import {
	type Arm,
	appliedStep,
	averaged,
	initialNetworks,
	memberMatrices,
	partShapes,
	passOf,
	spreadStep,
	updated,
} from './arm.ts';
import { augment, augmentationShapes } from './augment.ts';
import type { ArmOf } from './config.ts';
import {
	discriminatorLoss,
	fakes,
	fakeTerm,
	generatorLoss,
	pathLengths,
	r1Penalty,
	realTerm,
} from './losses.ts';
import { sampleCount } from './recipe.ts';
import { type FamilyBatch, latentShapes } from './sampling.ts';

export type Stylegan2Arm = Arm<ArmOf<'stylegan2'>>;
export type Steps = Program<Record<string, ProgramFunction>>;

/** State of a fresh run. */
export function initialState(arm: Stylegan2Arm, seed: number): HostTensors {
	const k = arm.members.length;
	return { ...initialNetworks(arm, seed), pathMean: { shape: [k], data: new Float32Array(k) } };
}

/** Compiles the steps of an arm; their inputs come from `latentSource`, the data set and `optimizerInput`. */
export function compileSteps(engine: Engine, arm: Stylegan2Arm, state: HostTensors): Steps {
	const sums: HostTensors =
		arm.parts.length > 1
			? {
					'd.sum': { shape: [arm.layout.d.size], data: new Float32Array(arm.layout.d.size) },
					'g.sum': { shape: [arm.layout.g.size], data: new Float32Array(arm.layout.g.size) },
				}
			: {};
	return engine.compile({
		name: 'training',
		state: { ...state, ...sums },
		functions: {
			...(arm.parts.length > 1 ? inTurns(arm) : together(arm)),
			r1: r1Step(arm),
			average: {
				inputs: { decay: [1] },
				run: (current, { decay }) => ({
					outputs: {},
					state: { average: averaged(current.average!, current.g!, decay!) },
				}),
			},
			sample: {
				inputs: latentShapes(arm.generator, [], sampleCount),
				run: (current, inputs) => ({
					outputs: { images: fakes(arm.generator, arm.layout.g.unpack(current.average!), inputs) },
				}),
			},
			spread: spreadStep(arm),
		},
	});
}

/** What is augmented before D sees it; also the prefix of the inputs that say how. */
type Shown = 'real.' | 'fake.';

/** Shapes of those inputs for `n` images; none where nothing is augmented. */
function shownShapes({ config }: Stylegan2Arm, shown: Shown, n: number): Record<string, number[]> {
	return config.training.augment ? augmentationShapes(n, shown) : {};
}

/** Images as D sees them. */
function asShown({ config }: Stylegan2Arm, shown: Shown, images: tf.Tensor, inputs: TensorMap): tf.Tensor {
	return config.training.augment ? augment(images, inputs, shown) : images;
}

/** Mean of sign(logits): by how much more often than not D takes images for real. */
function meanSign(logits: tf.Tensor): tf.Tensor {
	return tf.mean(tf.sub(tf.step(logits), tf.step(tf.neg(logits))));
}

function together(arm: Stylegan2Arm): Record<string, ProgramFunction> {
	const { config, generator, discriminator, layout, members, parts, pathParts } = arm;
	const [part] = parts as [FamilyBatch];
	const [pathPart] = pathParts as [FamilyBatch];
	const { batch } = config.training;
	const size = generator.resolution;
	const drawn = { ...partShapes(arm, part), ...shownShapes(arm, 'fake.', part.size) };
	return {
		d: {
			inputs: {
				...drawn,
				...shownShapes(arm, 'real.', batch),
				real: [batch, size, size, 3],
				adam: [2],
			},
			run(current, inputs) {
				const made = fakes(generator, layout.g.unpack(current.g!), inputs, passOf(arm, part));
				const images = asShown(arm, 'fake.', made, inputs);
				const real = asShown(arm, 'real.', inputs.real!, inputs);
				const weights = tf.tensor1d(part.weight);
				const d = layout.d.unpack(current.d!);
				let logits: { real: tf.Tensor; fake: tf.Tensor } | undefined;
				const { value, gradients } = valueAndGradients(() => {
					logits = { real: discriminator.score(d, real), fake: discriminator.score(d, images) };
					// Kept: the tape frees what the loss does not return.
					tf.keep(logits.real);
					tf.keep(logits.fake);
					return discriminatorLoss(logits.real, logits.fake, weights);
				}, d);
				const outputs = {
					loss: value,
					real: tf.mean(logits!.real),
					sign: meanSign(logits!.real),
					fake: scoresOf(members, part, logits!.fake),
				};
				tf.dispose(logits!);
				return { outputs, state: updated(arm, 'd', current, layout.d.pack(gradients), inputs.adam!) };
			},
		},
		g: {
			inputs: { ...drawn, adam: [2] },
			run(current, inputs) {
				const { value, gradient } = gradientOfG(arm, part, current, inputs);
				return { outputs: { loss: value }, state: updated(arm, 'g', current, gradient, inputs.adam!) };
			},
		},
		path: {
			inputs: { ...pathShapes(arm, pathPart), adam: [2] },
			run(current, inputs) {
				const { gradient, pathMean, ...outputs } = gradientOfPath(arm, pathPart, current, inputs);
				return { outputs, state: { ...updated(arm, 'g', current, gradient, inputs.adam!), pathMean } };
			},
		},
	};
}

function inTurns(arm: Stylegan2Arm): Record<string, ProgramFunction> {
	const { config, generator, discriminator, layout, members, parts, pathParts } = arm;
	const { batch } = config.training;
	const size = generator.resolution;
	const functions: Record<string, ProgramFunction> = {
		'd.real': {
			inputs: { ...shownShapes(arm, 'real.', batch), real: [batch, size, size, 3] },
			run(current, inputs) {
				const real = asShown(arm, 'real.', inputs.real!, inputs);
				const d = layout.d.unpack(current.d!);
				let logits: tf.Tensor | undefined;
				const { value, gradients } = valueAndGradients(() => {
					logits = tf.keep(discriminator.score(d, real));
					return realTerm(logits);
				}, d);
				const outputs = { loss: value, real: tf.mean(logits!), sign: meanSign(logits!) };
				logits!.dispose();
				return { outputs, state: { 'd.sum': layout.d.pack(gradients) } };
			},
		},
		'd.apply': appliedStep(arm, 'd'),
		'g.apply': appliedStep(arm, 'g'),
	};
	parts.forEach((part, k) => {
		const drawn = { ...partShapes(arm, part), ...shownShapes(arm, 'fake.', part.size) };
		functions[`d.${k}`] = {
			inputs: drawn,
			run(current, inputs) {
				const made = fakes(generator, layout.g.unpack(current.g!), inputs, passOf(arm, part));
				const images = asShown(arm, 'fake.', made, inputs);
				const d = layout.d.unpack(current.d!);
				let logits: tf.Tensor | undefined;
				const { value, gradients } = valueAndGradients(() => {
					logits = tf.keep(discriminator.score(d, images));
					return fakeTerm(logits, tf.tensor1d(part.weight));
				}, d);
				const outputs = { loss: value, fake: scoresOf(members, part, logits!) };
				logits!.dispose();
				return { outputs, state: { 'd.sum': tf.add(current['d.sum']!, layout.d.pack(gradients)) } };
			},
		};
		functions[`g.${k}`] = {
			inputs: drawn,
			run(current, inputs) {
				const { value, gradient } = gradientOfG(arm, part, current, inputs);
				return { outputs: { loss: value }, state: { 'g.sum': tf.add(current['g.sum']!, gradient) } };
			},
		};
	});
	pathParts.forEach((part, k) => {
		functions[`path.${k}`] = {
			inputs: pathShapes(arm, part),
			run(current, inputs) {
				const { gradient, pathMean, ...outputs } = gradientOfPath(arm, part, current, inputs);
				return { outputs, state: { 'g.sum': tf.add(current['g.sum']!, gradient), pathMean } };
			},
		};
	});
	return functions;
}

/** Mean logit of each member's samples, [K]; 0 for members without any. */
function scoresOf(members: readonly Member[], part: FamilyBatch, logits: tf.Tensor): tf.Tensor {
	return tf.reshape(tf.matMul(memberMatrices(members, part).mean(), tf.reshape(logits, [-1, 1])), [-1]);
}

function gradientOfG(arm: Stylegan2Arm, part: FamilyBatch, current: TensorMap, inputs: TensorMap) {
	const d = arm.layout.d.unpack(current.d!);
	const g = arm.layout.g.unpack(current.g!);
	const { value, gradients } = valueAndGradients(() => {
		const images = asShown(arm, 'fake.', fakes(arm.generator, g, inputs, passOf(arm, part)), inputs);
		return generatorLoss(arm.discriminator.score(d, images), tf.tensor1d(part.weight));
	}, g);
	return { value, gradient: arm.layout.g.pack(gradients) };
}

function pathShapes({ generator, cuts }: Stylegan2Arm, part: FamilyBatch): Record<string, number[]> {
	const { resolution } = generator;
	return { ...latentShapes(generator, cuts, part.size), y: [part.size, resolution, resolution, 3] };
}

/** Path-length regularisation of a part; every member has a running mean of its own. */
function gradientOfPath(arm: Stylegan2Arm, part: FamilyBatch, current: TensorMap, inputs: TensorMap) {
	const { generator, layout, members } = arm;
	const g = layout.g.unpack(current.g!);
	const { decay, weight, every } = arm.config.training.pathLength;
	const present = Float32Array.from(members, (_, k) => (part.member.includes(k) ? decay : 0));
	let kept: tf.Tensor[] = [];
	const { gradients } = valueAndGradients(() => {
		const { belongs, mean } = memberMatrices(members, part);
		const lengths = pathLengths(generator, g, inputs, passOf(arm, part));
		const means = tf.reshape(tf.matMul(mean(), tf.reshape(lengths, [-1, 1])), [-1]); // [K]
		const share = tf.tensor1d(present);
		const running = tf.add(tf.mul(current.pathMean!, tf.sub(1, share)), tf.mul(means, share));
		const target = tf.reshape(tf.matMul(belongs(), tf.reshape(running, [-1, 1])), [-1]); // [N]
		const penalty = tf.sum(tf.mul(tf.tensor1d(part.weight), tf.square(tf.sub(lengths, target))));
		kept = [penalty, tf.mean(lengths), running].map((value) => tf.keep(value));
		return tf.mul(penalty, weight * every) as tf.Scalar;
	}, g);
	const [penalty, length, pathMean] = kept.map((value) => tf.clone(value)) as [
		tf.Tensor,
		tf.Tensor,
		tf.Tensor,
	];
	tf.dispose(kept);
	return { gradient: layout.g.pack(gradients), penalty, length, pathMean };
}

function r1Step(arm: Stylegan2Arm): ProgramFunction {
	const { config, generator, discriminator, layout } = arm;
	const { batch, r1 } = config.training;
	const { resolution } = generator;
	return {
		inputs: {
			...shownShapes(arm, 'real.', batch),
			real: [batch, resolution, resolution, 3],
			adam: [2],
		},
		run(current, inputs) {
			const d = layout.d.unpack(current.d!);
			// The gradient is that in the image before it is augmented, as in the published code.
			const score = (d: TensorMap, images: tf.Tensor) =>
				discriminator.score(d, asShown(arm, 'real.', images, inputs));
			let penalty: tf.Tensor | undefined;
			const { gradients } = valueAndGradients(() => {
				penalty = tf.keep(r1Penalty({ score }, d, inputs.real!));
				return tf.mul(penalty, (r1.gamma / 2) * r1.every) as tf.Scalar;
			}, d);
			const outputs = { penalty: tf.clone(penalty!) };
			penalty!.dispose();
			return { outputs, state: updated(arm, 'd', current, layout.d.pack(gradients), inputs.adam!) };
		},
	};
}
