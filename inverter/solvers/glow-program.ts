// The captured program of an inversion with a Glow: objective, report and gradient at a point of each image; the image
// there; the images that a solve can start from. A point is a row of D numbers, D as many as an image has: the latents eps
// of all blocks (synthesis), or the image x in [−½, ½] (analysis).
//
// Objective of an image: (m / m_f) Σ_fitted (Ax − y)² + λ R in the units of x, a quarter of squares on [−1, 1]; m values
// are measured, m_f of them fitted, so that λ means the same whatever is held out.
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, HostTensors, Program, ProgramFunction, TensorMap } from '../../engine/index.ts';
import type { GlowPrior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { operatorFor } from '../problems/registry.ts';
import { latentSize, latentsOf } from '../statistics.ts';
import { withPrefix } from './plan.ts';
import type { Split } from './selection.ts';
import { sumPerImage } from './terms.ts';

/** What is penalised: ‖eps‖², ‖z‖² of the latents as they come out of the network, or −log p(x) in nats. */
export type GlowRegulariser = 'eps' | 'z' | 'likelihood';

/** What decides the program; strengths are inputs. */
export interface GlowPlan {
	/** What is optimised: the latents, or the image. */
	formulation: 'synthesis' | 'analysis';
	regulariser: GlowRegulariser;
	/** Clip the image to [−1, 1] before everything else. */
	clip: boolean;
	/** Report the error to a truth. */
	truth: boolean;
}

/** No division by zero when a measurement is all zeros. */
const SMALLEST_ENERGY = 1e-12;

export type GlowProgram = Program<Record<string, ProgramFunction>>;

/** Programs with the same key are interchangeable. */
export function glowKey({ glow }: GlowPrior, measurements: Measurements, plan: GlowPlan): string {
	const shapes = Object.entries(measurements.parameters).map(([name, { shape }]) => [name, shape]);
	return JSON.stringify(['glow', glow.config, measurements.problem.kind, measurements.y.shape, shapes, plan]);
}

/** The state of a batch: everything but points. */
export function glowState(
	{ params }: GlowPrior,
	{ keys, parameters, support, y }: Measurements,
	split: Split,
	truth: HostTensors[string] | undefined,
): HostTensors {
	const prefixed = (prefix: string, tensors: HostTensors): [string, HostTensors[string]][] =>
		Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]);
	const N = keys.length;
	const each = support.data.length / N;
	// fitted.scale is 1 / m_f.
	const scale = split.state['fitted.scale']!.data.map((inverse, n) => {
		const m = support.data.subarray(n * each, (n + 1) * each).reduce((sum, one) => sum + one, 0);
		return (inverse * m) / 4;
	});
	return {
		...Object.fromEntries([...prefixed('g.', params), ...prefixed('op.', parameters)]),
		...split.state,
		'fitted.scale': { shape: [N, 1], data: scale },
		y,
		...(truth ? { truth } : {}),
	};
}

/** Compiles the program of a plan; `state` as of `glowState`. */
export function compileGlow(
	engine: Engine,
	prior: GlowPrior,
	measurements: Measurements,
	plan: GlowPlan,
	state: HostTensors,
): GlowProgram {
	const { glow } = prior;
	const { image, keys, problem, y } = measurements;
	const operator = operatorFor(problem);
	const N = keys.length;
	const D = latentSize(prior);
	const shape = [N, image.height, image.width, image.channels];
	const synthesis = plan.formulation === 'synthesis';

	/** The image at the points, in [−1, 1]. */
	function imageAt(network: TensorMap, points: tf.Tensor): tf.Tensor4D {
		const x = synthesis ? glow.generate(network, latentsOf(glow, points)) : tf.reshape(points, shape);
		const picture = tf.mul(x, 2);
		return (plan.clip ? tf.clipByValue(picture, -1, 1) : picture) as tf.Tensor4D;
	}

	function penalty(network: TensorMap, points: tf.Tensor, picture: tf.Tensor): tf.Tensor {
		if (synthesis) return sumPerImage(tf.square(points));
		const { z, eps, logPrior, logDeterminant } = glow.encode(network, tf.mul(picture, 0.5));
		if (plan.regulariser === 'likelihood') {
			return tf.reshape(tf.neg(tf.add(logPrior, logDeterminant)), [N, 1]);
		}
		return tf.addN((plan.regulariser === 'z' ? z : eps).map((part) => sumPerImage(tf.square(part))));
	}

	function evaluate(given: TensorMap, points: tf.Tensor, weight: tf.Tensor): tf.Tensor2D {
		const network = withPrefix(given, 'g.');
		const picture = imageAt(network, points);
		const squares = tf.square(tf.sub(operator.apply(withPrefix(given, 'op.'), picture), given.y!));
		const fitted = sumPerImage(tf.mul(squares, given.fitted!));
		const heldOut = tf.div(sumPerImage(tf.mul(squares, given['held-out']!)), given['held-out.energy']!);
		const data = tf.mul(fitted, given['fitted.scale']!);
		const objective = tf.add(data, tf.mul(penalty(network, points, picture), weight));
		const error = plan.truth
			? tf.div(sumPerImage(tf.square(tf.sub(picture, given.truth!))), D)
			: tf.fill([N, 1], 0);
		const residual = tf.div(fitted, given['fitted.energy']!);
		return tf.concat([objective, residual, heldOut, data, error] as tf.Tensor2D[], 1);
	}

	return engine.compile<Record<string, ProgramFunction>>({
		name: `inversion glow ${plan.formulation}`,
		state,
		functions: {
			evaluate: {
				inputs: { points: [N, D], weight: [N, 1] },
				run(given, { points, weight }) {
					// Only the first column, the objective, is differentiated; the others ride along.
					const seed = tf.concat([tf.fill([N, 1], 1), tf.fill([N, 4], 0)] as tf.Tensor2D[], 1);
					const { value, grads } = tf
						.engine()
						.gradients(() => evaluate(given, points!, weight!), [points!], seed);
					return { outputs: { report: value, gradient: grads[0]! } };
				},
			},
			image: {
				inputs: { points: [N, D] },
				run: (given, { points }) => ({
					outputs: { image: imageAt(withPrefix(given, 'g.'), points!) },
				}),
			},
			/** G(0), the image of the latents' mean. */
			mean: {
				inputs: {},
				run(given) {
					const latents = latentsOf(glow, tf.fill([N, D], 0));
					return { outputs: { image: tf.mul(glow.generate(withPrefix(given, 'g.'), latents), 2) } };
				},
			},
			/** The multiple of Aᵀ y that fits best, y being 0 where it is not fitted. */
			adjoint: {
				inputs: { '.y': y.shape },
				run(given, inputs) {
					const parameters = withPrefix(given, 'op.');
					const back = operator.adjoint(parameters, inputs['.y']!, image);
					const again = tf.mul(operator.apply(parameters, back), given.fitted!);
					const factor = tf.div(
						sumPerImage(tf.square(back)),
						tf.add(sumPerImage(tf.square(again)), SMALLEST_ENERGY),
					);
					return { outputs: { image: tf.mul(back, tf.reshape(factor, [N, 1, 1, 1])) } };
				},
			},
		},
	});
}
