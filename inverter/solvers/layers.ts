// The captured program of a layer-by-layer inversion. Layer 0 optimises the latents (CSGM is this alone); every later one
// starts at a cut and optimises an offset to the features there, with the latents and noises that are used after it.
// Source: ILO (Daras et al. 2021), RTIL (Gunn et al. 2023, Algorithm 1). Deviations from the published code: the RGB
// image, latents and noises are carried from layer to layer, so that the first iterate of a layer is the last image of
// the one before; the geodesic term acts in every layer; the prefix up to a cut is computed once, on entering the layer.
//
// State entries: see plan.ts. Every per-image quantity leads with N, and no operation mixes images.
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, Program, ProgramFunction, TensorMap } from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { adamMoves, evaluated, evaluateStep, type Fit, fitOf, WORST_SCORE } from './iterate.ts';
import { type Networks, synthesis } from './networks.ts';
import { normalised } from './normalised.ts';
import { measuredDistance, type PerceptualTerm } from './perceptual.ts';
import {
	firstRow,
	initialState,
	type Layer,
	type LayerPlan,
	latentShape,
	variablesOf,
	withPrefix,
} from './plan.ts';
import { cosineSpread, geodesic, onL1Ball, onSphere, pyramid, sumPerImage } from './terms.ts';

/** β of Adam; with plain gradient steps there is nothing to correct for. */
export const betasOf = ({ descent }: LayerPlan): readonly [number, number] =>
	typeof descent === 'string' ? [0, 0] : (descent?.betas ?? [0.9, 0.999]);

/** A step of Adam over one layer's variables; evaluates the current iterate first and keeps it if it is the best. */
function stepFunction(
	prior: Prior,
	measurements: Measurements,
	plan: LayerPlan,
	layer: Layer,
	networks: Networks,
): ProgramFunction {
	const batch = measurements.keys.length;
	const names = variablesOf(prior, plan, layer);
	const { numStyles } = prior.generator;
	// A PGGAN has one row, whatever the cut.
	const row = Math.min(firstRow(layer.cut), numStyles - 1);
	const distance = plan.perceptual && measuredDistance(prior, measurements, plan.perceptual);

	/** The fit as the objective has it: under fresh noise, over a pyramid, or as it is reported. */
	function dataTerm(state: TensorMap, inputs: TensorMap, { apart, data }: Fit): tf.Tensor {
		const scale = state['fitted.scale']!;
		if (plan.pyramid) return tf.mul(pyramid(tf.mul(apart, state.fitted!), inputs['weight.l1']!), scale);
		if (!plan.stochastic) return data;
		const squares = tf.square(tf.add(apart, inputs.noise!));
		return tf.mul(sumPerImage(tf.mul(squares, state.fitted!)), scale);
	}

	function evaluate(state: TensorMap, inputs: TensorMap, values: tf.Tensor[]): tf.Tensor2D {
		const variables = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
		const image = networks.image(state, layer, variables);
		const fit = fitOf(state, measurements, image);
		const perceptual = distance ? distance(state, withPrefix(state, 'p.'), image, fit.applied) : null;
		const data = dataTerm(state, inputs, fit);
		let objective: tf.Tensor = plan.floor ? tf.maximum(data, inputs.floor!) : data;
		if (perceptual) objective = tf.add(objective, tf.mul(perceptual, inputs['weight.perceptual']!));
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
		return evaluated(state, fit, image, objective, perceptual);
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
			...(plan.jitter ? { jitter: latentShape(prior, plan, batch) } : {}),
		},
		run(state, inputs) {
			const values = names.map((name) =>
				name === 'latent' && plan.jitter ? tf.add(state['x.latent']!, inputs.jitter!) : state[`x.${name}`]!,
			);
			const step = evaluateStep(state, inputs, values, () => evaluate(state, inputs, values));
			const next: TensorMap = step.best;
			names.forEach((name, i) => {
				const x = state[`x.${name}`]!;
				const gradient = step.gradients[i]!;
				next[`best.${name}`] = step.choose(values[i]!, state[`best.${name}`]!);
				if (typeof plan.descent === 'string') {
					const along = plan.descent === 'sgd' ? gradient : normalised(state, layer, name, gradient);
					const moved = tf.sub(x, tf.mul(along, inputs.rate!));
					next[`x.${name}`] = constrain(plan, name, moved, x, inputs.radius!);
					return;
				}
				const moved = adamMoves(state, name, gradient, inputs.rate!, inputs.correction!, betasOf(plan));
				next[`m.${name}`] = moved.m;
				next[`v.${name}`] = moved.v;
				next[`x.${name}`] = constrain(plan, name, moved.x, x, inputs.radius!);
			});
			return { outputs: { report: step.report }, state: next };
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

/**
 * Takes one candidate for each image, a z or a w in units of its deviation, and keeps the one whose image is closest to
 * the measurements: by the perceptual distance where there is one, else by the data term.
 */
function drawFunction(
	prior: Prior,
	measurements: Measurements,
	plan: LayerPlan,
	networks: Networks,
): ProgramFunction {
	const batch = measurements.keys.length;
	const distance = plan.perceptual && measuredDistance(prior, measurements, plan.perceptual);
	return {
		inputs: { candidate: [batch, plan.draws === 'centre' ? prior.generator.wDim : prior.generator.zDim] },
		run(state, { candidate }) {
			/** The new start by the entry it stands in. */
			const starts: TensorMap = {};
			if (plan.draws === 'centre') starts.centre = candidate!;
			else if (plan.space === 'z') starts['x.latent'] = candidate!;
			else {
				const w = tf.reshape(networks.mapped(state, candidate!), [batch, 1, -1]);
				starts['x.latent'] = tf.add(w, tf.zeros([1, prior.generator.numStyles, 1]));
			}
			if (plan.mapped) starts['x.z'] = candidate!;
			const from = { ...state, ...starts };
			const image = networks.image(from, plan.layers[0]!, { latent: from['x.latent']! });
			const fit = fitOf(state, measurements, image);
			const score = distance ? distance(state, withPrefix(state, 'p.'), image, fit.applied) : fit.data;
			const better = tf.less(score, state['draw.score']!); // [N, 1]
			const next: TensorMap = { 'draw.score': tf.where(better, score, state['draw.score']!) };
			for (const [name, value] of Object.entries(starts)) {
				const mask = tf.reshape(better, [batch, ...value.shape.slice(1).map(() => 1)]);
				next[name] = tf.where(mask, value, state[name]!);
			}
			return { outputs: {}, state: next };
		},
	};
}

/** Inputs of a step that only some plans have. */
export function extraInputs({ mapped, cosine, floor, pyramid, perceptual }: LayerPlan): string[] {
	return [
		...(perceptual ? ['weight.perceptual'] : []),
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
	term: PerceptualTerm | null,
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
		state: initialState(prior, measurements, plan, term),
		functions,
	});
}
