// Total variation: min_x ½ ‖Ax − y‖² + λ Σ_pixels ‖∇x‖ over images in [−1, 1] (Rudin, Osher, Fatemi 1992; the gradients of
// all channels of a pixel together), by the primal-dual method of Chambolle and Pock (2011, Algorithm 1) with both terms
// dualised, so that any operator with an adjoint serves. Step sizes per image, from its own ‖A‖ by power iteration.
// λ grows with the noise level that the measurement states; nothing is tuned by a truth.
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { HostTensor, HostTensors, Program, ProgramFunction, TensorMap } from '../../engine/index.ts';
import { stream } from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import { type Measurements, pixels } from '../problems/index.ts';
import { operatorFor } from '../problems/registry.ts';
import { withPrefix } from '../solvers/plan.ts';
import { SolveRecorder, type SolveSnapshot } from '../solvers/resume.ts';
import type { LayerHistory, Progress, Reconstruction, SolveContext, Solver } from '../solvers/solver.ts';
import { directResult, imageShape, operatorState, programKey } from './direct.ts';

const schema = z.strictObject({
	steps: z.int().min(1).max(100_000),
	/** λ without noise. */
	weight: z.number().positive().max(100),
	/** Added to λ for each unit of the noise's σ. */
	weightOfNoise: z.number().min(0).max(100),
});

type Options = z.output<typeof schema>;

const POWER_ITERATIONS = 30;
/** ‖∇‖² of forward differences in two directions is below 8. */
const GRADIENT_NORM = 8;
/** √(τ / σ) of the step sizes: pixels move over [−1, 1], the dual of ∇ over λ. */
const BALANCE = 5;

/** Forward differences down and across, 0 at the last row and column: [N, H, W, C] → [N, H, W, 2C]. */
function gradient(x: tf.Tensor4D): tf.Tensor4D {
	const [, H, W] = x.shape;
	const down = tf.sub(tf.slice(x, [0, 1, 0, 0]), tf.slice(x, [0, 0, 0, 0], [-1, H - 1, -1, -1]));
	const across = tf.sub(tf.slice(x, [0, 0, 1, 0]), tf.slice(x, [0, 0, 0, 0], [-1, -1, W - 1, -1]));
	const rows = tf.pad(down as tf.Tensor4D, [none, [0, 1], none, none]);
	const columns = tf.pad(across as tf.Tensor4D, [none, none, [0, 1], none]);
	return tf.concat([rows, columns], 3) as tf.Tensor4D;
}

const none: [number, number] = [0, 0];

/** ∇ᵀ: [N, H, W, 2C] → [N, H, W, C]. */
function gradientAdjoint(q: tf.Tensor4D): tf.Tensor4D {
	const [N, H, W, twice] = q.shape;
	const C = twice / 2;
	const rows = tf.slice(q, [0, 0, 0, 0], [N, H - 1, W, C]);
	const columns = tf.slice(q, [0, 0, 0, C], [N, H, W - 1, C]);
	return tf.addN([
		tf.pad(rows, [none, [1, 0], none, none]),
		tf.neg(tf.pad(rows, [none, [0, 1], none, none])),
		tf.pad(columns, [none, none, [1, 0], none]),
		tf.neg(tf.pad(columns, [none, none, [0, 1], none])),
	]) as tf.Tensor4D;
}

const perImage = (x: tf.Tensor): tf.Tensor2D =>
	tf.sum(tf.reshape(x, [x.shape[0]!, -1]), 1, true) as tf.Tensor2D;

const lengths = (q: tf.Tensor): tf.Tensor => tf.sqrt(tf.sum(tf.square(q), 3, true));

/** A number an image, of the rank of `like`. */
const spread = (values: tf.Tensor, like: tf.Tensor): tf.Tensor =>
	tf.reshape(values, [values.shape[0]!, ...like.shape.slice(1).map(() => 1)]);

function compile(
	{ engine }: SolveContext,
	measurements: Measurements,
): Program<Record<string, ProgramFunction>> {
	const operator = operatorFor(measurements.problem);
	const { image, keys } = measurements;
	const lambdas = { lambda: [keys.length, 1] };
	const apply = (state: TensorMap, x: tf.Tensor): tf.Tensor =>
		operator.apply(withPrefix(state, 'op.'), x as tf.Tensor4D);
	const adjoint = (state: TensorMap, p: tf.Tensor): tf.Tensor4D =>
		operator.adjoint(withPrefix(state, 'op.'), p, image);
	return engine.compile<Record<string, ProgramFunction>>({
		name: `tv ${measurements.problem.kind}`,
		state: startingState(measurements),
		functions: {
			/** One power iteration on AᵀA; the largest eigenvalue so far sets the step. */
			power: {
				inputs: {},
				run(state) {
					const { power } = state;
					const unit = tf.div(power!, spread(tf.sqrt(tf.add(perImage(tf.square(power!)), 1e-20)), power!));
					const next = adjoint(state, apply(state, unit));
					const eigenvalue = tf.sqrt(perImage(tf.square(next)));
					// Power iteration comes from below: 5 % more is safe.
					const step = tf.rsqrt(tf.add(tf.mul(eigenvalue, 1.05), GRADIENT_NORM));
					return { outputs: {}, state: { power: next, step } };
				},
			},
			step: {
				inputs: lambdas,
				run(state, { lambda }) {
					const { x, ahead, p, q, y, step } = state as Record<string, tf.Tensor4D>;
					const sigma = tf.div(step!, BALANCE);
					const tau = tf.mul(step!, BALANCE);
					const misfit = tf.sub(apply(state, ahead!), y!);
					const nextP = tf.div(tf.add(p!, tf.mul(misfit, spread(sigma, p!))), tf.add(spread(sigma, p!), 1));
					const tried = tf.add(q!, tf.mul(gradient(ahead!), spread(sigma, q!)));
					const nextQ = tf.div(
						tried,
						tf.maximum(tf.div(lengths(tried), spread(lambda!, tried)), 1),
					) as tf.Tensor4D;
					const slope = tf.add(adjoint(state, nextP), gradientAdjoint(nextQ));
					const nextX = tf.clipByValue(tf.sub(x!, tf.mul(slope, spread(tau, x!))), -1, 1);
					return {
						outputs: {},
						state: { x: nextX, ahead: tf.sub(tf.mul(nextX, 2), x!), p: nextP, q: nextQ },
					};
				},
			},
			/** Objective and ‖Ax − y‖² / ‖y‖² of each image, [N, 2]. */
			report: {
				inputs: lambdas,
				run(state, { lambda }) {
					const { x, y } = state as Record<string, tf.Tensor4D>;
					const error = perImage(tf.square(tf.sub(apply(state, x!), y!)));
					const variation = perImage(lengths(gradient(x!)));
					const energy = tf.add(perImage(tf.square(y!)), 1e-12);
					const objective = tf.add(tf.mul(error, 0.5), tf.mul(variation, lambda!));
					return { outputs: { report: tf.concat([objective, tf.div(error, energy)], 1) } };
				},
			},
		},
	});
}

