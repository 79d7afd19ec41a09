// The captured program of a layer-by-layer inversion. Layer 0 optimises the latents (CSGM is this alone); every later one
// starts at a cut and optimises an offset to the features there, with the latents and noises that are used after it.
// Source: ILO (Daras et al. 2021), RTIL (Gunn et al. 2023, Algorithm 1). Deviations from the published code: the RGB
// image, latents and noises are carried from layer to layer, so that the first iterate of a layer is the last image of
// the one before; the geodesic term acts in every layer; the prefix up to a cut is computed once, on entering the layer.
//
// State entries: see plan.ts. Every per-image quantity leads with N, and no operation mixes images.
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, HostTensor, Program, ProgramFunction, TensorMap } from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { operatorFor } from '../problems/registry.ts';
import { type Networks, synthesis } from './networks.ts';
import { normalised } from './normalised.ts';
import { firstRow, initialState, type Layer, type LayerPlan, variablesOf, withPrefix } from './plan.ts';
import { cosineSpread, geodesic, onL1Ball, onSphere, pyramid, sumPerImage } from './terms.ts';

/** Columns of the `report` output of a step, [N, 6]. */
const columns = ['objective', 'residual', 'heldOut', 'data', 'error', 'score'] as const;
const COLUMNS = columns.length;

/**
 * What a step says of the iterate before its update, one value an image: the objective, the relative squared residuals
 * ‖r‖² / ‖y‖² over fitted and held-out measurements, the data term, the mean squared error to a truth, the score.
 */
export type StepReport = Record<(typeof columns)[number], number[]>;

/** Reads the `report` output of a step. */
export function report({ shape, data }: HostTensor): StepReport {
	const [N, width] = shape as [number, number];
	const read = (at: number): number[] => Array.from({ length: N }, (_, i) => data[i * width + at]!);
	return Object.fromEntries(columns.map((name, at) => [name, read(at)])) as StepReport;
}

const ADAM_EPSILON = 1e-8;

/** β of Adam; with plain gradient steps there is nothing to correct for. */
export const betasOf = ({ descent }: LayerPlan): readonly [number, number] =>
	typeof descent === 'string' ? [0, 0] : (descent?.betas ?? [0.9, 0.999]);

/** Scores start here: anything finite is better. */
export const WORST_SCORE = 1e30;

