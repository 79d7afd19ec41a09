// The captured program of a layer-by-layer inversion. Layer 0 optimises the latents (CSGM is this alone); every later one
// starts at a cut and optimises an offset to the features there, with the latents and noises that are used after it.
// Source: ILO (Daras et al. 2021), RTIL (Gunn et al. 2023, Algorithm 1). Deviations from the published code: the RGB
// image, latents and noises are carried from layer to layer, so that the first iterate of a layer is the last image of
// the one before; the geodesic term acts in every layer; the prefix up to a cut is computed once, on entering the layer.
//
// State entries: g.* generator; op.* operator; x.* variables; m.* and v.* Adam; best.* the selected iterate;
// at.<cut>.* what stands at a cut. Every per-image quantity leads with N, and no operation mixes images.
import * as tf from '@tensorflow/tfjs-core';
import type {
	Engine,
	HostTensor,
	HostTensors,
	Program,
	ProgramFunction,
	TensorMap,
} from '../../engine/index.ts';
import type { Cut, CutState, SynthesisInput } from '../../models/index.ts';
import type { Prior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { operatorFor } from '../problems/registry.ts';
import { geodesic, onL1Ball, onSphere, sumPerImage } from './terms.ts';

/** Latents that are optimised: z, one w for all layers, or a w for each. */
export type LatentSpace = 'z' | 'w' | 'w+';

export interface Layer {
	/** null: from the latents. */
	cut: Cut | null;
	/** Noise maps with an index below this are optimised. */
	noises: number;
}

/** What decides the program; strengths and rates are inputs. */
export interface LayerPlan {
	space: LatentSpace;
	layers: readonly Layer[];
	/** Keep latents and optimised noises on the spheres they start on. */
	sphere: boolean;
	geodesic: boolean;
	ball: boolean;
	/** Report the error to a truth. */
	truth: boolean;
	/** Data term: Σ w r² / Σ w y² (relative), or Σ w r² / Σ w (mean). */
	fit: 'relative' | 'mean';
}

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

export const ADAM_BETA1 = 0.9;
export const ADAM_BETA2 = 0.999;
const ADAM_EPSILON = 1e-8;

/** Scores start here: anything finite is better. */
export const WORST_SCORE = 1e30;

/** First row of w+ that acts after a cut: rows 2 log₂(r) − 3 and later (the ToRGB of the block, then the next blocks). */
function firstRow(cut: Cut | null): number {
	return cut ? 2 * Math.log2(cut.resolution) - 3 : 0;
}

/** Indices of the noise maps that a layer optimises: those used after its cut, below its limit. */
function optimisedNoises(prior: Prior, { cut, noises }: Layer): number[] {
	return prior.generator.noiseShapes
		.map(([height], index) => ({ height, index }))
		.filter(({ height, index }) => index < noises && height > (cut?.resolution ?? 0))
		.map(({ index }) => index);
}

function variablesOf(prior: Prior, layer: Layer): string[] {
	const noises = optimisedNoises(prior, layer).map((index) => `noise.${index}`);
	return ['latent', ...noises, ...(layer.cut ? [`offset.${layer.cut.name}`] : [])];
}

function latentShape(prior: Prior, space: LatentSpace, batch: number): number[] {
	const { zDim, wDim, numStyles } = prior.generator;
	if (space === 'z') return [batch, zDim];
	return space === 'w' ? [batch, wDim] : [batch, numStyles, wDim];
}

const zeros = (shape: readonly number[]): HostTensor => ({
	shape,
	data: new Float32Array(shape.reduce((product, side) => product * side, 1)),
});

const prefixed = (prefix: string, tensors: HostTensors): HostTensors =>
	Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));

function withPrefix(state: TensorMap, prefix: string): TensorMap {
	return Object.fromEntries(
		Object.entries(state)
			.filter(([name]) => name.startsWith(prefix))
			.map(([name, tensor]) => [name.slice(prefix.length), tensor]),
	);
}

export interface Variable {
	name: string;
	shape: number[];
	/** In some layer; else it keeps its start. */
	optimised: boolean;
}

