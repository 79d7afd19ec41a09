// BM3D as a solver of denoising problems.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { RtilError } from '../../errors/index.ts';
import type { Prior } from '../prior.ts';
import { isNoisy, type Measurements, type ProblemSpec, pixels } from '../problems/index.ts';
import { SolveRecorder } from '../solvers/resume.ts';
import type { Progress, Reconstruction, SolveContext, Solver, StopReason } from '../solvers/solver.ts';
import { bm3d as denoise } from './bm3d.ts';
import { directResult, imageShape, residuals, servesOnly } from './direct.ts';

const schema = z.strictObject({
	/** 1: the hard-thresholded estimate alone. */
	stages: z.union([z.literal(1), z.literal(2)]),
	/** Deviation of the noise in units of [−1, 1]; absent: as the measurement says. */
	sigma: z.number().positive().max(10).optional(),
});

type Options = z.output<typeof schema>;

function check(_prior: Prior | null, options: Options, problem: ProblemSpec): void {
	servesOnly('bm3d', ['denoising', 'identity'], problem);
	if (options.sigma !== undefined || isNoisy(problem.noise)) return;
	throw new RtilError(
		'MISMATCH',
		'BM3D needs the noise level, but the problem has no noise.',
		'Add `noise: {kind: gaussian, sigma: …}` to the problem, or `sigma` to the solver.',
	);
}

async function* solve(
	prior: Prior | null,
	measurements: Measurements,
	options: Options,
	context: SolveContext,
): AsyncGenerator<Progress, Reconstruction> {
	check(prior, options, measurements.problem);
	const { image, y, keys } = measurements;
	const each = pixels(image);
	const now = context.now ?? (() => performance.now());
	const recorder = new SolveRecorder(context.resume, now);
	const saved = await recorder.latest();
	const startedAt = now() - ((saved?.values.milliseconds as number | undefined) ?? 0);
	const data = saved ? saved.tensors.images!.data : y.data.slice();
	const images = { shape: imageShape(measurements), data };
	const reasons = (saved?.values.reasons as StopReason[] | undefined) ?? [];
	for (let i = reasons.length; i < keys.length; i++) {
		context.signal?.throwIfAborted();
		if (context.deadline !== undefined && now() >= context.deadline) {
			// The others stay as they were measured.
			reasons.push(...keys.slice(i).map(() => 'deadline' as const));
			break;
		}
		const noisy = { ...image, data: y.data.subarray(i * each, (i + 1) * each) };
		const sigma = options.sigma ?? measurements.sigma![i]!;
		// Without any noise, as of a black image under Poisson's, the image is its own estimate.
		if (sigma > 0) data.set(denoise(noisy, sigma, options.stages), i * each);
		reasons.push('steps');
		const seconds = (now() - startedAt) / 1000;
		const residual = residuals(measurements, data);
		yield {
			layer: 0,
			layers: 1,
			layerName: 'image',
			step: i + 1,
			steps: keys.length,
			residual,
			heldOut: null,
			objective: residual,
			rate: 0,
			seconds,
			secondsLeft: (seconds / (i + 1)) * (keys.length - i - 1),
		};
		await recorder.record(() => ({
			tensors: { images },
			values: { reasons, milliseconds: now() - startedAt },
		}));
		// Lets messages in: a cancellation arrives as one.
		await nextTurn();
	}
	return directResult(images, residuals(measurements, data), (now() - startedAt) / 1000, { reasons });
}

export const bm3d: Solver<typeof schema, Prior | null> = {
	kind: 'bm3d',
	summary: 'BM3D (Dabov et al. 2007), for denoising; needs no prior',
	needs: 'nothing',
	schema,
	presets: { paper: { stages: 2 } },
	check,
	solve,
};
