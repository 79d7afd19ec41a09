// The loop around a tuning program: first latents for the batch together, then the weights for one image after another.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { elements, type HostTensor, type HostTensors, stream } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import type { Prior } from '../prior.ts';
import { type Measurements, selectMeasurements } from '../problems/index.ts';
import { adamInputs, report as columnsOf, type StepReport } from './iterate.ts';
import type { PerceptualTerm } from './perceptual.ts';
import { priorState, termState } from './plan.ts';
import { takeRows } from './rows.ts';
import { type RateCurve, rateAt } from './schedule.ts';
import { type Selection, splitMeasurements } from './selection.ts';
import { type LayeredReconstruction, type LayerSchedule, solveLayers } from './solve.ts';
import type { LayerHistory, Progress, Reconstruction, SolveContext } from './solver.ts';
import { Standing, wholeResidual } from './standing.ts';
import { compileTuning, type TuningPlan, type TuningProgram, tunedLayout, tuningKey } from './tuning.ts';

export interface TuningStage {
	name: string;
	steps: number;
	/** Of Adam: of the weights, and of the latent; 0: it stays. */
	rate: number;
	latentRate: number;
	/** Blocks that are tuned, counted from 4². */
	blocks: number;
	/** Factors of the data term and of the perceptual distance. */
	data: number;
	perceptual: number;
}

export interface TuningSchedule {
	betas: readonly [number, number];
	stages: readonly TuningStage[];
	ramp: RateCurve;
	/** Rates count for weights as they act: those at an equalised learning rate are multiplied by √fan-in. */
	acting: boolean;
	/** Factor of the sum of squares of the latent. */
	latentPrior: number;
	perceptual: PerceptualTerm | null;
	/** Factor of the locality term, and how far from the pivot, in deviations of w from its mean; null: none. */
	locality: { weight: number; reach: number } | null;
	/** A stage ends after so many steps without a better score; 0: never. */
	patience: number;
	/** An image ends at this LPIPS; 0: never. Nothing is known of how a discriminator's distances compare. */
	until: number;
	selection: Selection;
}

/** Rate factors of the flat weights: 0 for those that stay. */
function factorsOf(prior: Prior, blocks: number, acting: boolean): HostTensor {
	const { generator } = prior;
	const { shapes, size } = tunedLayout(prior);
	const tuned = new Set(generator.blocks.slice(0, blocks).flat());
	const data = new Float32Array(size);
	let at = 0;
	for (const [name, shape] of Object.entries(shapes)) {
		const next = at + elements(shape);
		// The generator's constant is rank 4, too, but is no weight.
		const scaled = acting && shape.length > 1 && name.includes('weight');
		if (tuned.has(name)) data.fill(scaled ? Math.sqrt(elements(shape.slice(0, -1))) : 1, at, next);
		at = next;
	}
	return { shape: [size], data };
}

/** What is known of each image while others are tuned. */
interface Course {
	result: LayeredReconstruction;
	/** Each stage's rows of reports by image. */
	stages: { name: string; reports: StepReport[][] }[];
	objective: number[];
	residual: number[];
	heldOut: number[];
}

/**
 * Runs `first`, then tunes the generator to each image from its selected latent. An image that `first` ended by the
 * discrepancy principle, by the deadline or because it diverged stays as it is. A solve that is killed goes on in `first`,
 * and tunes anew.
 *
 * @throws the signal's reason when aborted; DIVERGED as `solveLayers`.
 */