/** Latent, noise maps and offsets of a plan. */
export function variables(prior: Prior, plan: LayerPlan, batch: number): Variable[] {
	const optimised = new Set(plan.layers.flatMap((layer) => variablesOf(prior, layer)));
	const shapes: [string, number[]][] = [['latent', latentShape(prior, plan.space, batch)]];
	prior.generator.noiseShapes.forEach(([height, width], index) => {
		shapes.push([`noise.${index}`, [batch, height, width, 1]]);
	});
	for (const { cut } of plan.layers) {
		if (cut) shapes.push([`offset.${cut.name}`, [batch, cut.resolution, cut.resolution, cut.channels]]);
	}
	return shapes.map(([name, shape]) => ({ name, shape, optimised: optimised.has(name) }));
}

const isFirst = (prior: Prior, cut: Cut): boolean => cut.name === prior.generator.cuts[0]!.name;

function initialState(prior: Prior, measurements: Measurements, plan: LayerPlan): HostTensors {
	const batch = measurements.keys.length;
	const { resolution, channels } = prior.generator;
	const image = [batch, resolution, resolution, channels];
	const state: HostTensors = {
		...priorState(prior),
		...prefixed('op.', measurements.parameters),
		y: measurements.y,
		fitted: measurements.support,
		'held-out': measurements.support,
		'fitted.scale': zeros([batch, 1]),
		'fitted.energy': zeros([batch, 1]),
		'held-out.energy': zeros([batch, 1]),
		'best.score': zeros([batch, 1]),
		'best.image': zeros(image),
	};
	if (plan.truth) state.truth = zeros(image);
	for (const { name, shape, optimised } of variables(prior, plan, batch)) {
		state[`x.${name}`] = zeros(shape);
		if (!optimised) continue;
		state[`best.${name}`] = zeros(shape);
		state[`m.${name}`] = zeros(shape);
		state[`v.${name}`] = zeros(shape);
	}
	for (const { cut } of plan.layers) {
		if (!cut) continue;
		const { name, resolution: side, channels: depth } = cut;
		state[`at.${name}.features`] = zeros([batch, side, side, depth]);
		// Before its ToRGB, the image accumulated so far is that of the block before; the first cut has none.
		const before = side / 2;
		if (!isFirst(prior, cut)) state[`at.${name}.rgb`] = zeros([batch, before, before, channels]);
		state[`sigma.${name}`] = { shape: [1], data: Float32Array.of(1) };
	}
	return state;
}

/** Network functions over the state entries `x.*` (or `best.*`). */
function synthesis(prior: Prior, plan: LayerPlan) {
	const { generator } = prior;
	const { numStyles, wDim } = generator;

	function styles(state: TensorMap, latent: tf.Tensor): tf.Tensor3D {
		const params = withPrefix(state, 'g.');
		const w =
			plan.space === 'z'
				? generator.map(params, latent)
				: tf.add(tf.mul(latent, state['w.std']!), state['w.mean']!);
		if (w.rank === 3) return w as tf.Tensor3D;
		const rows = tf.reshape(w, [-1, 1, wDim]);
		return tf.add(rows, tf.zeros([1, numStyles, wDim])) as tf.Tensor3D;
	}

	/** Features and image at a layer's cut, its offset included. */
	function start(state: TensorMap, { cut }: Layer, offset: tf.Tensor | undefined): { from?: CutState } {
		if (!cut || !offset) return {};
		const features = tf.add(
			state[`at.${cut.name}.features`]!,
			tf.mul(offset, state[`sigma.${cut.name}`]!),
		) as tf.Tensor4D;
		const first = cut === generator.cuts[0];
		return {
			from: { cut: cut.name, features, rgb: first ? null : (state[`at.${cut.name}.rgb`] as tf.Tensor4D) },
		};
	}

	function inputs(state: TensorMap, layer: Layer, variables: TensorMap): SynthesisInput {
		const noises = generator.noiseShapes.map(
			(_, index) => variables[`noise.${index}`] ?? state[`x.noise.${index}`]!,
		);
		const offset = layer.cut ? variables[`offset.${layer.cut.name}`] : undefined;
		return { styles: styles(state, variables.latent!), noises, ...start(state, layer, offset) };
	}

	return {
		image: (state: TensorMap, layer: Layer, variables: TensorMap): tf.Tensor4D =>
			generator.synthesize(withPrefix(state, 'g.'), inputs(state, layer, variables)) as tf.Tensor4D,
		prefix: (state: TensorMap, layer: Layer, variables: TensorMap, to: string): CutState =>
			generator.synthesizeTo(withPrefix(state, 'g.'), inputs(state, layer, variables), to),
	};
}