function startingState(measurements: Measurements): HostTensors {
	const { y, keys, image } = measurements;
	const [N, H, W, C] = imageShape(measurements) as [number, number, number, number];
	const zeros = (...shape: number[]): HostTensor => ({
		shape,
		data: new Float32Array(shape.reduce((product, side) => product * side, 1)),
	});
	const one = stream(0, 'power-iteration').normals(0, pixels(image));
	const power = zeros(N, H, W, C);
	keys.forEach((_, i) => {
		power.data.set(one, i * one.length);
	});
	return {
		...operatorState(measurements),
		y,
		power,
		step: zeros(N, 1),
		x: zeros(N, H, W, C),
		ahead: zeros(N, H, W, C),
		p: zeros(...y.shape),
		q: zeros(N, H, W, 2 * C),
	};
}

/** Entries that change while a solve goes on, and the step sizes. */
const moving = ['x', 'ahead', 'p', 'q', 'step'];

interface TvSnapshot extends SolveSnapshot {
	values: { step: number; history: LayerHistory; milliseconds: number };
}

async function* solve(
	_prior: Prior | null,
	measurements: Measurements,
	options: Options,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	const { keys, sigma } = measurements;
	const { steps, weight, weightOfNoise } = options;
	const lambda = Float32Array.from(keys, (_, i) => weight + weightOfNoise * (sigma?.[i] ?? 0));
	const now = context.now ?? (() => performance.now());
	const recorder = new SolveRecorder(context.resume, now);
	const every = context.progressEvery ?? 10;
	const key = programKey('tv', measurements);
	const program = context.programs.take(key, () => compile(context, measurements));
	try {
		program.write(startingState(measurements));
		const saved = (await recorder.latest()) as TvSnapshot | null;
		if (saved) program.write(saved.tensors);
		else for (let i = 0; i < POWER_ITERATIONS; i++) program.call('power', {});
		const begun: TvSnapshot['values'] = {
			step: 0,
			history: { name: 'image', objective: [], residual: [], heldOut: [] },
			milliseconds: 0,
		};
		const { history, milliseconds, ...from } = saved?.values ?? begun;
		const startedAt = now() - milliseconds;
		let { step } = from;
		let late = false;
		for (;;) {
			context.signal?.throwIfAborted();
			late = context.deadline !== undefined && now() >= context.deadline;
			const ends = late || step === steps;
			if (step % every === 0 || ends) {
				const { data } = program.call('report', { lambda }).report!;
				const objective = keys.map((_, i) => data[2 * i]!);
				const residual = keys.map((_, i) => data[2 * i + 1]!);
				history.objective.push(objective);
				history.residual.push(residual);
				const seconds = (now() - startedAt) / 1000;
				yield {
					layer: 0,
					layers: 1,
					layerName: 'image',
					step,
					steps,
					residual,
					heldOut: null,
					objective,
					rate: 0,
					seconds,
					secondsLeft: step > 0 ? (seconds / step) * (steps - step) : 0,
					...(context.previewEvery && step % context.previewEvery === 0
						? { preview: program.read(['x']).x! }
						: {}),
				};
			}
			if (ends) break;
			program.call('step', { lambda });
			step++;
			await recorder.record(() => ({
				tensors: program.read(moving),
				values: { step, history, milliseconds: now() - startedAt },
			}));
			// Lets messages in: a cancellation arrives as one.
			await nextTurn();
		}
		const reasons = keys.map(() => (late ? ('deadline' as const) : ('steps' as const)));
		const residual = history.residual[history.residual.length - 1]!;
		const seconds = (now() - startedAt) / 1000;
		return directResult(program.read(['x']).x!, residual, seconds, {
			reasons,
			steps: step,
			history: [history],
		});
	} finally {
		context.programs.put(key, program);
	}
}

export const tv: Solver<typeof schema, Prior | null> = {
	kind: 'tv',
	summary: 'total variation by Chambolle and Pock; serves every problem, needs no prior',
	needs: 'nothing',
	schema,
	presets: {
		quick: { steps: 300, weight: 0.003, weightOfNoise: 1.1 },
		exact: { steps: 3000, weight: 0.003, weightOfNoise: 1.1 },
	},
	check() {},
	solve,
};
