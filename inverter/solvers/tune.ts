// The loop around a tuning program: first latents for the batch together, then the weights for one image after another.
import type { Prior } from '../prior.ts';
import { type Measurements, selectMeasurements } from '../problems/index.ts';
import { type Course, courseOf, historyOf, restoreCourse, saveCourse } from './course.ts';
import { prefixed, priorState, termState, withPrefix } from './plan.ts';
import { SolveRecorder, type SolveSnapshot } from './resume.ts';
import { type LayerSchedule, solveLayers } from './solve.ts';
import type { Progress, Reconstruction, SolveContext } from './solver.ts';
import { type StagePosition, type TuningSchedule, tuneImage } from './tune-image.ts';
import { compileTuning, type TuningPlan, type TuningProgram, tuningKey, tuningState } from './tuning.ts';

/** Of what a snapshot holds of the program. */
const TUNED = 'tuned.';

/** Of a solve that has its first latents. */
interface TuningSnapshot extends SolveSnapshot {
	values: {
		/** The image that is tuned next, and how far it is; null: not begun. */
		image: number;
		at: StagePosition | null;
		milliseconds: number;
		[of: string]: unknown;
	};
}

const isTuning = (snapshot: SolveSnapshot | null): snapshot is TuningSnapshot =>
	snapshot !== null && 'image' in snapshot.values;

/**
 * Runs `first`, then tunes the generator to each image from its selected latent. An image that `first` ended by the
 * discrepancy principle, by the deadline or because it diverged stays as it is.
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

	const recorder = new SolveRecorder(context.resume, now, schedule.perceptual?.label);
	const latest = await recorder.latest();
	const saved = isTuning(latest) ? latest : null;
	let course: Course;
	if (saved) {
		course = restoreCourse(saved);
		startedAt -= saved.values.milliseconds;
	} else {
		const run = solveLayers(prior, measurements, first, context);
		let found = await run.next();
		while (!found.done) {
			yield { ...found.value, layers, steps, secondsLeft: left(found.value.step) };
			found = await run.next();
		}
		// With what it took before it was killed and went on.
		startedAt = now() - 1000 * found.value.seconds;
		course = courseOf(found.value, schedule.stages);
	}

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
		if (!saved) await recorder.record(() => snapshot(0));
		const tuner = { program, prior, measurements, schedule, course };
		for (let i = saved?.values.image ?? 0; i < N; i++) {
			// What is left of the time is shared among the images that are left.
			const deadline = context.deadline && now() + (context.deadline - now()) / (N - i);
			if (course.result.reasons[i] !== 'steps' && course.result.reasons[i] !== 'flat') continue;
			const single = { ...context, now, ...(deadline === undefined ? {} : { deadline }) };
			const from = saved?.values.image === i ? saved.values.at : null;
			if (from) program.write(withPrefix(saved!.tensors, TUNED));
			const record = (at: () => StagePosition) => recorder.record(() => snapshot(i, at()));
			for await (const at of tuneImage(tuner, i, from, single, record)) {
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
			await recorder.record(() => snapshot(i + 1));
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

	/** The solve between two steps of an image, or before its first. */
	function snapshot(image: number, at: StagePosition | null = null): TuningSnapshot {
		const { tensors, values } = saveCourse(course);
		const tuned = at ? prefixed(TUNED, program.read(tuningState)) : {};
		return {
			tensors: { ...tensors, ...tuned },
			values: { ...values, image, at, milliseconds: now() - startedAt },
		};
	}

	function left(step: number): number {
		return step > 0 ? ((now() - startedAt) / 1000 / step) * (steps - step) : 0;
	}
}
