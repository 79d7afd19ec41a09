// Several starts of each image, solved in one batch: the one with the best score, by the measurements, is the result, and
// where they disagree is a map of what the measurements leave open.
import type { HostTensor, HostTensors } from '../../engine/index.ts';
import type { Prior } from '../prior.ts';
import { type Measurements, selectMeasurements } from '../problems/index.ts';
import { takeRows } from './rows.ts';
import { type LayeredReconstruction, type LayerSchedule, solveLayers } from './solve.ts';
import type { LayerHistory, Progress, SolveContext } from './solver.ts';

/** Runs a schedule from `restarts` starts of each image; throws what `solveLayers` throws. */
export async function* solveRestarts(
	prior: Prior,
	measurements: Measurements,
	schedule: LayerSchedule,
	context: SolveContext,
	restarts: number,
): AsyncGenerator<Progress, LayeredReconstruction> {
	const rows = measurements.keys.flatMap((_, i) => new Array<number>(restarts).fill(i));
	const batch = restarts === 1 ? measurements : selectMeasurements(measurements, rows);
	const starts = measurements.keys.flatMap(() => Array.from({ length: restarts }, (_, r) => r));
	const truth = context.truth && takeRows(context.truth, rows);
	const run = solveLayers(prior, batch, schedule, { ...context, ...(truth ? { truth } : {}) }, starts);
	for (;;) {
		const { value, done } = await run.next();
		if (done) return pickRestarts(value, restarts);
		yield oneEach(value, restarts);
	}
}

/** Row i · R + r of the batch is restart r of image i. */
function pickRestarts(
	{ images, latents, ...rest }: LayeredReconstruction,
	restarts: number,
): LayeredReconstruction {
	const N = images.shape[0]! / restarts;
	const chosen = Array.from({ length: N }, (_, i) => {
		const rows = Array.from({ length: restarts }, (_, r) => i * restarts + r);
		return rows.reduce((best, row) => (rest.scores[row]! < rest.scores[best]! ? row : best));
	});
	const take = <T>(values: readonly T[]): T[] => chosen.map((row) => values[row]!);
	const rows = (tensor: HostTensor): HostTensor => takeRows(tensor, chosen);
	const takeHistory = (layer: LayerHistory): LayerHistory => ({
		name: layer.name,
		objective: layer.objective.map(take<number>),
		residual: layer.residual.map(take<number>),
		heldOut: layer.heldOut.map(take<number>),
	});
	const kept: HostTensors = Object.fromEntries(
		Object.entries(latents).map(([name, value]) => [name, rows(value)]),
	);
	return {
		...rest,
		images: rows(images),
		...(restarts > 1 ? { spread: deviationOf(images, restarts) } : {}),
		latents: kept,
		residual: take(rest.residual),
		heldOut: rest.heldOut && take(rest.heldOut),
		reasons: take(rest.reasons),
		steps: take(rest.steps),
		scores: take(rest.scores),
		history: rest.history.map(takeHistory),
		// The oracle chooses among restarts, too.
		oraclePsnr:
			rest.oraclePsnr &&
			chosen.map((_, i) => Math.max(...rest.oraclePsnr!.slice(i * restarts, (i + 1) * restarts))),
	};
}

/** Standard deviation of each pixel over the selected iterates of an image's restarts (over R − 1), [N, H, W, C]. */
function deviationOf({ shape, data }: HostTensor, restarts: number): HostTensor {
	const N = shape[0]! / restarts;
	const each = data.length / shape[0]!;
	const spread = new Float32Array(N * each);
	for (let i = 0; i < N; i++)
		for (let k = 0; k < each; k++) {
			const values = Array.from({ length: restarts }, (_, r) => data[(i * restarts + r) * each + k]!);
			const mean = values.reduce((sum, value) => sum + value, 0) / restarts;
			const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
			spread[i * each + k] = Math.sqrt(squares / (restarts - 1));
		}
	return { shape: [N, ...shape.slice(1)], data: spread };
}

/** The rows of the first restarts. */
const firsts = (N: number, restarts: number): number[] => Array.from({ length: N }, (_, i) => i * restarts);

/** Progress of a batch with restarts, as of the restart that fits best now. */
function oneEach(progress: Progress, restarts: number): Progress {
	if (restarts === 1) return progress;
	const best = (values: number[]): number[] =>
		Array.from({ length: values.length / restarts }, (_, i) =>
			Math.min(...values.slice(i * restarts, (i + 1) * restarts)),
		);
	const { preview, ...rest } = progress;
	return {
		...rest,
		residual: best(progress.residual),
		heldOut: progress.heldOut && best(progress.heldOut),
		objective: best(progress.objective),
		...(preview ? { preview: takeRows(preview, firsts(preview.shape[0]! / restarts, restarts)) } : {}),
	};
}
