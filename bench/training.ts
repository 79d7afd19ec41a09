// The training steps of StyleGAN2: losses, all gradients, Adam, as the trainer runs them.
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
} from '../trainer/index.ts';
import type { Subject } from './timing.ts';

/** D, G, R1 and path-length steps at a resolution, 64 channels everywhere. */
export function trainingSubjects(engine: Engine, resolution: number, batch: number): Subject[] {
	const channels = Array<number>(Math.log2(resolution) - 1).fill(64);
	const config = armConfigSchema.parse({
		model: { resolution, channels, zDim: 64, wDim: 64, mappingLayers: 4 },
		training: { batch },
	});
	const arm = buildArm(config as ArmOf<'stylegan2'>);
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
