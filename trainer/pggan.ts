// PGGAN as a recipe (Karras et al. 2018): grows from small images to large ones, a program for each resolution.
import { batchFlips, batchSampler, type Dataset } from '../data/index.ts';
import { type Engine, type HostTensors, stream } from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import { mixtureCut } from '../models/index.ts';
import {
	averageDecay,
	initialNetworks,
	networkGroups,
	networksOf,
	optimizerInput,
	ownLatents,
	partsOf,
	restoreNetworks,
} from './arm.ts';
import type { ArmOf } from './config.ts';
import { fadeAt, imagesAt, type Stage, stageAt, stagesOf } from './growing.ts';
import { compileStage, type PgganArm } from './pggan-steps.ts';
import type { Recipe, TrainingSession } from './recipe.ts';
import { FlopsCounter, flatSamples, partLatents, sampleLatents } from './session.ts';

/** The arm at a stage of growing. */
function armAt(config: ArmOf<'pggan'>, { resolution, batch }: Stage): PgganArm {
	const { model, training, rtil } = config;
	const stage = resolution < model.resolution ? { stage: resolution } : {};
	const networks = networksOf(config, { ...model, ...stage });
	const { members, generator } = networks;
	const parts = partsOf(config, members, batch);
	if (model.dialect === 'rtil' && parts.length === 1 && members.length > 1) {
		throw expected(
			'each, or another dialect',
			'rtil.batch',
			rtil!.batch,
			'The standard deviation of dialect rtil goes over the whole batch, which would mix the members',
		);
	}
	const settings = { rate: training.learningRate, beta1: 0, beta2: training.beta2, epsilon: 1e-8 };
	return {
		config,
		...networks,
		mixtureCut: rtil?.form === 'mixture' ? mixtureCut(rtil, generator) : null,
		parts,
		pathParts: [],
		optimizer: { g: settings, d: settings },
	};
}

export function pgganRecipe(config: ArmOf<'pggan'>, seed: number, draws = seed): Recipe {
	const stages = stagesOf(config);
	const arms = stages.map((stage) => armAt(config, stage));
	const full = arms.at(-1)!;
	const last = stages.at(-1)!;
	return {
		resolution: config.model.resolution,
		images: (step) => imagesAt(stages, step),
		architecture(step) {
			const at = stageAt(stages, step);
			const fade = fadeAt(at, step);
			const stage = {
				...(at.resolution < config.model.resolution ? { stage: at.resolution } : {}),
				...(fade < 1 ? { fade } : {}),
			};
			return { generator: { ...config.model, ...stage }, discriminator: { ...config.model, ...stage } };
		},
		typicalStep: last.start + last.fadeSteps,
		initial: () => initialNetworks(full, seed),
		groups: (state) => networkGroups(full, state),
		restore: (read) => restoreNetworks(full, read),
		latent: (engine, state, step) => ownLatents(engine, arms[stages.indexOf(stageAt(stages, step))]!, state),
		start: (engine, dataset, state, step) =>
			growingSession({ config, seed, draws, stages, arms }, engine, dataset, state, step),
	};
}

interface Plan {
	config: ArmOf<'pggan'>;
	seed: number;
	/** Seed of what steps draw. */
	draws: number;
	stages: readonly Stage[];
	arms: readonly PgganArm[];
}

