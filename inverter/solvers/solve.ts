// The loop around a layered program: starts, rates, selection and stopping per image, progress, cancellation.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HostTensor, HostTensors, Program, ProgramFunction } from '../../engine/index.ts';
import { elements, stream } from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import { adamInputs, report as columnsOf, WORST_SCORE } from './iterate.ts';
import { betasOf, compileLayers, extraInputs } from './layers.ts';
import type { PerceptualTerm } from './perceptual.ts';
import {
	type LayerPlan,
	latentShape,
	movingState,
	planKey,
	priorState,
	termState,
	variables,
} from './plan.ts';
import { SolveRecorder, type SolveSnapshot } from './resume.ts';
import { takeRows } from './rows.ts';
import { type RateCurve, rateAt } from './schedule.ts';
import { type Selection, type Split, splitMeasurements } from './selection.ts';
import type { LayerHistory, Progress, Reconstruction, SolveContext } from './solver.ts';
import { requireFinite, Standing, wholeResidual } from './standing.ts';

/** How strongly and how long; see the solvers' options. */
export interface LayerSchedule {
	plan: LayerPlan;
	/** Steps and rate of each layer. */
	steps: readonly number[];
	rates: readonly number[];
	ramp: RateCurve;
	/** An image's layer ends after so many steps without a better score; 0: never. */
	patience: number;
	/** Weight of the Gaussian priors, see `priorWeight`; absent: none. */
	misfit?: number;
	/** Whether the offsets at cuts have that prior, too. */
	offsetPrior?: boolean;
	/** Radius of the offsets' ℓ1 ball by layer, if they have one. */
	radii?: readonly number[];
	/** σ of the offsets by layer, the first not used; absent: 1. */
	sigmas?: readonly number[];
	/** Weight of the geodesic term, where the plan has it. */
	geodesic?: number;
	/** Latents and noises start at their mean, 0, or at random. */
	start: 'mean' | 'random';
	/** Where the plan has draws: how many of z, or the centres by rows, in units of the deviation of w. */
	draws?: number | HostTensor;
	/** Where the plan has noise: its deviation at step t of so many, in units of that of w. */
	jitter?: (t: number, steps: number) => number;
	/** The plan gets its comparison. */
	perceptual?: PerceptualTerm | null;
	/** Factors of the sums of squares of latents and noises in place of `misfit`, and what else the plan has. */
	weights?: Partial<Record<'latent' | 'noise' | 'z' | 'map' | 'cosine' | 'floor' | 'l1', number>>;
	/** Start of the channel weights of a mixture. */
	channelWeight?: number;
	/** Statistics of w where the plan has the proxy; absent: the prior's. */
	proxy?: { mean: Float32Array; std: Float32Array };
	/** Starts of variables by name, [N, …], in place of drawn ones. */
	given?: HostTensors;
	selection: Selection;
}

/**
 * Weight of ½‖z‖² for every latent, so that the objective is a scaled negative log posterior: `misfit` is the share
 * ‖r‖ / ‖y‖ that noise and model are expected to leave, spread over the fitted values.
 */
const priorWeight = (misfit: number, split: Split): number => misfit ** 2 / split.count;

type Layered = Program<Record<string, ProgramFunction>>;

/** Starting values: an image's own, whatever its batch. `starts[i]` numbers the random start of row i. */
function startingState(
	prior: Prior,
	{ plan, start, given = {}, channelWeight = 1 }: LayerSchedule,
	{ keys }: Measurements,
	seed: number,
	starts: readonly number[],
): HostTensors {
	const state: HostTensors = {};
	for (const { name, shape, optimised } of variables(prior, plan, keys.length)) {
		const each = shape.slice(1).reduce((product, side) => product * side, 1);
		const data = new Float32Array(keys.length * each);
		if (name === 'channels') data.fill(channelWeight);
		if (given[name]) data.set(given[name].data);
		keys.forEach((key, i) => {
			// z has no mean to start from (the mapping network normalises it), and restarts must differ.
			const latentAtRandom = start === 'random' || plan.space === 'z' || starts[i]! > 0;
			const atRandom =
				name === 'latent'
					? latentAtRandom
					: name === 'codes' || (name.startsWith('noise') && start === 'random');
			if (!atRandom || given[name]) return;
			const draws = stream(seed, `start/${name}/${key.seed}/${key.image}`);
			data.set(draws.normals(starts[i]!, each), i * each);
		});
		state[`x.${name}`] = { shape, data };
		if (!optimised) continue;
		for (const slot of ['m', 'v', 'best'])
			state[`${slot}.${name}`] = { shape, data: new Float32Array(data.length) };
	}
	return state;
}

