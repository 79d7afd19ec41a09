// The training steps of one stage of a PGGAN as one program (Karras et al. 2018; WGAN-GP, wgan.ts). Parameters are those
// of the full network at every stage: what is not there yet gets no gradient. Members of a family share a batch, or take
// turns and sum their gradients up in the state, as in stylegan2-steps.ts.
import * as tf from '@tensorflow/tfjs-core';
import {
	type Engine,
	type HostTensors,
	type Program,
	type ProgramFunction,
	type TensorMap,
	valueAndGradients,
} from '../engine/index.ts';
import { average2, nearest2 } from '../models/index.ts';
import { type Arm, appliedStep, averaged, memberMatrices, partShapes, passOf, spreadStep } from './arm.ts';
import type { ArmOf } from './config.ts';
import { fakes } from './losses.ts';
import { sampleCount } from './recipe.ts';
import { type FamilyBatch, latentShapes } from './sampling.ts';
import { drift, gradientPenalties, interpolate, wassersteinLoss } from './wgan.ts';

export type PgganArm = Arm<ArmOf<'pggan'>>;

/** Compiles the steps of a stage; `fullSide` is the side of the data set's images. */
export function compileStage(
	engine: Engine,
	arm: PgganArm,
	state: HostTensors,
	{ batch, fullSide }: { batch: number; fullSide: number },
): Program<Record<string, ProgramFunction>> {
	const { generator, layout, parts } = arm;
	const zeros = (size: number) => ({ shape: [size], data: new Float32Array(size) });
	const sample = {
		inputs: { ...latentShapes(generator, [], sampleCount), fade: [1] },
		run: (current: TensorMap, inputs: TensorMap) => ({
			outputs: { images: fakes(generator, layout.g.unpack(current.average!), inputs) },
		}),
	};
	return engine.compile({
		name: `training at ${generator.resolution}²`,
		state: { ...state, 'd.sum': zeros(layout.d.size), 'g.sum': zeros(layout.g.size) },
		functions: {
			'd.real': realStep(arm, batch, fullSide),
			...Object.fromEntries(parts.map((part, k) => [`d.${k}`, criticStep(arm, part, fullSide)])),
			'd.apply': appliedStep(arm, 'd'),
			...Object.fromEntries(parts.map((part, k) => [`g.${k}`, generatorStep(arm, part)])),
			'g.apply': appliedStep(arm, 'g'),
			average: {
				inputs: { decay: [1] },
				run: (current, { decay }) => ({
					outputs: {},
					state: { average: averaged(current.average!, current.g!, decay!) },
				}),
			},
			sample,
			...(generator.cuts.length > 0 ? { spread: spreadStep(arm) } : {}),
		},
	});
}

/** Images of the data set [N, S, S, 3] at the side of the stage; while a block fades in they are blended alike. */
function reals(arm: PgganArm, images: tf.Tensor, fade: tf.Tensor): tf.Tensor {
	const { resolution } = arm.generator;
	let x = images;
	while (x.shape[1]! > resolution) x = average2(x);
	if (resolution === arm.config.training.growing.from) return x;
	const coarse = nearest2(average2(x));
	return tf.add(coarse, tf.mul(tf.sub(x, coarse), fade));
}

/** −mean D(x) + ε·mean D(x)²: begins the sum of D's gradients. */
function realStep(arm: PgganArm, batch: number, fullSide: number): ProgramFunction {
	const { discriminator, layout, config } = arm;
	return {
		inputs: { real: [batch, fullSide, fullSide, 3], fade: [1] },
		run(current, { real, fade }) {
			const images = reals(arm, real!, fade!);
			const d = layout.d.unpack(current.d!);
			let score: tf.Tensor | undefined;
			const { value, gradients } = valueAndGradients((): tf.Scalar => {
				const logits = discriminator.score(d, images, fade!);
				score = tf.keep(tf.mean(logits));
				return tf.sub(tf.mul(drift(logits), config.training.penalty.drift), score);
			}, d);
			const outputs = { loss: value, real: tf.clone(score!) };
			score!.dispose();
			return { outputs, state: { 'd.sum': layout.d.pack(gradients) } };
		},
	};
}

/** Σ wᵢ·D(G(zᵢ)) + λ·Σ wᵢ·(‖∇D‖ − 1)² of a part: adds to the sum of D's gradients. */
function criticStep(arm: PgganArm, part: FamilyBatch, fullSide: number): ProgramFunction {
	const { generator, discriminator, layout, config, members } = arm;
	return {
		inputs: { ...partShapes(arm, part), real: [part.size, fullSide, fullSide, 3], u: [part.size], fade: [1] },
		run(current, inputs) {
			const { fade } = inputs;
			const images = fakes(generator, layout.g.unpack(current.g!), inputs, passOf(arm, part));
			const between = interpolate(reals(arm, inputs.real!, fade!), images, inputs.u!);
			const weights = tf.tensor1d(part.weight);
			const d = layout.d.unpack(current.d!);
			let kept: tf.Tensor[] = [];
			const { value, gradients } = valueAndGradients((): tf.Scalar => {
				const score = (x: tf.Tensor): tf.Tensor => discriminator.score(d, x, fade!);
				const logits = score(images);
				const penalty = tf.sum(tf.mul(weights, gradientPenalties(score, between)));
				kept = [logits, penalty].map((tensor) => tf.keep(tensor));
				return tf.add(tf.sum(tf.mul(weights, logits)), tf.mul(penalty, config.training.penalty.weight));
			}, d);
			const [logits, penalty] = kept as [tf.Tensor, tf.Tensor];
			const scores = tf.matMul(memberMatrices(members, part).mean(), tf.reshape(logits, [-1, 1]));
			const outputs = { loss: value, fake: tf.reshape(scores, [-1]), penalty: tf.clone(penalty) };
			tf.dispose(kept);
			return { outputs, state: { 'd.sum': tf.add(current['d.sum']!, layout.d.pack(gradients)) } };
		},
	};
}

/** −Σ wᵢ·D(G(zᵢ)) of a part: adds to the sum of G's gradients. */
function generatorStep(arm: PgganArm, part: FamilyBatch): ProgramFunction {
	const { generator, discriminator, layout } = arm;
	return {
		inputs: { ...partShapes(arm, part), fade: [1] },
		run(current, inputs) {
			const d = layout.d.unpack(current.d!);
			const g = layout.g.unpack(current.g!);
			const { value, gradients } = valueAndGradients(() => {
				const images = fakes(generator, g, inputs, passOf(arm, part));
				return wassersteinLoss(discriminator.score(d, images, inputs.fade!), tf.tensor1d(part.weight));
			}, g);
			return {
				outputs: { loss: value },
				state: { 'g.sum': tf.add(current['g.sum']!, layout.g.pack(gradients)) },
			};
		},
	};
}
