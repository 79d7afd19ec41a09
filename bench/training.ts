// The training steps of StyleGAN2: losses, all gradients, Adam, as the trainer runs them; and the trainer itself.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openDataset, prepareDataset } from '../data/index.ts';
import type { Engine } from '../engine/index.ts';
import { stream } from '../engine/index.ts';
import {
	type ArmOf,
	armConfigSchema,
	buildArm,
	compileSteps,
	initialState,
	latentSource,
	optimizerInput,
	trainArm,
} from '../trainer/index.ts';
import type { Subject } from './timing.ts';

/** 64 channels everywhere. */
function configOf(resolution: number, batch: number, rtil?: object): ArmOf<'stylegan2'> {
	const channels = Array<number>(Math.log2(resolution) - 1).fill(64);
	return armConfigSchema.parse({
		model: { resolution, channels, zDim: 64, wDim: 64, mappingLayers: 4 },
		...(rtil ? { rtil } : {}),
		training: { batch },
	}) as ArmOf<'stylegan2'>;
}

/** D, G, R1 and path-length steps at a resolution. */
export function trainingSubjects(engine: Engine, resolution: number, batch: number): Subject[] {
	const arm = buildArm(configOf(resolution, batch));
	const program = compileSteps(engine, arm, initialState(arm, 0));
	const [part, pathPart] = [arm.parts[0]!, arm.pathParts[0]!];
	const draw = { members: arm.members, cuts: arm.cuts, sigmas: arm.sigmas, mixing: 0.9 };
	const latents = latentSource(0, 'bench', arm.generator, { ...draw, batch: part })(0);
	const pathLatents = latentSource(0, 'bench path', arm.generator, { ...draw, batch: pathPart })(0);
	const pixels = resolution * resolution * 3;
	const real = stream(0, 'real').uniforms(0, batch * pixels);
	const y = stream(0, 'y').normals(0, pathPart.size * pixels);
	// A rate of zero: the weights stay where they are, whatever the number of rounds.
	const still = (network: 'g' | 'd'): Float32Array =>
		optimizerInput(arm, network, 1).map((value, i) => (i === 0 ? 0 : value));
	const steps = {
		d: { ...latents, real, adam: still('d') },
		g: { ...latents, adam: still('g') },
		r1: { real, adam: still('d') },
		path: { ...pathLatents, y, adam: still('g') },
	};
	const decay = Float32Array.of(0.998);
	return (Object.keys(steps) as (keyof typeof steps)[]).map((name) => ({
		name: `stylegan2-${resolution} ${name}-step`,
		flops: program.flops(name),
		run() {
			program.call(name, steps[name]);
			// The weight average is taken once an iteration; it counts with the G step.
			if (name === 'g') program.call('average', { decay });
		},
	}));
}

/**
 * An iteration of the trainer from end to end: data, all steps as often as they are due, weight average, logging; after
 * what it begins with, without checkpoints.
 */
export function trainingRun(
	engine: Engine,
	resolution: number,
	batch: number,
	{ label, rtil }: { label: string; rtil?: object },
): Subject {
	const [warm, steps] = [16, 48];
	return {
		name: `stylegan2-${resolution} training ${label}`,
		async run() {
			const cache = mkdtempSync(path.join(tmpdir(), 'rtil-bench-'));
			try {
				const images = await prepareDataset({ kind: 'faces', count: 128, resolution, seed: 1 }, { cache });
				using dataset = openDataset(images.file);
				let from: { step: number; at: number } | undefined;
				let to = { step: 0, at: 0 };
				await trainArm({
					run: 'bench',
					arm: label,
					config: configOf(resolution, batch, rtil),
					seed: 0,
					steps,
					dataset,
					directory: path.join(cache, 'checkpoints'),
					checkpointEvery: { steps },
					sampleEvery: { steps },
					engine,
					signal: new AbortController().signal,
					now: () => performance.now(),
					emit(event) {
						if (event.type !== 'progress') return;
						to = { step: event.step, at: performance.now() };
						if (event.step >= warm) from ??= to;
					},
				});
				return (to.at - from!.at) / (to.step - from!.step);
			} finally {
				rmSync(cache, { recursive: true, force: true });
			}
		},
	};
}