/** Writes a batch into a program: measurements, starts, scales. */
function load(
	program: Layered,
	prior: Prior,
	measurements: Measurements,
	schedule: LayerSchedule,
	split: Split,
	context: SolveContext,
	starts: readonly number[],
	term: PerceptualTerm | null,
): void {
	const N = measurements.keys.length;
	const state: HostTensors = {
		...priorState(prior),
		...termState(term),
		...startingState(prior, schedule, measurements, context.seed, starts),
		...split.state,
		y: measurements.y,
		'best.score': { shape: [N, 1], data: new Float32Array(N).fill(WORST_SCORE) },
	};
	for (const [name, value] of Object.entries(measurements.parameters)) state[`op.${name}`] = value;
	schedule.plan.layers.forEach(({ cut }, i) => {
		if (cut) state[`sigma.${cut.name}`] = { shape: [1], data: Float32Array.of(schedule.sigmas?.[i] ?? 1) };
	});
	if (schedule.plan.truth) state.truth = context.truth!;
	if (schedule.plan.draws)
		state['draw.score'] = { shape: [N, 1], data: new Float32Array(N).fill(WORST_SCORE) };
	const { proxy } = schedule;
	if (proxy) {
		state['w.mean'] = { shape: [proxy.mean.length], data: proxy.mean };
		state['w.std'] = { shape: [proxy.std.length], data: proxy.std };
	}
	program.write(state);
}

/** Noise like that of the measurement, drawn anew for one step; an image's own, whatever its batch. */
function freshNoise({ keys, sigma, y }: Measurements, seed: number, step: number): Float32Array {
	const each = y.data.length / keys.length;
	const noise = new Float32Array(y.data.length);
	keys.forEach((key, i) => {
		const drawn = stream(seed, `stochastic/${key.seed}/${key.image}`).normals(step, each);
		noise.set(
			drawn.map((value) => (sigma?.[i] ?? 0) * value),
			i * each,
		);
	});
	return noise;
}

/**
 * Where the draws lead: the one that is closest to an image's measurements is its start.
 *
 * @param from draws that were made before the process was killed
 * @param onDrawn called with the draws made so far
 */
async function startAtBestDraw(
	program: Layered,
	{ generator: { zDim } }: Prior,
	{ keys }: Measurements,
	draws: number | HostTensor,
	from: number,
	{ seed, signal, deadline = Number.POSITIVE_INFINITY, now = () => performance.now() }: SolveContext,
	onDrawn: (drawn: number) => Promise<void>,
): Promise<void> {
	const N = keys.length;
	const count = typeof draws === 'number' ? draws : draws.shape[0]!;
	for (let k = from; k < count; k++) {
		signal?.throwIfAborted();
		if (k > 0 && now() >= deadline) return;
		program.call('draw', {
			candidate:
				typeof draws === 'number'
					? latentsAt(keys, zDim, (key) => stream(seed, `start/z/${key.seed}/${key.image}`).normals(k, zDim))
					: takeRows(draws, new Array<number>(N).fill(k)).data,
		});
		await onDrawn(k + 1);
		await nextTurn();
	}
}

