// The weights of a generator tuned to one image of a batch, stage by stage, from the checkpoint's.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { elements, type HostTensor, type HostTensors, stream } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import type { Prior } from '../prior.ts';
import { type Measurements, selectMeasurements } from '../problems/index.ts';
import type { Course } from './course.ts';
import { adamInputs, report as columnsOf } from './iterate.ts';
import type { PerceptualTerm } from './perceptual.ts';
import { takeRows } from './rows.ts';
import { type RateCurve, rateAt } from './schedule.ts';
import { type Selection, splitMeasurements } from './selection.ts';
import type { LayeredReconstruction } from './solve.ts';
import type { SolveContext } from './solver.ts';
import { Standing, wholeResidual } from './standing.ts';
import { type TuningProgram, tunedLayout } from './tuning.ts';

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

/** What is tuned to what, and what is known so far. */
export interface Tuner {
	program: TuningProgram;
	prior: Prior;
	measurements: Measurements;
	schedule: TuningSchedule;
	course: Course;
}

/** Where the tuning to an image is between two steps: a stage, and how the image stands. */
export interface StagePosition {
	stage: number;
	standing: Record<string, unknown>;
}

/**
 * Tunes the weights to image i; writes what it finds into the course.
 *
 * @param from where to go on, with the state of then in the program; null: at the beginning
 * @param record called after every step that is not the last of its stage
 */
export async function* tuneImage(
	{ program, prior, measurements, schedule, course }: Tuner,
	i: number,
	from: StagePosition | null,
	context: SolveContext & { now: () => number },
	record: (at: () => StagePosition) => Promise<void>,
): AsyncGenerator<{ stage: number; step: number; rate: number; preview: boolean }> {
	const { result } = course;
	const { perceptual, locality } = schedule;
	const one = selectMeasurements(measurements, [i]);
	const split = splitMeasurements(one, schedule.selection, 'mean');
	const own = (tensor: HostTensor): HostTensor => takeRows(tensor, [i]);
	const entries: HostTensors = { ...split.state, y: one.y };
	for (const [name, value] of Object.entries(one.parameters)) entries[`op.${name}`] = value;
	if (result.latents.centre) entries.centre = own(result.latents.centre);
	if (context.truth) entries.truth = own(context.truth);
	program.write(entries);
	const standing = new Standing(1);
	if (from) standing.restore(from.standing);
	else {
		program.write({ 'x.latent': own(result.latents.latent!) });
		program.call('restore', {});
	}

	const local = stream(context.seed, `locality/${one.keys[0]!.seed}/${one.keys[0]!.image}`);
	let before = 0;
	for (const [index, stage] of schedule.stages.entries()) {
		const rows = course.stages[index]!.reports[i]!;
		if (from && index < from.stage) {
			before += stage.steps;
			continue;
		}
		if (index > 0 && !standing.goesOn) break;
		program.write({ factors: factorsOf(prior, stage.blocks, schedule.acting) });
		if (index !== from?.stage) {
			standing.enterStage();
			program.call('enter', {});
		}
		// One evaluation more than there are steps: the last update counts, too.
		for (let t = rows.length; t <= stage.steps; t++) {
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
			rows.push(report);
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
			await record(() => ({ stage: index, standing: standing.save() }));
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
