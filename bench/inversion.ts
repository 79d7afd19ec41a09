// Solver steps as `rtil invert` runs them (generator forward and backward, Adam, selection, progress), beside what they
// are held to: the bare captured step, and one image alone without capture. And ILO at 256², for its memory.
import * as tf from '@tensorflow/tfjs-core';
import { adam, adamStep, type Engine, type HostTensors, stream, valueAndGradients } from '../engine/index.ts';
import {
	type Measurements,
	measure,
	OperatorPrograms,
	operatorFor,
	type Prior,
	ProgramCache,
	parseProblem,
	parseSolver,
	solverFor,
} from '../inverter/index.ts';
import {
	type GanArchitecture,
	type Generator,
	generatorOf,
	modelPresets,
	stylegan2Generator,
} from '../models/index.ts';
import type { Subject } from './timing.ts';

const resolution = 64;
const stepsARun = 50;
const settings = { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** A prior that is no worse to invert than a trained one, as far as time and memory go. */
function untrained(generator: Generator): Prior {
	const { wDim, cuts } = generator;
	return {
		kind: 'gan',
		id: 'bench',
		generator,
		params: generator.init(0),
		latent: {
			wMean: new Float32Array(wDim),
			wStd: new Float32Array(wDim).fill(1),
			featureStd: Object.fromEntries(cuts.map(({ name }) => [name, 1])),
		},
		rtil: null,
	};
}

function measured(engine: Engine, { generator }: Prior, batch: number): Measurements {
	const side = generator.resolution;
	const images = {
		shape: [batch, side, side, 3],
		data: stream(0, 'truth').uniforms(0, batch * side * side * 3),
	};
	const keys = Array.from({ length: batch }, (_, i) => ({ seed: 0, image: String(i) }));
	const problem = parseProblem({ kind: 'compressed-sensing', ratio: 0.25 });
	return measure(new OperatorPrograms(engine), problem, images, keys);
}

function solving(
	engine: Engine,
	prior: Prior,
	measurements: Measurements,
	solver: object,
	programs: ProgramCache,
): () => Promise<void> {
	const spec = parseSolver(solver);
	return async () => {
		const run = solverFor(spec).solve(prior, measurements, spec.options, { engine, programs, seed: 0 });
		while (!(await run.next()).done);
	};
}

/** The least that a step of CSGM in w is: G and its gradient, the operator, the mean squared residual, Adam. */
function bareStep(
	engine: Engine,
	{ generator, params }: Prior,
	measurements: Measurements,
	batch: number,
): Subject {
	const { parameters, problem, y } = measurements;
	const { numStyles, wDim, noiseShapes } = generator;
	const under = (prefix: string, tensors: HostTensors): HostTensors =>
		Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
	const zeros = { shape: [batch, wDim], data: new Float32Array(batch * wDim) };
	const program = engine.compile({
		name: 'bare',
		state: {
			...under('g.', params),
			...under('op.', parameters),
			...{ y, w: zeros, m: zeros, v: zeros },
		},
		functions: {
			step: {
				inputs: { adam: [2] },
				run(state, inputs) {
					const { w, m, v } = state;
					const below = (prefix: string) =>
						Object.fromEntries(
							Object.entries(state)
								.filter(([name]) => name.startsWith(prefix))
								.map(([name, tensor]) => [name.slice(prefix.length), tensor]),
						);
					const { value, gradients } = valueAndGradients(
						() => {
							const styles = tf.add(tf.reshape(w!, [batch, 1, wDim]), tf.zeros([1, numStyles, wDim]));
							const noises = noiseShapes.map(([height, width]) => tf.zeros([1, height, width, 1]));
							const image = generator.synthesize(below('g.'), { styles: styles as tf.Tensor3D, noises });
							const residual = tf.sub(
								operatorFor(problem).apply(below('op.'), image as tf.Tensor4D),
								state.y!,
							);
							return tf.mean(tf.square(residual)) as tf.Scalar;
						},
						{ w: w! },
					);
					const next = adam({ value: w!, m: m!, v: v! }, gradients.w!, inputs.adam!, settings);
					return { outputs: { loss: value }, state: { w: next.value, m: next.m!, v: next.v } };
				},
			},
		},
	});
	let t = 0;
	return {
		name: `bare step ${batch}`,
		repeats: stepsARun,
		run() {
			for (let i = 0; i < stepsARun; i++) program.call('step', { adam: adamStep(settings, ++t) });
		},
	};
}

/** One step of CSGM and of each ILO layer, for one image and for eight together; 64², 64 channels everywhere. */
export function inversionSubjects(engine: Engine, eager: Engine): Subject[] {
	const prior = untrained(
		stylegan2Generator({
			resolution,
			channels: Array<number>(Math.log2(resolution) - 1).fill(64),
			zDim: 64,
			wDim: 64,
			mappingLayers: 4,
		}),
	);
	const programs = new ProgramCache(32);
	const common = { patience: 0, select: { by: 'held-out', fraction: 0.1 } };
	const csgm = (steps: number) => ({ kind: 'csgm', steps, restarts: 1, ...common });
	// The first layer takes no step: what is timed is the step at the cut.
	const kinds = [
		{ name: 'csgm-step', solver: csgm(stepsARun) },
		{ name: 'ilo-step latents', solver: { kind: 'ilo', steps: [stepsARun], ...common } },
		...['b8', 'b32'].map((cut) => ({
			name: `ilo-step ${cut}`,
			solver: { kind: 'ilo', steps: [1, stepsARun], cuts: [cut], ...common },
		})),
	];
	const one = measured(engine, prior, 1);
	const eagerSteps = 10;
	return [
		{
			name: 'csgm-step eager 1',
			repeats: eagerSteps,
			run: solving(eager, prior, one, csgm(eagerSteps), new ProgramCache(1)),
		},
		...[1, 8].flatMap((batch) => {
			const measurements = batch === 1 ? one : measured(engine, prior, batch);
			return [
				bareStep(engine, prior, measurements, batch),
				...kinds.map(({ name, solver }) => ({
					name: `${name} ${batch}`,
					repeats: stepsARun,
					run: solving(engine, prior, measurements, solver, programs),
				})),
			];
		}),
	];
}

/** ILO at 256², the network of the RTIL paper and its five layers, few steps in each: what it keeps in memory. */
export function largeInversion(engine: Engine): Subject {
	const steps = Array<number>(5).fill(3);
	const prior = untrained(generatorOf(modelPresets['stylegan2-rtil-256'] as GanArchitecture));
	const measurements = measured(engine, prior, 1);
	const solver = { kind: 'ilo', preset: 'paper-rtil', steps, cuts: ['b4', 'b8', 'b16', 'b32'] };
	return {
		name: 'ilo-256 step',
		repeats: 15,
		run: solving(engine, prior, measurements, solver, new ProgramCache(8)),
	};
}
