// StyleGAN2 as a recipe (Karras et al. 2020): D, then G, each with its lazy regulariser, then the weight average.
import { batchFlips, batchSampler } from '../data/index.ts';
import { type HostTensors, stream } from '../engine/index.ts';
import { type AdaState, decodeAda, encodeAda, initialAda, nextAda } from './ada.ts';
import { averageDecay, buildArm, networkGroups, optimizerInput, ownLatents, restoreNetworks } from './arm.ts';
import { prefixed } from './augment.ts';
import { augmentationSource } from './augment-draws.ts';
import type { ArmOf } from './config.ts';
import type { Recipe, TrainingSession } from './recipe.ts';
import type { FamilyBatch } from './sampling.ts';
import { FlopsCounter, flatSamples, partLatents, sampleLatents } from './session.ts';
import { compileSteps, initialState, type Stylegan2Arm } from './stylegan2-steps.ts';

export function stylegan2Recipe(config: ArmOf<'stylegan2'>, seed: number, draws = seed): Recipe {
	const arm = buildArm(config);
	const { batch, augment } = config.training;
	const fresh: HostTensors = augment ? { ada: encodeAda(initialAda(augment)) } : {};
	return {
		resolution: arm.generator.resolution,
		images: (step) => step * batch,
		architecture: () => ({ generator: { ...config.model }, discriminator: { ...config.model } }),
		typicalStep: 0,
		initial: () => ({ ...initialState(arm, seed), ...fresh }),
		groups: (state) => ({
			...networkGroups(arm, state),
			state: { path_mean: state.pathMean!, ...(state.ada ? { ada: state.ada } : {}) },
		}),
		restore: async (read): Promise<HostTensors> => {
			const { path_mean, ada } = await read('state');
			const strength: HostTensors = augment && ada ? { ada } : fresh;
			return { ...(await restoreNetworks(arm, read)), pathMean: path_mean!, ...strength };
		},
		latent: (engine, state) => ownLatents(engine, arm, state),
		start: (engine, dataset, { ada, ...state }) => {
			const program = compileSteps(engine, arm, state);
			const counter = new FlopsCounter(program);
			const kept = Object.keys(state);
			const strength = ada ? { ada: decodeAda(ada) } : undefined;
			const latents = sampleLatents(seed, arm.generator);
			return {
				step: iteration(arm, counter.call, dataset, draws, strength),
				samples(batch = 0) {
					const inputs = batch === 0 ? latents : sampleLatents(seed, arm.generator, batch);
					return flatSamples(program.call('sample', inputs).images!, arm.generator.resolution);
				},
				inspect() {
					const spread = Object.entries(program.call('spread', latents));
					return Object.fromEntries(spread.map(([cut, { data }]) => [`rms ${cut}`, data[0]!]));
				},
				read: () => ({ ...program.read(kept), ...(strength ? { ada: encodeAda(strength.ada) } : {}) }),
				flops: counter.total,
				dispose: () => program.dispose(),
			};
		},
	};
}

/**
 * One iteration at a given step.
 *
 * @param strength of augmentation: read and advanced; absent: none.
 */