/** A session that compiles the next stage's program when a step begins it. */
function growingSession(
	plan: Plan,
	engine: Engine,
	dataset: Dataset,
	state: HostTensors,
	first: number,
): TrainingSession {
	const { config, seed, stages, arms } = plan;
	const names = Object.keys(state);
	let at: Stage;
	let session: ReturnType<typeof stageSession>;
	let before: number | undefined = 0;
	let fade = 1;

	function enter(stage: Stage, given: HostTensors): void {
		at = stage;
		session = stageSession(plan, arms[stages.indexOf(stage)]!, stage, engine, dataset, given);
	}
	enter(stageAt(stages, first), state);
	fade = fadeAt(at!, first);

	return {
		step(step) {
			const stage = stageAt(stages, step);
			if (stage !== at) {
				const { g, d, average, ...moments } = session.program.read(names);
				const { flops } = session;
				const soFar = flops.total();
				before = before === undefined || soFar === undefined ? undefined : before + soFar;
				session.program.dispose();
				if (config.training.growing.resetOptimizer)
					for (const { data } of Object.values(moments)) data.fill(0);
				enter(stage, { g: g!, d: d!, average: average!, ...moments });
			}
			fade = fadeAt(stage, step);
			return { ...session.step(step, fade), ...(stage.fadeSteps > 0 ? { fade } : {}) };
		},
		samples(batch = 0) {
			const { generator } = arms[stages.indexOf(at)]!;
			const inputs = { ...sampleLatents(seed, generator, batch), fade: Float32Array.of(fade) };
			return flatSamples(session.program.call('sample', inputs).images!, generator.resolution);
		},
		inspect() {
			const { generator } = arms[stages.indexOf(at)]!;
			if (generator.cuts.length === 0) return {};
			const spread = Object.entries(session.program.call('spread', sampleLatents(seed, generator)));
			return Object.fromEntries(spread.map(([cut, { data }]) => [`rms ${cut}`, data[0]!]));
		},
		read: () => session.program.read(names),
		flops() {
			const own = session.flops.total();
			return before === undefined || own === undefined ? undefined : before + own;
		},
		dispose: () => session.program.dispose(),
	};
}

function stageSession(
	{ config, draws: seed }: Plan,
	arm: PgganArm,
	stage: Stage,
	engine: Engine,
	dataset: Dataset,
	state: HostTensors,
) {
	const { members, parts } = arm;
	const { training } = config;
	const { batch } = stage;
	const program = compileStage(engine, arm, state, { batch, fullSide: dataset.resolution });
	const flops = new FlopsCounter(program);
	const { call } = flops;
	const latents = {
		d: partLatents(arm, seed, 'd', parts, 0),
		g: partLatents(arm, seed, 'g', parts, 0),
	};
	const shares = parts.map((_, k) => stream(seed, k === 0 ? 'penalty u' : `penalty u ${k}`));
	// Epochs go on over the stages by images; a batch of another size begins at a whole number of its own.
	const indices = batchSampler({ seed, count: dataset.count, batch });
	const offset = Math.ceil(stage.images / batch) - stage.start;

	function step(step: number, faded: number): Record<string, number> {
		const fade = Float32Array.of(faded);
		const real = dataset.read(
			indices(step + offset),
			undefined,
			training.flips ? batchFlips({ seed, batch, step }) : undefined,
		);
		const t = (training.growing.resetOptimizer ? step - stage.start : step) + 1;
		const ofReal = call('d.real', { real, fade });
		const losses: Record<string, number> = {
			d: ofReal.loss!.data[0]!,
			'score real': ofReal.real!.data[0]!,
			penalty: 0,
			g: 0,
			side: stage.resolution,
		};
		for (const { name } of members) losses[`score ${name}`] = 0;
		parts.forEach((part, k) => {
			const u = shares[k]!.uniforms(step, part.size);
			const { loss, fake, penalty } = call(`d.${k}`, { ...latents.d[k]!(step), real, u, fade });
			losses.d! += loss!.data[0]!;
			losses.penalty! += penalty!.data[0]!;
			members.forEach(({ name }, m) => {
				losses[`score ${name}`]! += fake!.data[m]!;
			});
		});
		call('d.apply', { adam: optimizerInput(arm, 'd', t) });
		parts.forEach((_, k) => {
			losses.g! += call(`g.${k}`, { ...latents.g[k]!(step), fade }).loss!.data[0]!;
		});
		call('g.apply', { adam: optimizerInput(arm, 'g', t) });
		const seen = stage.images + (step - stage.start) * batch;
		call('average', { decay: Float32Array.of(averageDecay(training.emaHalfLife, batch, seen)) });
		return losses;
	}

	return { program, flops, step };
}