type Networks = ReturnType<typeof synthesis>;

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
	const names = variablesOf(prior, layer);
	const { resolution, channels } = prior.generator;
	const row = firstRow(layer.cut);

	function evaluate(state: TensorMap, inputs: TensorMap, values: tf.Tensor[]): tf.Tensor2D {
		const variables = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
		const image = networks.image(state, layer, variables);
		const squares = tf.square(tf.sub(operator.apply(withPrefix(state, 'op.'), image), state.y!));
		const fitted = sumPerImage(tf.mul(squares, state.fitted!)); // [N, 1]
		const heldOut = tf.div(sumPerImage(tf.mul(squares, state['held-out']!)), state['held-out.energy']!);
		const residual = tf.div(fitted, state['fitted.energy']!);
		const data = tf.mul(fitted, state['fitted.scale']!);
		let objective: tf.Tensor = data;
		names.forEach((name, i) => {
			const weight = inputs[name.startsWith('noise') ? 'weight.noise' : `weight.${name.split('.')[0]}`]!;
			objective = tf.add(objective, tf.mul(sumPerImage(tf.square(values[i]!)), weight));
		});
		if (plan.geodesic) {
			const latent = variables.latent as tf.Tensor3D;
			const used = tf.slice(latent, [0, row, 0], [-1, latent.shape[1] - row, -1]);
			objective = tf.add(objective, tf.mul(geodesic(used), inputs['weight.geodesic']!));
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
			'weight.latent': [1],
			'weight.noise': [1],
			'weight.offset': [1],
			'weight.geodesic': [1],
			radius: [1],
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
				const m = tf.add(tf.mul(state[`m.${name}`]!, ADAM_BETA1), tf.mul(gradient, 1 - ADAM_BETA1));
				const v = tf.add(
					tf.mul(state[`v.${name}`]!, ADAM_BETA2),
					tf.mul(tf.square(gradient), 1 - ADAM_BETA2),
				);
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
	const cut = layer.cut!;
	return {
		inputs: {},
		run(state) {
			const best = Object.fromEntries(
				variablesOf(prior, before).map((name) => [name, state[`best.${name}`]!]),
			);
			const { features, rgb } = networks.prefix(state, before, best, cut.name);
			const next: TensorMap = {
				[`at.${cut.name}.features`]: features,
				'best.score': tf.fill([batch, 1], WORST_SCORE),
			};
			if (rgb) next[`at.${cut.name}.rgb`] = rgb;
			for (const name of variablesOf(prior, before)) next[`x.${name}`] = tf.clone(best[name]!);
			for (const name of variablesOf(prior, layer)) {
				const { shape } = state[`x.${name}`]!;
				if (name.startsWith('offset')) next[`x.${name}`] = tf.zeros(shape);
				next[`m.${name}`] = tf.zeros(shape);
				next[`v.${name}`] = tf.zeros(shape);
			}
			return { outputs: {}, state: next };
		},
	};
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

/** Programs with the same key are interchangeable: priors of one architecture share theirs. */
export function planKey({ generator }: Prior, measurements: Measurements, plan: LayerPlan): string {
	const shapes = Object.entries(measurements.parameters).map(([name, { shape }]) => [name, shape]);
	const architecture = [generator.kind, generator.config];
	return JSON.stringify([architecture, measurements.problem.kind, measurements.y.shape, shapes, plan]);
}

/** The entries of a program's state that are the prior's. */
export function priorState({ params, latent, generator }: Prior): HostTensors {
	return {
		...prefixed('g.', params),
		'w.mean': { shape: [generator.wDim], data: latent.wMean },
		'w.std': { shape: [generator.wDim], data: latent.wStd },
	};
}
