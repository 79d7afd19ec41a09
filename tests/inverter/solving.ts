// Runs solvers on the tiny prior.
import { type HostTensor, openEngine } from '../../engine/index.ts';
import {
	type AnyPrior,
	type Measurements,
	measure,
	OperatorPrograms,
	ProgramCache,
	type Progress,
	parseProblem,
	parseSolver,
	type Reconstruction,
	type SolveContext,
	solverFor,
} from '../../inverter/index.ts';
import { ownImages, tinyGlow, tinyPrior } from './tiny-prior.ts';

export const engine = await openEngine();
export const prior = tinyPrior(engine);
/** Three images that the prior can make. */
export const truth = ownImages(engine, prior, 3);
export const glow = tinyGlow(truth);
export const keys = ['a', 'b', 'c'].map((image) => ({ seed: 2, image }));
const operators = new OperatorPrograms(engine);
const programs = new ProgramCache(4);

/** Measurements of the three images, or of three others. */
export const measured = (problem: object, images = truth): Measurements =>
	measure(operators, parseProblem(problem), images, keys);

/** The tiny prior that a solver serves. */
export const priorFor = (solver: object): AnyPrior =>
	solverFor(parseSolver(solver)).needs === 'glow' ? glow : prior;

export async function solve(
	solver: object,
	measurements: Measurements,
	more: Partial<SolveContext> = {},
	on: AnyPrior | null = priorFor(solver),
): Promise<{ result: Reconstruction; progress: Progress[] }> {
	const spec = parseSolver(solver);
	const run = solverFor(spec).solve(on, measurements, spec.options, { engine, programs, seed: 7, ...more });
	const progress: Progress[] = [];
	for (;;) {
		const { value, done } = await run.next();
		if (done) return { result: value, progress };
		progress.push(value);
	}
}

/** dB over [−1, 1] of each image. */
export function psnr(a: HostTensor, b: HostTensor): number[] {
	const N = a.shape[0]!;
	const each = a.data.length / N;
	return Array.from({ length: N }, (_, i) => {
		let sum = 0;
		for (let k = i * each; k < (i + 1) * each; k++) sum += (a.data[k]! - b.data[k]!) ** 2;
		return 10 * Math.log10((4 * each) / sum);
	});
}

/** Largest absolute difference. */
export const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
	Array.from(a).reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0);
