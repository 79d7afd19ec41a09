// What solvers without a prior share: A x of a batch in a captured program, and their result as that of a solver that
// takes one step.
import type * as tf from '@tensorflow/tfjs-core';
import type { HostTensor, Program, ProgramFunction } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import type { Measurements } from '../problems/index.ts';
import { operatorFor, type ProblemSpec } from '../problems/registry.ts';
import { prefixed, withPrefix } from '../solvers/plan.ts';
import type { LayerHistory, Reconstruction, SolveContext, StopReason } from '../solvers/solver.ts';

/** The operator's parameters as entries of a program's state. */
export function operatorState({ parameters }: Measurements): Record<string, HostTensor> {
	return prefixed('op.', parameters);
}

/** Programs of equal keys differ in the values of their state alone. */
export function programKey(name: string, { problem, image, y, parameters }: Measurements): string {
	const shapes = Object.entries(parameters).map(([entry, { shape }]) => [entry, shape]);
	return JSON.stringify([name, problem.kind, image, y.shape, shapes]);
}

/** [N, H, W, C]. */
export const imageShape = ({ keys, image }: Measurements): number[] => [
	keys.length,
	image.height,
	image.width,
	image.channels,
];

/** Runs `body` with x [N, H, W, C] ↦ A x. */
export function withOperator<T>(
	{ engine, programs }: SolveContext,
	measurements: Measurements,
	body: (apply: (x: Float32Array) => Float32Array) => T,
): T {
	const key = programKey('operator', measurements);
	const operator = operatorFor(measurements.problem);
	const make = (): Program<Record<string, ProgramFunction>> =>
		engine.compile<Record<string, ProgramFunction>>({
			name: `operator ${measurements.problem.kind}`,
			state: operatorState(measurements),
			functions: {
				apply: {
					inputs: { x: imageShape(measurements) },
					run: (state, { x }) => ({
						outputs: { y: operator.apply(withPrefix(state, 'op.'), x as tf.Tensor4D) },
					}),
				},
			},
		});
	const program = programs.take(key, make);
	try {
		program.write(operatorState(measurements));
		return body((x) => program.call('apply', { x }).y!.data);
	} finally {
		programs.put(key, program);
	}
}

/** ‖Ax − y‖² / ‖y‖² of each image, given A x. */
export function residuals({ y, keys }: Measurements, applied: Float32Array): number[] {
	const each = y.data.length / keys.length;
	return keys.map((_, i) => {
		let [error, energy] = [0, 0];
		for (let k = i * each; k < (i + 1) * each; k++) {
			error += (applied[k]! - y.data[k]!) ** 2;
			energy += y.data[k]! ** 2;
		}
		return error / Math.max(energy, 1e-12);
	});
}

/** A result that was computed, not searched for: nothing selects, there are no latents. */
export function directResult(
	images: HostTensor,
	residual: number[],
	seconds: number,
	more: { reasons?: StopReason[]; steps?: number; history?: LayerHistory[] } = {},
): Reconstruction {
	return {
		images,
		latents: {},
		residual,
		heldOut: null,
		selectedBy: 'last',
		reasons: more.reasons ?? residual.map(() => 'steps' as const),
		steps: residual.map(() => more.steps ?? 1),
		seconds,
		history: more.history ?? [],
		oraclePsnr: null,
	};
}

/** Throws MISMATCH unless the problem is of one of these kinds. */
export function servesOnly(solver: string, kinds: readonly string[], { kind }: ProblemSpec): void {
	if (kinds.includes(kind)) return;
	throw new RtilError(
		'MISMATCH',
		`The solver ${solver} serves ${kinds.join(' and ')}, not ${kind}.`,
		'Take another solver: tv and mean serve every problem.',
	);
}
