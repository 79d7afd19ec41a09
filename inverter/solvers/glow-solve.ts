// The loop around the program of a Glow: a start, points of a minimiser in host memory evaluated on the engine, selection
// and stopping per image, progress, cancellation, snapshots.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Descent, DescentState, HostTensor, Told } from '../../engine/index.ts';
import { hostAdam, lbfgs, stream } from '../../engine/index.ts';
import type { GlowPrior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { latentSize } from '../statistics.ts';
import { degraded } from './degraded.ts';
import { compileGlow, type GlowPlan, type GlowProgram, glowKey, glowState } from './glow-program.ts';
import { type StepReport, WORST_SCORE } from './iterate.ts';
import { prefixed, withPrefix } from './plan.ts';
import { SolveRecorder } from './resume.ts';
import { type Ramp, rampedRate } from './schedule.ts';
import { type Selection, splitMeasurements } from './selection.ts';
import type { LayerHistory, Progress, Reconstruction, SolveContext } from './solver.ts';
import { requireFinite, Standing, wholeResidual } from './standing.ts';

export type GlowOptimiser = { kind: 'adam'; rate: number; ramp: Ramp } | { kind: 'l-bfgs'; memory: number };

export interface GlowSchedule {
	plan: GlowPlan;
	/** Evaluations of the objective. */
	steps: number;
	optimiser: GlowOptimiser;
	/** λ of each image. */
	weights: readonly number[];
	/**
	 * Of the image x of the analysis: the degraded one, G(0), drawn from [−½, ½], or given, [N, H, W, C] in [−1, 1]. The
	 * synthesis starts at eps = 0.
	 */
	start: 'degraded' | 'mean' | 'uniform' | HostTensor;
	/** An image ends after so many steps without a better score; 0: never. */
	patience: number;
	selection: Selection;
}

/** Root mean square of the first step of L-BFGS, in the units of x or eps. */
const FIRST_STEP = 0.02;

function startingPoints(
	program: GlowProgram,
	prior: GlowPrior,
	measurements: Measurements,
	fitted: Float32Array,
	{ plan, start }: GlowSchedule,
	seed: number,
): Float32Array {
	const { keys } = measurements;
	const D = latentSize(prior);
	const points = new Float32Array(keys.length * D);
	if (plan.formulation === 'synthesis') return points;
	if (start === 'uniform') {
		keys.forEach((key, n) => {
			const drawn = stream(seed, `start/x/${key.seed}/${key.image}`).uniforms(0, D);
			points.set(
				drawn.map((value) => value - 0.5),
				n * D,
			);
		});
		return points;
	}
	const adjoint = (y: Float32Array): Float32Array => program.call('adjoint', { '.y': y }).image!.data;
	const picture = (): Float32Array => {
		if (start === 'degraded') return degraded(measurements, fitted, adjoint);
		return start === 'mean' ? program.call('mean', {}).image!.data : start.data;
	};
	return picture().map((value) => value / 2);
}

/** Nothing here is perceptual. */
type GlowReport = Omit<StepReport, 'perceptual'>;

const columns = ['objective', 'residual', 'heldOut', 'data', 'error'] as const;

function reportOf({ shape, data }: HostTensor, [held, loss, fixed]: readonly number[]): GlowReport {
	const [N, width] = shape as [number, number];
	const read = (at: number): number[] => Array.from({ length: N }, (_, n) => data[n * width + at]!);
	const report = Object.fromEntries(columns.map((name, at) => [name, read(at)])) as Omit<GlowReport, 'score'>;
	const score = report.data.map((value, n) => held! * report.heldOut[n]! + loss! * value + fixed!);
	return { ...report, score };
}

/**
 * Runs a schedule.
 *
 * @throws the signal's reason when aborted; DIVERGED when an image never had a finite objective.
 */
export async function* solveGlow(
	prior: GlowPrior,
	measurements: Measurements,
	schedule: GlowSchedule,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	const { plan, steps, optimiser } = schedule;
	const { keys } = measurements;
	const N = keys.length;
	const D = latentSize(prior);
	const now = context.now ?? (() => performance.now());
	const recorder = new SolveRecorder(context.resume, now);
	const split = splitMeasurements(measurements, schedule.selection, 'mean');
	const key = glowKey(prior, measurements, plan);
	const state = glowState(prior, measurements, split, plan.truth ? context.truth : undefined);
	const program = context.programs.take(key, () =>
		compileGlow(context.engine, prior, measurements, plan, state),
	);
	try {
		program.write(state);
		const start = startingPoints(
			program,
			prior,
			measurements,
			split.state.fitted!.data,
			schedule,
			context.seed,
		);
		const descent: Descent =
			optimiser.kind === 'adam'
				? hostAdam(start, N)
				: lbfgs(start, N, { memory: optimiser.memory, firstStep: FIRST_STEP * Math.sqrt(D) });
		const best = start.slice();
		const standing = new Standing(N);
		const record: LayerHistory = { name: plan.formulation, objective: [], residual: [], heldOut: [] };
		let iterate: GlowReport | null = null;

		const saved = await recorder.latest();
		if (saved) {
			descent.restore({
				tensors: withPrefix(saved.tensors, 'descent.'),
				numbers: saved.values.numbers as DescentState['numbers'],
			});
			best.set(saved.tensors.best!.data);
			standing.restore(saved.values.standing as Record<string, unknown>);
			Object.assign(record, saved.values.record);
			iterate = saved.values.iterate as GlowReport;
		}
		const startedAt = now() - ((saved?.values.milliseconds as number | undefined) ?? 0);

		// One evaluation more than there are steps: the last update counts, too.
		for (let t = record.objective.length; t <= steps && standing.active.some(Boolean); t++) {
			context.signal?.throwIfAborted();
			const points = descent.points.slice();
			const outputs = program.call('evaluate', { points, weight: Float32Array.from(schedule.weights) });
			const tried = reportOf(outputs.report!, split.pick(t));
			const rate = optimiser.kind === 'adam' ? rampedRate(optimiser.rate, t, steps, optimiser.ramp) : 0;
			const told = descent.tell(tried.objective, outputs.gradient!.data, standing.active, rate);
			const report = iterate ? lastIterates(tried, iterate, told) : tried;
			iterate = report;
			record.objective.push(report.objective);
			record.residual.push(report.residual);
			record.heldOut.push(report.heldOut);
			const before = [...standing.score];
			standing.update(report, t, 0, split, schedule.patience);
			for (let n = 0; n < N; n++) {
				if (standing.score[n]! < before[n]!) best.set(points.subarray(n * D, (n + 1) * D), n * D);
				if (told[n] === 'stuck' && standing.active[n]) standing.stop(n, 'flat');
			}
			if (context.deadline !== undefined && now() >= context.deadline) standing.stopAll('deadline');

			const ends = t === steps || !standing.active.some(Boolean);
			const due = (every: number | undefined): boolean => every !== undefined && (t % every === 0 || ends);
			if (due(context.progressEvery ?? 10)) {
				const step = Math.min(t + 1, steps);
				const seconds = (now() - startedAt) / 1000;
				yield {
					layer: 0,
					layers: 1,
					layerName: record.name,
					step,
					steps,
					objective: report.objective,
					residual: report.residual,
					heldOut: split.by === 'held-out' ? report.heldOut : null,
					rate,
					seconds,
					secondsLeft: (seconds / step) * (steps - step),
					...(due(context.previewEvery) ? { preview: imagesAt(program, best) } : {}),
				};
			}
			await recorder.record(() => {
				const { tensors, numbers } = descent.save();
				return {
					tensors: { ...prefixed('descent.', tensors), best: { shape: [N, D], data: best.slice() } },
					values: {
						numbers,
						standing: standing.save(),
						record,
						iterate: report,
						milliseconds: now() - startedAt,
					},
				};
			});
			// Lets messages in: a cancellation arrives as one.
			await nextTurn();
		}
		requireFinite(standing, keys);
		return {
			images: imagesAt(program, best),
			latents: { [plan.formulation === 'synthesis' ? 'eps' : 'x']: { shape: [N, D], data: best } },
			residual: wholeResidual(standing, split),
			heldOut: split.by === 'held-out' ? standing.heldOut : null,
			selectedBy: split.by,
			reasons: standing.reasons,
			steps: standing.steps,
			seconds: (now() - startedAt) / 1000,
			history: [record],
			oraclePsnr: plan.truth ? standing.lowestError.map((error) => 10 * Math.log10(4 / error)) : null,
		};
	} finally {
		context.programs.put(key, program);
	}
}

const imagesAt = (program: GlowProgram, points: Float32Array): HostTensor =>
	program.call('image', { points }).image!;

/** A point that was only tried is no iterate: the last one still stands, and is not selected again. */
function lastIterates(tried: GlowReport, iterate: GlowReport, told: readonly Told[]): GlowReport {
	const stays = told.map(
		(answer, n) =>
			answer === 'rejected' || (answer === 'stuck' && !(tried.objective[n]! <= iterate.objective[n]!)),
	);
	const names = Object.keys(tried) as (keyof GlowReport)[];
	return Object.fromEntries(
		names.map((name) => [
			name,
			tried[name].map((value, n) =>
				stays[n] ? (name === 'score' ? WORST_SCORE : iterate[name][n]!) : value,
			),
		]),
	) as GlowReport;
}