export async function* solveTuning(
	prior: Prior,
	measurements: Measurements,
	first: LayerSchedule,
	schedule: TuningSchedule,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	const now = context.now ?? (() => performance.now());
	let startedAt = now();
	const N = measurements.keys.length;
	const each = schedule.stages.reduce((sum, { steps }) => sum + steps, 0);
	const before = first.steps.reduce((sum, steps) => sum + steps, 0);
	const steps = before + N * each;
	const layers = first.steps.length + schedule.stages.length;

	const run = solveLayers(prior, measurements, first, context);
	let found = await run.next();
	while (!found.done) {
		yield { ...found.value, layers, steps, secondsLeft: left(found.value.step) };
		found = await run.next();
	}
	// With what it took before it was killed and went on.
	startedAt = now() - 1000 * found.value.seconds;
	const course = courseOf(found.value, schedule);

	const { draws: _, jitter: __, perceptual: ___, ...latent } = first.plan;
	const plan: TuningPlan = {
		latent: { ...latent, ...(schedule.perceptual ? { perceptual: schedule.perceptual.comparison } : {}) },
		betas: schedule.betas,
		locality: schedule.locality !== null,
	};
	const one = selectMeasurements(measurements, [0]);
	const key = tuningKey(prior, one, plan);
	const program = context.programs.take(key, () =>
		compileTuning(context.engine, prior, one, plan, schedule.perceptual),
	) as TuningProgram;
	try {
		program.write({ ...priorState(prior), ...termState(schedule.perceptual) });
		for (let i = 0; i < N; i++) {
			// What is left of the time is shared among the images that are left.
			const deadline = context.deadline && now() + (context.deadline - now()) / (N - i);
			if (course.result.reasons[i] !== 'steps' && course.result.reasons[i] !== 'flat') continue;
			const single = { ...context, now, ...(deadline === undefined ? {} : { deadline }) };
			for await (const at of tuneImage(program, prior, measurements, i, schedule, course, single)) {
				const step = before + i * each + at.step;
				yield {
					layer: first.steps.length + at.stage,
					layers,
					layerName: schedule.stages[at.stage]!.name,
					step,
					steps,
					objective: [...course.objective],
					residual: [...course.residual],
					heldOut: course.result.heldOut && [...course.heldOut],
					rate: at.rate,
					seconds: (now() - startedAt) / 1000,
					secondsLeft: left(step),
					...(at.preview ? { preview: course.result.images } : {}),
				};
			}
		}
	} finally {
		context.programs.put(key, program);
	}
	const { scores: ____, ...result } = course.result;
	const { perceptual } = schedule;
	return {
		...result,
		history: [...result.history, ...course.stages.map(historyOf)],
		seconds: (now() - startedAt) / 1000,
		...(perceptual ? { perceptual: perceptual.label } : {}),
	};

	function left(step: number): number {
		return step > 0 ? ((now() - startedAt) / 1000 / step) * (steps - step) : 0;
	}
}

function courseOf(result: LayeredReconstruction, { stages }: TuningSchedule): Course {
	const last = result.history.at(-1)!;
	const latest = (rows: number[][]): number[] => [...rows.at(-1)!];
	return {
		result,
		stages: stages.map(({ name }) => ({ name, reports: result.residual.map(() => []) })),
		objective: latest(last.objective),
		residual: latest(last.residual),
		heldOut: latest(last.heldOut),
	};
}

