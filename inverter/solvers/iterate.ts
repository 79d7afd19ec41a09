// What the programs of the solvers share: an iterate under the measurements, one row an image, its score against the best
// before it, and the step of Adam that follows. No operation mixes images.
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor, TensorMap } from '../../engine/index.ts';
import type { Measurements } from '../problems/index.ts';
import { operatorFor } from '../problems/registry.ts';
import { withPrefix } from './plan.ts';
import { sumPerImage } from './terms.ts';

/** Columns of the `report` output of a step, [N, 7]. */
const columns = ['objective', 'residual', 'heldOut', 'data', 'error', 'perceptual', 'score'] as const;
const COLUMNS = columns.length;

/**
 * What a step says of the iterate before its update, one value an image: the objective, the relative squared residuals
 * ‖r‖² / ‖y‖² over fitted and held-out measurements, the data term, the mean squared error to a truth, the perceptual
 * distance, the score.
 */
export type StepReport = Record<(typeof columns)[number], number[]>;

/** Reads the `report` output of a step. */
export function report({ shape, data }: HostTensor): StepReport {
	const [N, width] = shape as [number, number];
	const read = (at: number): number[] => Array.from({ length: N }, (_, i) => data[i * width + at]!);
	return Object.fromEntries(columns.map((name, at) => [name, read(at)])) as StepReport;
}

/** Scores start here: anything finite is better. */
export const WORST_SCORE = 1e30;

export interface Fit {
	/** A of the image, and how it differs from y. */
	applied: tf.Tensor;
	apart: tf.Tensor;
	/** Each [N, 1]. */
	residual: tf.Tensor;
	heldOut: tf.Tensor;
	data: tf.Tensor;
}

/** How an image [N, H, W, C] fits what a program's state holds of the measurements. */
export function fitOf(state: TensorMap, { problem }: Measurements, image: tf.Tensor4D): Fit {
	const applied = operatorFor(problem).apply(withPrefix(state, 'op.'), image);
	const apart = tf.sub(applied, state.y!);
	const squares = tf.square(apart);
	const fitted = sumPerImage(tf.mul(squares, state.fitted!)); // [N, 1]
	return {
		applied,
		apart,
		residual: tf.div(fitted, state['fitted.energy']!),
		heldOut: tf.div(sumPerImage(tf.mul(squares, state['held-out']!)), state['held-out.energy']!),
		data: tf.mul(fitted, state['fitted.scale']!),
	};
}

/** An evaluated iterate as one tensor [N, columns + pixels], of which the first column is differentiated. */
export function evaluated(
	state: TensorMap,
	{ residual, heldOut, data }: Fit,
	image: tf.Tensor,
	objective: tf.Tensor,
	perceptual: tf.Tensor | null,
): tf.Tensor2D {
	const batch = image.shape[0]!;
	const none = (): tf.Tensor => tf.zeros([batch, 1]);
	const error = state.truth
		? tf.div(sumPerImage(tf.square(tf.sub(image, state.truth))), image.size / batch)
		: none();
	const row = [
		objective,
		residual,
		heldOut,
		data,
		error,
		perceptual ?? none(),
		tf.reshape(image, [batch, -1]),
	];
	return tf.concat(row as tf.Tensor2D[], 1);
}

export interface Step {
	report: tf.Tensor;
	image: tf.Tensor;
	/** Of the objective at each of the values; zeros where it does not depend on one. */
	gradients: tf.Tensor[];
	/** `now` for the images whose score is the best so far, `best` for the others. */
	choose(now: tf.Tensor, best: tf.Tensor): tf.Tensor;
	/** New values of `best.score` and `best.image`. */
	best: TensorMap;
}

/**
 * Evaluates `iterate` (see `evaluated`), scores it by pick · (held-out, data, 1), and differentiates its objective.
 *
 * @param inputs `pick` [3] and `active` [N, 1]: an image that is not active keeps its best
 */
export function evaluateStep(
	state: TensorMap,
	inputs: TensorMap,
	values: tf.Tensor[],
	iterate: () => tf.Tensor2D,
): Step {
	const shape = state['best.image']!.shape;
	const batch = shape[0]!;
	const pixels = state['best.image']!.size / batch;
	const seed = tf.concat([tf.ones([batch, 1]), tf.zeros([batch, COLUMNS - 2 + pixels])], 1);
	const { value, grads } = tf.engine().gradients(iterate, values, seed, true);
	const terms = tf.slice(value, [0, 0], [batch, COLUMNS - 1]);
	const image = tf.reshape(tf.slice(value, [0, COLUMNS - 1], [batch, pixels]), shape);
	const column = (name: (typeof columns)[number]): tf.Tensor =>
		tf.slice(terms, [0, columns.indexOf(name)], [batch, 1]);
	const pick = (at: number): tf.Tensor => tf.slice(inputs.pick!, [at], [1]);
	const score = tf.addN([
		tf.mul(column('heldOut'), pick(0)),
		tf.mul(column('data'), pick(1)),
		tf.add(tf.zeros([batch, 1]), pick(2)),
	]);
	const improved = tf.logicalAnd(tf.less(score, state['best.score']!), tf.greater(inputs.active!, 0.5));
	const choose = (now: tf.Tensor, best: tf.Tensor): tf.Tensor =>
		tf.where(tf.reshape(improved, [batch, ...now.shape.slice(1).map(() => 1)]), now, best);
	return {
		report: tf.concat([terms, score as tf.Tensor2D], 1),
		image,
		gradients: values.map((x, i) => grads[i] ?? tf.zerosLike(x)),
		choose,
		best: {
			'best.score': choose(score, state['best.score']!),
			'best.image': choose(image, state['best.image']!),
		},
	};
}

const ADAM_EPSILON = 1e-8;

export type Betas = readonly [number, number];

/**
 * A step of Adam: new values of `x.<name>`, `m.<name>` and `v.<name>`.
 *
 * @param rate divided by 1 − β₁ᵗ
 * @param correction 1 / √(1 − β₂ᵗ)
 */
export function adamMoves(
	state: TensorMap,
	name: string,
	gradient: tf.Tensor,
	rate: tf.Tensor,
	correction: tf.Tensor,
	[beta1, beta2]: Betas,
): { x: tf.Tensor; m: tf.Tensor; v: tf.Tensor } {
	const m = tf.add(tf.mul(state[`m.${name}`]!, beta1), tf.mul(gradient, 1 - beta1));
	const v = tf.add(tf.mul(state[`v.${name}`]!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
	const spread = tf.add(tf.mul(tf.sqrt(v), correction), ADAM_EPSILON);
	return { x: tf.sub(state[`x.${name}`]!, tf.mul(tf.div(m, spread), rate)), m, v };
}

/** The bias corrections of Adam as inputs of step t = 0, 1, …. */
export function adamInputs(rate: number, t: number, [beta1, beta2]: Betas): Record<string, Float32Array> {
	return {
		rate: Float32Array.of(rate / (1 - beta1 ** (t + 1))),
		correction: Float32Array.of(1 / Math.sqrt(1 - beta2 ** (t + 1))),
	};
}
