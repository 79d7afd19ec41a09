// The captured program that tunes a generator's weights to one image: its blocks' parameters are one flat variable beside
// the latent.
//
// One image at a time, from the checkpoint's weights each: with shared weights an image's result would depend on its batch,
// and a copy of the weights for each image of a batch would need a convolution by groups, which the engine does not have.
//
// State: that of a layered program of one image (plan.ts), where g.* keeps the checkpoint's weights, and x, m and v of
// `weights`, and `factors` of its rate.
import * as tf from '@tensorflow/tfjs-core';
import {
	type Engine,
	type ParameterLayout,
	type Program,
	type ProgramFunction,
	parameterLayout,
	type TensorMap,
} from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { adamMoves, type Betas, evaluated, evaluateStep, fitOf, WORST_SCORE } from './iterate.ts';
import { synthesis } from './networks.ts';
import { imageDistance, measuredDistance, type PerceptualTerm } from './perceptual.ts';
import { initialState, type LayerPlan, latentShape, planKey, prefixed, withPrefix, zeros } from './plan.ts';
import { sumPerImage } from './terms.ts';

/** What decides the program. */
export interface TuningPlan {
	/** Of the latent: space, centre, comparison. One layer. */
	latent: LayerPlan;
	betas: Betas;
	/** Hold the images of other latents near what they were. */
	locality: boolean;
}

/** How random latents are drawn towards the mean for the locality term (PTI's code). */
const LOCAL_TRUNCATION = 0.5;

/** The parameters that are tuned, in the order of the blocks. */
export function tunedLayout({ generator }: Prior): ParameterLayout {
	const names = generator.blocks.flat();
	return parameterLayout(Object.fromEntries(names.map((name) => [name, generator.shapes[name]!])));
}

function stepFunction(
	prior: Prior,
	measurements: Measurements,
	{ latent: plan, betas, locality }: TuningPlan,
	layout: ParameterLayout,
): ProgramFunction {
	const networks = synthesis(prior, plan);
	const layer = plan.layers[0]!;
	const distance = plan.perceptual && measuredDistance(prior, measurements, plan.perceptual);
	const between = plan.perceptual && imageDistance(prior, plan.perceptual);

	/**
	 * L_R of PTI (equation 5): how far the image of a latent beside the pivot, towards a random one, has moved.
	 *
	 * @param tuned state with the weights of now in place of the checkpoint's
	 */
	function moved(state: TensorMap, tuned: TensorMap, inputs: TensorMap): tf.Tensor {
		const params = withPrefix(state, 'g.');
		const { generator } = prior;
		const drawn = tf.mul(tf.sub(generator.map(params, inputs.local!), state['w.mean']!), LOCAL_TRUNCATION);
		const pivot = networks.styles(state, state['x.latent']!); // [1, L, W]
		const apart = tf.sub(tf.reshape(tf.add(drawn, state['w.mean']!), [1, 1, -1]), pivot);
		const length = tf.sqrt(tf.add(tf.mean(tf.sum(tf.square(apart), 2)), 1e-9));
		const deviation = tf.sqrt(tf.sum(tf.square(state['w.std']!)));
		const styles = tf.add(pivot, tf.mul(apart, tf.div(tf.mul(inputs.reach!, deviation), length)));
		const noises = generator.noiseShapes.map((_, index) => state[`x.noise.${index}`]!);
		const before = generator.synthesize(params, { styles, noises });
		const now = generator.synthesize(withPrefix(tuned, 'g.'), { styles, noises });
		const squares = tf.div(sumPerImage(tf.square(tf.sub(now, before))), now.size); // [1, 1]
		return between ? tf.add(squares, between(withPrefix(state, 'p.'), now, before)) : squares;
	}

	function evaluate(state: TensorMap, inputs: TensorMap, weights: tf.Tensor, latent: tf.Tensor): tf.Tensor2D {
		const tuned = { ...state };
		for (const [name, value] of Object.entries(layout.unpack(weights))) tuned[`g.${name}`] = value;
		const image = networks.image(tuned, layer, { latent });
		const fit = fitOf(state, measurements, image);
		const perceptual = distance ? distance(state, withPrefix(state, 'p.'), image, fit.applied) : null;
		let objective: tf.Tensor = tf.mul(fit.data, inputs['weight.data']!);
		if (perceptual) objective = tf.add(objective, tf.mul(perceptual, inputs['weight.perceptual']!));
		objective = tf.add(objective, tf.mul(sumPerImage(tf.square(latent)), inputs['weight.latent']!));
		if (locality) {
			objective = tf.add(objective, tf.mul(moved(state, tuned, inputs), inputs['weight.locality']!));
		}
		return evaluated(state, fit, image, objective, perceptual);
	}

	return {
		inputs: {
			rate: [1],
			'rate.latent': [1],
			correction: [1],
			active: [1, 1],
			pick: [3],
			'weight.data': [1],
			'weight.perceptual': [1],
			'weight.latent': [1],
			...(locality ? { 'weight.locality': [1], reach: [1], local: [1, prior.generator.zDim] } : {}),
		},
		run(state, inputs) {
			const [weights, latent] = [state['x.weights']!, state['x.latent']!];
			const step = evaluateStep(state, inputs, [weights, latent], () =>
				evaluate(state, inputs, weights, latent),
			);
			const [ofWeights, ofLatent] = step.gradients as [tf.Tensor, tf.Tensor];
			const rate = tf.mul(inputs.rate!, state.factors!);
			const nextWeights = adamMoves(state, 'weights', ofWeights, rate, inputs.correction!, betas);
			const nextLatent = adamMoves(
				state,
				'latent',
				ofLatent,
				inputs['rate.latent']!,
				inputs.correction!,
				betas,
			);
			return {
				outputs: { report: step.report },
				state: {
					...step.best,
					'best.latent': step.choose(latent, state['best.latent']!),
					'x.weights': nextWeights.x,
					'm.weights': nextWeights.m,
					'v.weights': nextWeights.v,
					'x.latent': nextLatent.x,
					'm.latent': nextLatent.m,
					'v.latent': nextLatent.v,
				},
			};
		},
	};
}