/** A step of Adam over one layer's variables; evaluates the current iterate first and keeps it if it is the best. */
function stepFunction(
	prior: Prior,
	measurements: Measurements,
	plan: LayerPlan,
	layer: Layer,
	networks: Networks,
): ProgramFunction {
	const batch = measurements.keys.length;
	const operator = operatorFor(measurements.problem);
	const names = variablesOf(prior, plan, layer);
	const { resolution, channels, numStyles } = prior.generator;
	// A PGGAN has one row, whatever the cut.
	const row = Math.min(firstRow(layer.cut), numStyles - 1);

	function evaluate(state: TensorMap, inputs: TensorMap, values: tf.Tensor[]): tf.Tensor2D {
		const variables = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
		const image = networks.image(state, layer, variables);
		const apart = tf.sub(operator.apply(withPrefix(state, 'op.'), image), state.y!);
		const squares = tf.square(apart);
		const fitted = sumPerImage(tf.mul(squares, state.fitted!)); // [N, 1]
		const heldOut = tf.div(sumPerImage(tf.mul(squares, state['held-out']!)), state['held-out.energy']!);
		const residual = tf.div(fitted, state['fitted.energy']!);
		const data = tf.mul(fitted, state['fitted.scale']!);
		const noisy = plan.stochastic && tf.square(tf.add(apart, inputs.noise!));
		let fit = noisy ? tf.mul(sumPerImage(tf.mul(noisy, state.fitted!)), state['fitted.scale']!) : data;
		if (plan.pyramid) {
			fit = tf.mul(pyramid(tf.mul(apart, state.fitted!), inputs['weight.l1']!), state['fitted.scale']!);
		}
		let objective: tf.Tensor = plan.floor ? tf.maximum(fit, inputs.floor!) : fit;
		names.forEach((name, i) => {
			const weight = inputs[`weight.${name.split('.')[0]}`];
			// The channel weights of a mixture have no prior.
			if (!weight) return;
			objective = tf.add(objective, tf.mul(sumPerImage(tf.square(values[i]!)), weight));
		});
		if (plan.geodesic && !(plan.geodesicFirst && layer.cut)) {
			const latent = variables.latent as tf.Tensor3D;
			const used = tf.slice(latent, [0, row, 0], [-1, latent.shape[1] - row, -1]);
			objective = tf.add(objective, tf.mul(geodesic(used), inputs['weight.geodesic']!));
		}
		if (plan.cosine) {
			const rows = networks.styles(state, variables.latent!);
			objective = tf.add(objective, tf.mul(cosineSpread(rows), inputs['weight.cosine']!));
		}
		if (plan.mapped) {
			const centre = tf.reshape(networks.mapped(state, variables.z!), [batch, 1, -1]);
			const apart = sumPerImage(tf.square(tf.sub(variables.latent!, centre)));
			objective = tf.add(objective, tf.mul(apart, inputs['weight.map']!));
		}
		const error = plan.truth
			? tf.div(sumPerImage(tf.square(tf.sub(image, state.truth!))), image.size / batch)
			: tf.zeros([batch, 1]);
		return tf.concat(
			[objective, residual, heldOut, data, error, tf.reshape(image, [batch, -1])] as tf.Tensor2D[],
			1,
		);
	}

	return {
		inputs: {
			rate: [1],
			// 1 / √(1 − β₂ᵗ): with the rate divided by 1 − β₁ᵗ, Adam's bias corrections.
			correction: [1],
			active: [batch, 1],
			// score = pick · (held-out, data, 1)
			pick: [3],
			...(plan.mixture ? { 'weight.codes': [1] } : { 'weight.latent': [1] }),
			'weight.noise': [1],
			'weight.offset': [1],
			'weight.geodesic': [1],
			radius: [1],
			...(plan.stochastic ? { noise: measurements.y.shape } : {}),
			...Object.fromEntries(extraInputs(plan).map((name) => [name, [1]])),
		},
		run(state, inputs) {
			const values = names.map((name) => state[`x.${name}`]!);
			const pixels = resolution * resolution * channels;
			// Only the first column, the objective, is differentiated; the others ride along.
			const seed = tf.concat([tf.ones([batch, 1]), tf.zeros([batch, COLUMNS - 2 + pixels])], 1);
			const { value, grads } = tf
				.engine()
				.gradients(() => evaluate(state, inputs, values), values, seed, true);
			const evaluated = tf.slice(value, [0, 0], [batch, COLUMNS - 1]);
			const image = tf.reshape(
				tf.slice(value, [0, COLUMNS - 1], [batch, pixels]),
				state['best.image']!.shape,
			);
			const column = (at: number): tf.Tensor => tf.slice(evaluated, [0, at], [batch, 1]);
			const pick = (at: number): tf.Tensor => tf.slice(inputs.pick!, [at], [1]);
			const score = tf.addN([
				tf.mul(column(2), pick(0)),
				tf.mul(column(3), pick(1)),
				tf.add(tf.zeros([batch, 1]), pick(2)),
			]);
			const improved = tf.logicalAnd(tf.less(score, state['best.score']!), tf.greater(inputs.active!, 0.5));

			const choose = (now: tf.Tensor, best: tf.Tensor): tf.Tensor =>
				tf.where(tf.reshape(improved, [batch, ...now.shape.slice(1).map(() => 1)]), now, best);
			const next: TensorMap = {
				'best.score': choose(score, state['best.score']!),
				'best.image': choose(image, state['best.image']!),
			};
			names.forEach((name, i) => {
				const x = values[i]!;
				const gradient = grads[i] ?? tf.zerosLike(x);
				next[`best.${name}`] = choose(x, state[`best.${name}`]!);
				if (typeof plan.descent === 'string') {
					const along = plan.descent === 'sgd' ? gradient : normalised(state, layer, name, gradient);
					const moved = tf.sub(x, tf.mul(along, inputs.rate!));
					next[`x.${name}`] = constrain(plan, name, moved, x, inputs.radius!);
					return;
				}
				const [beta1, beta2] = betasOf(plan);
				const m = tf.add(tf.mul(state[`m.${name}`]!, beta1), tf.mul(gradient, 1 - beta1));
				const v = tf.add(tf.mul(state[`v.${name}`]!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
				const spread = tf.add(tf.mul(tf.sqrt(v), inputs.correction!), ADAM_EPSILON);
				const moved = tf.sub(x, tf.mul(tf.div(m, spread), inputs.rate!));
				next[`m.${name}`] = m;
				next[`v.${name}`] = v;
				next[`x.${name}`] = constrain(plan, name, moved, x, inputs.radius!);
			});
			return { outputs: { report: tf.concat([evaluated, score as tf.Tensor2D], 1) }, state: next };
		},
	};
}

function constrain(
	plan: LayerPlan,
	name: string,
	next: tf.Tensor,
	last: tf.Tensor,
	radius: tf.Tensor,
): tf.Tensor {
	if (name.startsWith('offset')) return plan.ball ? onL1Ball(next, radius) : next;
	if (!plan.sphere) return next;
	return onSphere(next, last, name === 'latent' ? [last.rank - 1] : [1, 2]);
}

/** Enters a layer with the selected iterate of the one before: the prefix, fresh offsets and optimiser slots. */
function enterFunction(
	prior: Prior,
	plan: LayerPlan,
	index: number,
	networks: Networks,
	batch: number,
): ProgramFunction {
	const [before, layer] = [plan.layers[index - 1]!, plan.layers[index]!];
	const { cut } = layer;
	return {
		inputs: {},
		run(state) {
			const best = Object.fromEntries(
				variablesOf(prior, plan, before).map((name) => [name, state[`best.${name}`]!]),
			);
			const next: TensorMap = { 'best.score': tf.fill([batch, 1], WORST_SCORE) };
			if (cut) {
				const { features, rgb } = networks.prefix(state, before, best, cut.name);
				next[`at.${cut.name}.features`] = features;
				if (rgb) next[`at.${cut.name}.rgb`] = rgb;
			}
			for (const name of variablesOf(prior, plan, before)) next[`x.${name}`] = tf.clone(best[name]!);
			for (const name of variablesOf(prior, plan, layer)) {
				const { shape } = state[`x.${name}`]!;
				if (name.startsWith('offset')) next[`x.${name}`] = tf.zeros(shape);
				next[`m.${name}`] = tf.zeros(shape);
				next[`v.${name}`] = tf.zeros(shape);
			}
			return { outputs: {}, state: next };
		},
	};
}

/** Takes one draw of z for each image, and keeps the one that fits the measurements best as start of z and w+. */
function drawFunction(
	prior: Prior,
	measurements: Measurements,
	plan: LayerPlan,
	networks: Networks,
): ProgramFunction {
	const batch = measurements.keys.length;
	const operator = operatorFor(measurements.problem);
	return {
		inputs: { z: [batch, prior.generator.zDim] },
		run(state, { z }) {
			const latent = tf.add(
				tf.reshape(networks.mapped(state, z!), [batch, 1, -1]),
				tf.zeros([1, prior.generator.numStyles, 1]),
			);
			const image = networks.image(state, plan.layers[0]!, { latent });
			const squares = tf.square(tf.sub(operator.apply(withPrefix(state, 'op.'), image), state.y!));
			const score = tf.mul(sumPerImage(tf.mul(squares, state.fitted!)), state['fitted.scale']!);
			const better = tf.less(score, state['draw.score']!); // [N, 1]
			const next: TensorMap = {
				'draw.score': tf.where(better, score, state['draw.score']!),
				'x.latent': tf.where(tf.reshape(better, [batch, 1, 1]), latent, state['x.latent']!),
			};
			if (plan.mapped) next['x.z'] = tf.where(better, z!, state['x.z']!);
			return { outputs: {}, state: next };
		},
	};
}

/** Inputs of a step that only some plans have. */
export function extraInputs({ mapped, cosine, floor, pyramid }: LayerPlan): string[] {
	return [
		...(mapped ? ['weight.map', 'weight.z'] : []),
		...(cosine ? ['weight.cosine'] : []),
		...(floor ? ['floor'] : []),
		...(pyramid ? ['weight.l1'] : []),
	];
}

/** Compiles the program of a plan for a prior and the shapes of these measurements. */
export function compileLayers(
	engine: Engine,
	prior: Prior,
	measurements: Measurements,
	plan: LayerPlan,
): Program<Record<string, ProgramFunction>> {
	const networks = synthesis(prior, plan);
	const functions: Record<string, ProgramFunction> = {};
	if (plan.draws) functions.draw = drawFunction(prior, measurements, plan, networks);
	plan.layers.forEach((layer, index) => {
		functions[`step.${index}`] = stepFunction(prior, measurements, plan, layer, networks);
		if (index > 0) {
			functions[`enter.${index}`] = enterFunction(prior, plan, index, networks, measurements.keys.length);
		}
	});
	return engine.compile({
		name: `inversion ${prior.generator.kind}`,
		state: initialState(prior, measurements, plan),
		functions,
	});
}