/** One row of `each` values an image. */
function latentsAt(
	keys: Measurements['keys'],
	each: number,
	make: (key: Measurements['keys'][number]) => Float32Array,
): Float32Array {
	const rows = new Float32Array(keys.length * each);
	keys.forEach((key, i) => {
		rows.set(make(key), i * each);
	});
	return rows;
}

/** The noise of a step: an image's own, whatever its batch. */
function jitterAt(
	prior: Prior,
	{ plan, jitter }: LayerSchedule,
	{ keys }: Measurements,
	seed: number,
	t: number,
	steps: number,
): Record<string, Float32Array> {
	if (!plan.jitter) return {};
	const each = elements(latentShape(prior, plan, 1));
	const sigma = jitter!(t, steps);
	const rows = latentsAt(keys, each, (key) =>
		stream(seed, `jitter/${key.seed}/${key.image}`).normals(t, each),
	);
	return { jitter: rows.map((value) => sigma * value) };
}

export interface LayeredReconstruction extends Reconstruction {
	/** What the selection compared, one a row: lower is better. */
	scores: number[];
}

/**
 * Runs a schedule; row i of the batch starts from random start number `starts[i]` (0 for all by default).
 *
 * @throws the signal's reason when aborted; DIVERGED when an image never had a finite objective.
 */