/** Entries that change while an image is tuned; `factors` are a stage's own. */
const moving = ['x', 'm', 'v'].flatMap((slot) => [`${slot}.weights`, `${slot}.latent`]);
export const tuningState: readonly string[] = [...moving, 'best.score', 'best.image', 'best.latent'];

export type TuningProgram = Program<Record<'step' | 'restore' | 'enter', ProgramFunction>>;

/** Programs with the same key are interchangeable. */
export function tuningKey(prior: Prior, measurements: Measurements, plan: TuningPlan): string {
	return JSON.stringify(['tuning', planKey(prior, measurements, plan.latent), plan]);
}

/** Compiles the program of a plan for measurements of one image. */
export function compileTuning(
	engine: Engine,
	prior: Prior,
	measurements: Measurements,
	plan: TuningPlan,
	term: PerceptualTerm | null,
): TuningProgram {
	const layout = tunedLayout(prior);
	const flat = zeros([layout.size]);
	const slots = (): TensorMap => ({
		'm.weights': tf.zeros([layout.size]),
		'v.weights': tf.zeros([layout.size]),
		'm.latent': tf.zeros(latentShape(prior, plan.latent, 1)),
		'v.latent': tf.zeros(latentShape(prior, plan.latent, 1)),
	});
	return engine.compile({
		name: `tuning ${prior.generator.kind}`,
		state: {
			...initialState(prior, measurements, plan.latent, term),
			...prefixed('x.', { weights: flat }),
			...prefixed('m.', { weights: flat }),
			...prefixed('v.', { weights: flat }),
			factors: flat,
		},
		functions: {
			step: stepFunction(prior, measurements, plan, layout),
			/** The checkpoint's weights, and nothing selected. */
			restore: {
				inputs: {},
				run: (state) => ({
					outputs: {},
					state: {
						'x.weights': layout.pack(withPrefix(state, 'g.')),
						'best.score': tf.fill([1, 1], WORST_SCORE),
					},
				}),
			},
			/** A stage begins: fresh optimiser slots. */
			enter: { inputs: {}, run: () => ({ outputs: {}, state: slots() }) },
		},
	});
}
