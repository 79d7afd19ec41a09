// Glow as a recipe (Kingma and Dhariwal 2018): exact likelihood of dequantised images, Adam, actnorm from the first batch.
import * as tf from '@tensorflow/tfjs-core';
import { batchFlips, batchSampler, type Dataset } from '../data/index.ts';
import {
	type AdamSettings,
	adam,
	adamStep,
	type Engine,
	type HostTensor,
	type HostTensors,
	parameterLayout,
	stream,
	valueAndGradients,
} from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import { bitsPerDimension, dequantised, type Glow, glowOf } from '../models/index.ts';
import { averageDecay, averaged } from './arm.ts';
import type { ArmOf } from './config.ts';
import { type Recipe, sampleCount, type TrainingSession } from './recipe.ts';
import { FlopsCounter, flatSamples } from './session.ts';

/** Images whose activations actnorm begins with. */
const firstImages = 64;

export function glowRecipe(config: ArmOf<'glow'>, seed: number, draws = seed): Recipe {
	if (config.rtil)
		throw expected('null', 'rtil', config.rtil, 'A Glow has no intermediate latents to regularise');
	const { model, training } = config;
	const glow = glowOf(model);
	const layout = parameterLayout(glow.shapes);
	const constants = Object.keys(glow.constants);
	const { batch } = training;

	/** Parameters under their names, and the constants of the network: what a checkpoint holds. */
	const named = (state: HostTensors, flat: string): HostTensors => ({
		...layout.toHost(state[flat]!),
		...Object.fromEntries(constants.map((name) => [name, state[name]!])),
	});

	return {
		resolution: model.resolution,
		images: (step) => step * batch,
		architecture: () => ({ generator: { ...model }, discriminator: null }),
		typicalStep: 0,
		initial(engine, dataset) {
			const params = glow.init(seed);
			const found = firstNormalisation(engine, glow, params, dataset, { seed, bits: training.bits });
			const g = layout.fromHost({ ...params, ...found });
			const zeros = (): HostTensor => ({ shape: [layout.size], data: new Float32Array(layout.size) });
			return {
				g,
				average: { shape: g.shape, data: g.data.slice() },
				'g.m': zeros(),
				'g.v': zeros(),
				...Object.fromEntries(constants.map((name) => [name, params[name]!])),
			};
		},
		groups: (state) => ({
			g_ema: named(state, 'average'),
			g: named(state, 'g'),
			g_momentum: layout.toHost(state['g.m']!),
			g_optimizer: layout.toHost(state['g.v']!),
		}),
		async restore(read) {
			const g = await read('g');
			return {
				g: layout.fromHost(g),
				average: layout.fromHost(await read('g_ema')),
				'g.m': layout.fromHost(await read('g_momentum')),
				'g.v': layout.fromHost(await read('g_optimizer')),
				...Object.fromEntries(constants.map((name) => [name, g[name]!])),
			};
		},
		latent: () => null,
		start: (engine, dataset, state) => session(engine, glow, config, dataset, state, { seed, draws }),
	};
}

/** Images, mirrored or not, and the noise that spreads their steps. */
function reader(dataset: Dataset, seed: number, { batch, flips }: { batch: number; flips: boolean }) {
	const indices = batchSampler({ seed, count: dataset.count, batch });
	const noise = stream(seed, 'dequantisation');
	return (step: number): { real: Float32Array; noise: Float32Array } => {
		const real = dataset.read(
			indices(step),
			undefined,
			flips ? batchFlips({ seed, batch, step }) : undefined,
		);
		return { real, noise: noise.uniforms(step, real.length) };
	};
}

/** Actnorm parameters from a first batch (§3.1). */
function firstNormalisation(
	engine: Engine,
	glow: Glow,
	params: HostTensors,
	dataset: Dataset,
	{ seed, bits }: { seed: number; bits: number },
): HostTensors {
	const shape = [firstImages, glow.resolution, glow.resolution, 3];
	const program = engine.compile({
		name: 'actnorm',
		state: params,
		functions: {
			normalise: {
				inputs: { '.real': shape, '.noise': shape },
				run: (state, inputs) => ({
					outputs: glow.normalise(state, dequantised(inputs['.real']!, inputs['.noise']!, bits)),
				}),
			},
		},
	});
	try {
		const { real, noise } = reader(dataset, seed, { batch: firstImages, flips: false })(0);
		return program.call('normalise', { '.real': real, '.noise': noise });
	} finally {
		program.dispose();
	}
}

