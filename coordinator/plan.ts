// Experiment → jobs. A plan is a small graph whose ids depend on the run's name and the experiment alone, so every
// coordinator that reads the same run plans the same jobs. Pure functions: nothing here talks to anybody.

import { commonCuts, regularised } from '../models/index.ts';
import { imagesPerStep } from '../trainer/index.ts';
import { needsCalibration, stepsOf } from './budget.ts';
import type { Arm, Experiment } from './experiment.ts';

/** What the submitter stores and every job of a run is made from. */
export interface RunSpec {
	run: string;
	experiment: Experiment;
	/** sha256 of the experiment (see `experimentHash`). */
	hash: string;
	data: DatasetRef;
	/** Present when the experiment has an evaluation. */
	test?: DatasetRef;
	/** ISO 8601. */
	submittedAt: string;
	/** Grows by one each time a run that had ended is taken up again. */
	generation: number;
}

/** A prepared data set that nodes fetch by its digest. */
export interface DatasetRef {
	/** sha256 (hex) of the file: its name in the blob store. */
	blob: string;
	fingerprint: string;
	count: number;
	resolution: number;
	channels: number;
}

export type JobKind = 'calibrate' | 'train' | 'evaluate';

export interface PlannedJob {
	/** Unique in the run, and its idempotency key: `train.rtil`. */
	id: string;
	kind: JobKind;
	/** Which nodes may take it. */
	class: 'train' | 'invert';
	/** For people: `train rtil`, `rtil × ilo × compressed-sensing 0.1, seed 0`. */
	title: string;
	/** Jobs whose results it is made from. */
	needs: readonly string[];
	/** Its payload, once the results of what it needs are there. */
	payload(results: ReadonlyMap<string, unknown>): Record<string, unknown>;
}

/** What a `calibrate` job answers. */
export interface CalibrateResult {
	/** In the order of the arms. */
	secondsPerStep: number[];
}

/** How often a training job draws samples, over its whole length. */
const samplesPerRun = 12;

/** The jobs of a run, in an order in which each stands after what it needs. */
export function planOf(spec: RunSpec): PlannedJob[] {
	const { experiment, run } = spec;
	const { arms, budget, seed, evaluation, checkpointEvery, keep, onDivergence, quality } = experiment;
	const jobs: PlannedJob[] = [];
	const calibrates = needsCalibration(budget, arms.length);
	if (calibrates) {
		jobs.push({
			id: calibrateId,
			kind: 'calibrate',
			class: 'train',
			title: 'calibrate',
			needs: [],
			payload: () => ({ run, configs: arms.map(configOf), dataset: spec.data, seed }),
		});
	}
	for (const [index, arm] of arms.entries()) {
		jobs.push({
			id: trainId(arm.name),
			kind: 'train',
			class: 'train',
			title: `train ${arm.name}`,
			needs: calibrates ? [calibrateId] : [],
			payload: (results) => {
				const steps = stepsOfRun(spec, results)[index]!;
				const sampleEvery = { steps: Math.max(1, Math.ceil(steps / samplesPerRun)) };
				return {
					run,
					arm: arm.name,
					config: configOf(arm),
					dataset: spec.data,
					seed,
					steps,
					checkpointEvery,
					keep,
					onDivergence,
					...(quality ? { quality } : {}),
					sampleEvery,
				};
			},
		});
	}
	if (!evaluation || !spec.test) return jobs;
	const count = Math.min(evaluation.images, spec.test.count);
	const indices = Array.from({ length: count }, (_, i) => i);
	const cuts = commonCuts(arms.map(({ rtil }) => regularised(rtil)));
	for (const arm of arms) {
		for (const [p, problem] of evaluation.problems.entries()) {
			for (const [s, solver] of evaluation.solvers.entries()) {
				for (const measurementSeed of evaluation.seeds) {
					const id = `evaluate.${arm.name}.p${p}.s${s}.seed${measurementSeed}`;
					jobs.push({
						id,
						kind: 'evaluate',
						class: 'invert',
						title: `${arm.name} × ${solver.kind} × ${problem.kind}, seed ${measurementSeed}`,
						needs: [trainId(arm.name)],
						payload: (results) => ({
							run,
							arm: arm.name,
							checkpoint: (results.get(trainId(arm.name)) as { checkpoint: unknown }).checkpoint,
							problem,
							solver,
							...(cuts ? { cuts } : {}),
							images: { blob: spec.test!.blob, indices },
							seeds: [measurementSeed],
						}),
					});
				}
			}
		}
	}
	return jobs;
}

/** Steps of each arm, in the order of the arms; reads the calibration's result when the budget needs one. */
export function stepsOfRun(spec: RunSpec, results: ReadonlyMap<string, unknown>): number[] {
	const { arms, budget } = spec.experiment;
	const measured = results.get(calibrateId) as CalibrateResult | undefined;
	return stepsOf(
		budget,
		arms.map((arm, i) => ({
			batch: imagesPerStep(arm.training),
			...(measured ? { secondsPerStep: measured.secondsPerStep[i]! } : {}),
		})),
	);
}

/** An arm without its name: what a trainer trains. */
function configOf({ name: _, ...config }: Arm): Omit<Arm, 'name'> {
	return config;
}

export const calibrateId = 'calibrate';

export function trainId(arm: string): string {
	return `train.${arm}`;
}
