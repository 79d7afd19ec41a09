// StyleGAN2 as a recipe (Karras et al. 2020): D, then G, each with its lazy regulariser, then the weight average.
import { batchFlips, batchSampler } from '../data/index.ts';
import { type HostTensors, stream } from '../engine/index.ts';
import { averageDecay, buildArm, networkGroups, optimizerInput, restoreNetworks } from './arm.ts';
import type { ArmOf } from './config.ts';
import type { Recipe, TrainingSession } from './recipe.ts';
import { type FamilyBatch, latentSource } from './sampling.ts';
import { FlopsCounter, flatSamples, sampleLatents } from './session.ts';
import { compileSteps, initialState, type Stylegan2Arm } from './stylegan2-steps.ts';

export function stylegan2Recipe(config: ArmOf<'stylegan2'>, seed: number): Recipe {
	const arm = buildArm(config);
	const { batch } = config.training;
	return {
		resolution: arm.generator.resolution,
		images: (step) => step * batch,
		architecture: () => ({ generator: { ...config.model }, discriminator: { ...config.model } }),
		typicalStep: 0,
		initial: () => initialState(arm, seed),
		groups: (state) => ({ ...networkGroups(arm, state), state: { path_mean: state.pathMean! } }),
		restore: async (read): Promise<HostTensors> => ({
			...(await restoreNetworks(arm, read)),
			pathMean: (await read('state')).path_mean!,
		}),
		start: (engine, dataset, state) => {
			const program = compileSteps(engine, arm, state);
			const counter = new FlopsCounter(program);
			const kept = Object.keys(state);
			const latents = sampleLatents(seed, arm.generator);
			return {
				step: iteration(arm, counter.call, dataset, seed),
				samples: () => flatSamples(program.call('sample', latents).images!, arm.generator.resolution),
				inspect() {
					const spread = Object.entries(program.call('spread', latents));
					return Object.fromEntries(spread.map(([cut, { data }]) => [`rms ${cut}`, data[0]!]));
				},
				read: () => program.read(kept),
				flops: counter.total,
				dispose: () => program.dispose(),
			};
		},
	};
}

/** One iteration at a given step. */
function iteration(
	arm: Stylegan2Arm,
	call: FlopsCounter['call'],
	dataset: Parameters<Recipe['start']>[1],
	seed: number,
): TrainingSession['step'] {
	const { config, generator, members, cuts, sigmas, parts, pathParts } = arm;
	const { training } = config;
	const { batch, r1, pathLength, mixing } = training;
	const inTurns = parts.length > 1;
	const size = generator.resolution;
	/** Members that take turns have streams of their own, unless they share z0; the base generator's is the plain one. */
	const sources = (purpose: string, given: FamilyBatch[]) =>
		given.map((part) => {
			const k = part.member[0]!;
			const own =
				inTurns && k > 0 && config.rtil?.latents !== 'shared' ? `${purpose} ${members[k]!.name}` : purpose;
			return latentSource(seed, own, generator, { members, cuts, sigmas, mixing, batch: part });
		});
	const latents = { d: sources('d', parts), g: sources('g', parts), path: sources('path', pathParts) };
	const projections = pathParts.map((_, k) => stream(seed, k === 0 ? 'path y' : `path y ${k}`));
	const indices = batchSampler({ seed, count: dataset.count, batch });

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

		if (inTurns) {
			const ofReal = call('d.real', { real });
			add('d', ofReal.loss!.data[0]!);
			losses['score real'] = ofReal.real!.data[0]!;
			latents.d.forEach((source, k) => {
				const { loss, fake } = call(`d.${k}`, source(step));
				add('d', loss!.data[0]!);
				score(fake!.data);
			});
			call('d.apply', { adam: adam('d') });
		} else {
			const { loss, real: ofReal, fake } = call('d', { ...latents.d[0]!(step), real, adam: adam('d') });
			add('d', loss!.data[0]!);
			losses['score real'] = ofReal!.data[0]!;
			score(fake!.data);
		}
		if (lazyR1) losses.r1 = call('r1', { real, adam: adam('d', 1) }).penalty!.data[0]!;

		if (inTurns) {
			latents.g.forEach((source, k) => {
				add('g', call(`g.${k}`, source(step)).loss!.data[0]!);
			});
			call('g.apply', { adam: adam('g') });
		} else losses.g = call('g', { ...latents.g[0]!(step), adam: adam('g') }).loss!.data[0]!;

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
		const decay = averageDecay(training.emaHalfLife, batch, step * batch);
		call('average', { decay: Float32Array.of(decay) });
		return losses;
	};
}

/** Optimiser steps a network took in iterations 0 … step − 1 for a regulariser that is due every so many. */
function lazySteps({ weight, every }: { weight: number; every: number }, step: number): number {
	return weight > 0 ? Math.ceil(step / every) : 0;
}