function iteration(
	arm: Stylegan2Arm,
	call: FlopsCounter['call'],
	dataset: Parameters<Recipe['start']>[1],
	seed: number,
	strength: { ada: AdaState } | undefined,
): TrainingSession['step'] {
	const { config, generator, members, parts, pathParts } = arm;
	const { training } = config;
	const { batch, r1, pathLength, mixing } = training;
	const inTurns = parts.length > 1;
	const size = generator.resolution;
	const sources = (purpose: string, given: FamilyBatch[]) => partLatents(arm, seed, purpose, given, mixing);
	const latents = { d: sources('d', parts), g: sources('g', parts), path: sources('path', pathParts) };
	const projections = pathParts.map((_, k) => stream(seed, k === 0 ? 'path y' : `path y ${k}`));
	const indices = batchSampler({ seed, count: dataset.count, batch });
	const { augment } = training;
	/** How what a step shows to D is augmented, as inputs of that step. */
	const shown = (purpose: string, prefix: 'real.' | 'fake.', count: number) => {
		if (!augment || !strength) return () => ({});
		const draw = augmentationSource({ seed, purpose, count, resolution: size, groups: augment.transforms });
		return (step: number) => prefixed(prefix, { ...draw(step, strength.ada.p) });
	};
	const ofParts = (purpose: string) =>
		parts.map((part, k) => shown(k === 0 ? purpose : `${purpose} ${k}`, 'fake.', part.size));
	const shows = {
		real: shown('d real', 'real.', batch),
		r1: shown('r1', 'real.', batch),
		d: ofParts('d fake'),
		g: ofParts('g fake'),
	};

	return (step) => {
		const losses: Record<string, number> = {};
		const real = dataset.read(
			indices(step),
			undefined,
			training.flips ? batchFlips({ seed, batch, step }) : undefined,
		);
		// Optimiser steps so far: one an iteration, and one for each lazy regulariser before this iteration.
		const lazyR1 = r1.gamma > 0 && step % r1.every === 0;
		const lazyPath = pathLength.weight > 0 && step % pathLength.every === 0;
		const adam = (network: 'g' | 'd', extra = 0): Float32Array => {
			const lazy = network === 'd' ? { weight: r1.gamma, every: r1.every } : pathLength;
			return optimizerInput(arm, network, step + lazySteps(lazy, step) + 1 + extra);
		};
		const score = (fake: ArrayLike<number>): void =>
			members.forEach(({ name }, k) => {
				losses[`score ${name}`] = (losses[`score ${name}`] ?? 0) + fake[k]!;
			});
		const add = (name: string, value: number): void => {
			losses[name] = (losses[name] ?? 0) + value;
		};

		let sign = 0;
		if (inTurns) {
			const ofReal = call('d.real', { ...shows.real(step), real });
			sign = ofReal.sign!.data[0]!;
			add('d', ofReal.loss!.data[0]!);
			losses['score real'] = ofReal.real!.data[0]!;
			latents.d.forEach((source, k) => {
				const { loss, fake } = call(`d.${k}`, { ...source(step), ...shows.d[k]!(step) });
				add('d', loss!.data[0]!);
				score(fake!.data);
			});
			call('d.apply', { adam: adam('d') });
		} else {
			const drawn = { ...latents.d[0]!(step), ...shows.d[0]!(step), ...shows.real(step) };
			const { loss, real: ofReal, sign: ofSign, fake } = call('d', { ...drawn, real, adam: adam('d') });
			sign = ofSign!.data[0]!;
			add('d', loss!.data[0]!);
			losses['score real'] = ofReal!.data[0]!;
			score(fake!.data);
		}
		if (lazyR1) {
			const { penalty } = call('r1', { ...shows.r1(step), real, adam: adam('d', 1) });
			losses.r1 = penalty!.data[0]!;
		}

		if (inTurns) {
			latents.g.forEach((source, k) => {
				add('g', call(`g.${k}`, { ...source(step), ...shows.g[k]!(step) }).loss!.data[0]!);
			});
			call('g.apply', { adam: adam('g') });
		} else {
			const drawn = { ...latents.g[0]!(step), ...shows.g[0]!(step) };
			losses.g = call('g', { ...drawn, adam: adam('g') }).loss!.data[0]!;
		}

		if (lazyPath) {
			latents.path.forEach((source, k) => {
				const y = projections[k]!.normals(step, pathParts[k]!.size * size * size * 3);
				const inputs = { ...source(step), y, ...(inTurns ? {} : { adam: adam('g', 1) }) };
				const { penalty, length } = call(inTurns ? `path.${k}` : 'path', inputs);
				add('path', penalty!.data[0]!);
				add('path length', length!.data[0]! / pathParts.length);
			});
			if (inTurns) call('g.apply', { adam: adam('g', 1) });
		}
		if (augment && strength) {
			losses['sign real'] = sign;
			losses['augment p'] = strength.ada.p;
			strength.ada = nextAda(strength.ada, sign, augment, batch);
		}
		const decay = averageDecay(training.emaHalfLife, batch, step * batch);
		call('average', { decay: Float32Array.of(decay) });
		return losses;
	};
}

/** Optimiser steps a network took in iterations 0 … step − 1 for a regulariser that is due every so many. */
function lazySteps({ weight, every }: { weight: number; every: number }, step: number): number {
	return weight > 0 ? Math.ceil(step / every) : 0;
}
