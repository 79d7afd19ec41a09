// Solver steps as `rtil invert` runs them: generator forward and backward, Adam, selection, progress.
import { type Engine, stream } from '../engine/index.ts';
import {
	measure,
	OperatorPrograms,
	type Prior,
	ProgramCache,
	parseProblem,
	parseSolver,
	solverFor,
} from '../inverter/index.ts';
import { stylegan2Generator } from '../models/index.ts';
import type { Subject } from './timing.ts';

const resolution = 64;
const stepsARun = 50;

/** One step of CSGM and of each ILO layer, for one image and for eight together; 64², 64 channels everywhere. */
export function inversionSubjects(engine: Engine): Subject[] {
	const generator = stylegan2Generator({
		resolution,
		channels: Array<number>(Math.log2(resolution) - 1).fill(64),
		zDim: 64,
		wDim: 64,
		mappingLayers: 4,
	});
	const { wDim, cuts } = generator;
	const prior: Prior = {
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
	const operators = new OperatorPrograms(engine);
	const programs = new ProgramCache(32);
	const problem = parseProblem({ kind: 'compressed-sensing', ratio: 0.25 });
	const common = { patience: 0, select: { by: 'held-out', fraction: 0.1 } };
	// The first layer takes no step: what is timed is the step at the cut.
	const kinds = [
		{ name: 'csgm-step', solver: { kind: 'csgm', steps: stepsARun, restarts: 1, ...common } },
		{ name: 'ilo-step latents', solver: { kind: 'ilo', steps: [stepsARun], ...common } },
		...['b8', 'b32'].map((cut) => ({
			name: `ilo-step ${cut}`,
			solver: { kind: 'ilo', steps: [1, stepsARun], cuts: [cut], ...common },
		})),
	];
	return [1, 8].flatMap((batch) => {
		const images = {
			shape: [batch, resolution, resolution, 3],
			data: stream(0, 'truth').uniforms(0, batch * resolution * resolution * 3),
		};
		const keys = Array.from({ length: batch }, (_, i) => ({ seed: 0, image: String(i) }));
		const measurements = measure(operators, problem, images, keys);
		return kinds.map(({ name, solver }) => ({
			name: `${name} ${batch}`,
			repeats: stepsARun,
			async run() {
				const spec = parseSolver(solver);
				const run = solverFor(spec).solve(prior, measurements, spec.options, { engine, programs, seed: 0 });
				while (!(await run.next()).done);
			},
		}));
	});
}