export async function* solveLayers(
	prior: Prior,
	measurements: Measurements,
	schedule: LayerSchedule,
	context: SolveContext,
	starts: readonly number[] = measurements.keys.map(() => 0),
): AsyncGenerator<Progress, LayeredReconstruction> {
	const { perceptual: term = null } = schedule;
	const plan: LayerPlan = { ...schedule.plan, ...(term ? { perceptual: term.comparison } : {}) };
	const N = measurements.keys.length;
	const now = context.now ?? (() => performance.now());
	const recorder = new SolveRecorder(context.resume, now, term?.label);
	const split = splitMeasurements(measurements, schedule.selection, plan.fit);
	const key = planKey(prior, measurements, plan);
	const program = context.programs.take(key, () =>
		compileLayers(context.engine, prior, measurements, plan, term),
	);
	try {
		load(program, prior, measurements, schedule, split, context, starts, term);
		const standing = new Standing(N);
		const history: LayerHistory[] = [];
		const saved = await recorder.latest();
		if (saved) {
			program.write(saved.tensors);
			standing.restore(saved.values.standing as Record<string, unknown>);
			history.push(...(saved.values.history as LayerHistory[]));
		}
		/** What has been done so far, after so many draws. */
		const snapshot = (drawn: number, milliseconds: number): SolveSnapshot => ({
			tensors: program.read(movingState(prior, measurements, plan)),
			values: { standing: standing.save(), history, drawn, milliseconds },
		});
		if (plan.draws && history.length === 0) {
			const { draws = 1 } = schedule;
			const from = (saved?.values.drawn as number | undefined) ?? 0;
			await startAtBestDraw(program, prior, measurements, draws, from, context, (drawn) =>
				recorder.record(() => snapshot(drawn, 0)),
			);
		}

		const weights = { ...schedule.weights, ...(term ? { perceptual: term.weight } : {}) };
		const gaussian = priorWeight(schedule.misfit ?? 0, split);
		const extra = Object.fromEntries(
			extraInputs(plan).map((name) => [
				name,
				Float32Array.of(weights[name.replace('weight.', '') as keyof typeof weights] ?? 0),
			]),
		);
		const total = schedule.steps.reduce((sum, steps) => sum + steps, 0);
		const startedAt = now() - ((saved?.values.milliseconds as number | undefined) ?? 0);
		let late = false;
		for (const [index, layer] of plan.layers.entries()) {
			if (index < history.length - 1) continue;
			if (late || standing.fitted.every(Boolean)) break;
			if (index === history.length) {
				if (index > 0) program.call(`enter.${index}`, {});
				standing.enterLayer();
				history.push({
					name: layer.cut?.name ?? layer.phase ?? 'latent',
					objective: [],
					residual: [],
					heldOut: [],
				});
			}
			const steps = schedule.steps[index]!;
			const before = schedule.steps.slice(0, index).reduce((sum, count) => sum + count, 0);
			const record = history[index]!;

			// One evaluation more than there are steps: the last update counts, too.
			for (let t = record.objective.length; t <= steps; t++) {
				context.signal?.throwIfAborted();
				const rate = t < steps ? rateAt(schedule.rates[index]!, t, steps, schedule.ramp) : 0;
				const outputs = program.call(`step.${index}`, {
					...adamInputs(rate, t, betasOf(plan)),
					active: Float32Array.from(standing.active, Number),
					pick: Float32Array.from(split.pick(t)),
					[plan.mixture ? 'weight.codes' : 'weight.latent']: Float32Array.of(weights.latent ?? gaussian),
					'weight.noise': Float32Array.of(weights.noise ?? gaussian),
					'weight.offset': Float32Array.of(schedule.offsetPrior ? gaussian : 0),
					'weight.geodesic': Float32Array.of(schedule.geodesic ?? 0),
					radius: Float32Array.of(schedule.radii?.[index] ?? 0),
					...extra,
					...jitterAt(prior, schedule, measurements, context.seed, t, steps),
					...(plan.stochastic ? { noise: freshNoise(measurements, context.seed, before + t + index) } : {}),
				});
				const report = columnsOf(outputs.report!);
				record.objective.push(report.objective);
				record.residual.push(report.residual);
				record.heldOut.push(report.heldOut);
				standing.update(report, t, before, split, schedule.patience);
				if (context.deadline !== undefined && now() >= context.deadline) {
					late = true;
					standing.stopAll('deadline');
				}

				const ends = t === steps || !standing.active.some(Boolean);
				const due = (every: number | undefined): boolean => every !== undefined && (t % every === 0 || ends);
				if (due(context.progressEvery ?? 10)) {
					const step = before + Math.min(t + 1, steps);
					const seconds = (now() - startedAt) / 1000;
					yield {
						layer: index,
						layers: plan.layers.length,
						layerName: record.name,
						step,
						steps: total,
						objective: report.objective,
						residual: report.residual,
						heldOut: split.by === 'held-out' ? report.heldOut : null,
						rate,
						seconds,
						secondsLeft: step > 0 ? (seconds / step) * (total - step) : 0,
						...(due(context.previewEvery) ? { preview: bestImages(program) } : {}),
					};
				}
				if (ends) break;
				await recorder.record(() => snapshot(0, now() - startedAt));
				// Lets messages in: a cancellation arrives as one.
				await nextTurn();
			}
		}
		return {
			...selected(program, prior, measurements, plan, standing),
			residual: wholeResidual(standing, split),
			heldOut: split.by === 'held-out' ? standing.heldOut : null,
			selectedBy: split.by,
			reasons: standing.reasons,
			steps: standing.steps,
			seconds: (now() - startedAt) / 1000,
			history,
			oraclePsnr: plan.truth ? standing.lowestError.map((error) => 10 * Math.log10(4 / error)) : null,
			scores: standing.score,
			...(term ? { perceptual: term.label } : {}),
		};
	} finally {
		context.programs.put(key, program);
	}
}

function bestImages(program: Layered): HostTensor {
	return program.read(['best.image'])['best.image']!;
}

/** The selected images and latents. */
function selected(
	program: Layered,
	prior: Prior,
	{ keys }: Measurements,
	plan: LayerPlan,
	standing: Standing,
): { images: HostTensor; latents: HostTensors } {
	requireFinite(standing, keys);
	const names = variables(prior, plan, keys.length).flatMap(({ name, optimised }) =>
		optimised ? [name] : [],
	);
	const values = program.read([...names.map((name) => `best.${name}`), ...(plan.centre ? ['centre'] : [])]);
	const latents = Object.fromEntries(names.map((name) => [name, values[`best.${name}`]!]));
	if (plan.centre) latents.centre = values.centre!;
	return { images: bestImages(program), latents };
}