function session(
	engine: Engine,
	glow: Glow,
	{ training }: ArmOf<'glow'>,
	dataset: Dataset,
	state: HostTensors,
	{ seed, draws }: { seed: number; draws: number },
): TrainingSession {
	const { batch, bits, clip, temperature, warmup, learningRate, beta1, beta2 } = training;
	const settings: AdamSettings = { rate: learningRate, beta1, beta2, epsilon: 1e-8 };
	const layout = parameterLayout(glow.shapes);
	const constants = Object.keys(glow.constants);
	const side = glow.resolution;
	const images = [batch, side, side, 3];
	const params = (flat: tf.Tensor, current: Record<string, tf.Tensor>) => ({
		...layout.unpack(flat),
		...Object.fromEntries(constants.map((name) => [name, current[name]!])),
	});
	const derivedOf = (now: HostTensors): HostTensors =>
		glow.derived({
			...layout.toHost(now.average!),
			...Object.fromEntries(constants.map((name) => [name, now[name]!])),
		});
	const program = engine.compile({
		name: 'training',
		state: { ...state, ...derivedOf(state) },
		functions: {
			step: {
				inputs: { real: images, noise: images, adam: [2], decay: [1] },
				run(current, { real, noise, adam: rates, decay }) {
					const x = dequantised(real!, noise!, bits);
					const all = params(current.g!, current);
					const trained = Object.fromEntries(Object.keys(glow.shapes).map((name) => [name, all[name]!]));
					const { value, gradients } = valueAndGradients(
						() => tf.mean(bitsPerDimension(glow.encode(all, x), side * side * 3, bits)) as tf.Scalar,
						trained,
					);
					const gradient = layout.pack(gradients);
					const length = tf.sqrt(tf.sum(tf.square(gradient)));
					const held = tf.mul(gradient, tf.div(clip, tf.maximum(length, clip)));
					const slots = { value: current.g!, m: current['g.m']!, v: current['g.v']! };
					const next = adam(slots, held, rates!, settings);
					return {
						outputs: { bits: value, gradient: length },
						state: {
							g: next.value,
							'g.m': next.m!,
							'g.v': next.v,
							average: averaged(current.average!, next.value, decay!),
						},
					};
				},
			},
			sample: {
				inputs: Object.fromEntries(glow.latentShapes.map((shape, i) => [`eps${i}`, [sampleCount, ...shape]])),
				run(current, inputs) {
					const all = { ...current, ...params(current.average!, current) };
					const eps = glow.latentShapes.map((_, i) => inputs[`eps${i}`]!);
					return { outputs: { images: tf.mul(glow.generate(all, eps, temperature), 2) } };
				},
			},
		},
	});
	const counter = new FlopsCounter(program);
	const read = reader(dataset, draws, training);
	const kept = Object.keys(state);
	const eps = (batch: number): Record<string, Float32Array> =>
		Object.fromEntries(
			glow.latentShapes.map((shape, i) => [
				`eps${i}`,
				stream(seed, `samples eps${i}`).normals(batch, sampleCount * shape.reduce((a, b) => a * b, 1)),
			]),
		);
	return {
		step(step) {
			const warm = Math.min(1, (step + 1) / (warmup + 1));
			const outputs = counter.call('step', {
				...read(step),
				adam: adamStep({ ...settings, rate: learningRate * warm }, step + 1),
				decay: Float32Array.of(averageDecay(training.emaHalfLife, batch, step * batch)),
			});
			return { bits: outputs.bits!.data[0]!, gradient: outputs.gradient!.data[0]! };
		},
		samples(batch = 0) {
			program.write(derivedOf(program.read(['average', ...constants])));
			return flatSamples(program.call('sample', eps(batch)).images!, side);
		},
		inspect: () => ({}),
		read: () => program.read(kept),
		flops: counter.total,
		dispose: () => program.dispose(),
	};
}