/** Tunes the weights to image i; writes what it finds into `course`. */
async function* tuneImage(
	program: TuningProgram,
	prior: Prior,
	measurements: Measurements,
	i: number,
	schedule: TuningSchedule,
	course: Course,
	context: SolveContext & { now: () => number },
): AsyncGenerator<{ stage: number; step: number; rate: number; preview: boolean }> {
	const { result } = course;
	const { perceptual, locality } = schedule;
	const one = selectMeasurements(measurements, [i]);
	const split = splitMeasurements(one, schedule.selection, 'mean');
	const own = (tensor: HostTensor): HostTensor => takeRows(tensor, [i]);
	const entries: HostTensors = { ...split.state, y: one.y, 'x.latent': own(result.latents.latent!) };
	for (const [name, value] of Object.entries(one.parameters)) entries[`op.${name}`] = value;
	if (result.latents.centre) entries.centre = own(result.latents.centre);
	if (context.truth) entries.truth = own(context.truth);
	program.write(entries);
	program.call('restore', {});

	const standing = new Standing(1);
	const local = stream(context.seed, `locality/${one.keys[0]!.seed}/${one.keys[0]!.image}`);
	let before = 0;
	for (const [index, stage] of schedule.stages.entries()) {
		if (index > 0 && !standing.goesOn) break;
		standing.enterStage();
		program.write({ factors: factorsOf(prior, stage.blocks, schedule.acting) });
		program.call('enter', {});
		// One evaluation more than there are steps: the last update counts, too.
		for (let t = 0; t <= stage.steps; t++) {
			context.signal?.throwIfAborted();
			const share = t < stage.steps ? rateAt(1, t, stage.steps, schedule.ramp) : 0;
			const { rate, correction } = adamInputs(share, t, schedule.betas) as Record<string, Float32Array>;
			const outputs = program.call('step', {
				rate: rate!.map((value) => value * stage.rate),
				'rate.latent': rate!.map((value) => value * stage.latentRate),
				correction: correction!,
				active: Float32Array.of(1),
				pick: Float32Array.from(split.pick(before + t)),
				'weight.data': Float32Array.of(stage.data),
				'weight.perceptual': Float32Array.of(stage.perceptual * (perceptual?.weight ?? 0)),
				'weight.latent': Float32Array.of(schedule.latentPrior),
				...(locality
					? {
							'weight.locality': Float32Array.of(locality.weight),
							reach: Float32Array.of(locality.reach),
							local: local.normals(before + t, prior.generator.zDim),
						}
					: {}),
			});
			const report = columnsOf(outputs.report!);
			course.stages[index]!.reports[i]!.push(report);
			course.objective[i] = report.objective[0]!;
			course.residual[i] = report.residual[0]!;
			course.heldOut[i] = report.heldOut[0]!;
			standing.update(report, t, before, split, schedule.patience);
			const isLpips = perceptual && perceptual.comparison.network !== 'discriminator';
			if (isLpips && report.perceptual[0]! <= schedule.until && standing.active[0])
				standing.stop(0, 'threshold');
			if (context.deadline !== undefined && context.now() >= context.deadline) standing.stopAll('deadline');

			const ends = t === stage.steps || !standing.active[0];
			const due = (every: number | undefined): boolean => every !== undefined && (t % every === 0 || ends);
			if (due(context.previewEvery)) putRow(result.images, i, bestImage(program));
			if (due(context.progressEvery ?? 10)) {
				const step = before + Math.min(t + 1, stage.steps);
				yield { stage: index, step, rate: share * stage.rate, preview: due(context.previewEvery) };
			}
			if (ends) break;
			// Lets messages in: a cancellation arrives as one.
			await nextTurn();
		}
		before += stage.steps;
	}
	take(program, standing, one, result, i, split);
}

function bestImage(program: TuningProgram): HostTensor {
	return program.read(['best.image'])['best.image']!;
}

/** Overwrites row i of a batch. */
function putRow({ data }: HostTensor, i: number, row: HostTensor): void {
	data.set(row.data, i * row.data.length);
}

/** Puts what was selected for image i into the result of the batch. */
function take(
	program: TuningProgram,
	standing: Standing,
	{ keys }: Measurements,
	result: LayeredReconstruction,
	i: number,
	split: ReturnType<typeof splitMeasurements>,
): void {
	const { residual, heldOut, steps, reasons, lowestError, score } = standing;
	if (!Number.isFinite(residual[0]!)) {
		throw new RtilError(
			'DIVERGED',
			`The objective of image ${keys[0]!.image} was not finite when its weights were tuned.`,
			'Lower the rate.',
		);
	}
	putRow(result.images, i, bestImage(program));
	putRow(result.latents.latent!, i, program.read(['best.latent'])['best.latent']!);
	result.residual[i] = wholeResidual(standing, split)[0]!;
	if (result.heldOut) result.heldOut[i] = heldOut[0]!;
	result.steps[i]! += steps[0]!;
	result.reasons[i] = reasons[0]!;
	result.scores[i] = score[0]!;
	if (result.oraclePsnr) {
		result.oraclePsnr[i] = Math.max(result.oraclePsnr[i]!, 10 * Math.log10(4 / lowestError[0]!));
	}
}

/** One row a step; an image that ended before keeps its last, one that was not tuned is NaN. */
function historyOf({ name, reports }: Course['stages'][number]): LayerHistory {
	const length = Math.max(...reports.map((rows) => rows.length));
	const column = (of: 'objective' | 'residual' | 'heldOut'): number[][] =>
		Array.from({ length }, (_, t) => reports.map((rows) => (rows[t] ?? rows.at(-1))?.[of][0] ?? Number.NaN));
	return {
		name,
		objective: column('objective'),
		residual: column('residual'),
		heldOut: column('heldOut'),
	};
}
