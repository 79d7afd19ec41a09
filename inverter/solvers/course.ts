// What is known of a batch while the generator is tuned to one of its images after another, and as a snapshot.
import type { StepReport } from './iterate.ts';
import { prefixed, withPrefix } from './plan.ts';
import type { SolveSnapshot } from './resume.ts';
import type { LayeredReconstruction } from './solve.ts';
import type { LayerHistory } from './solver.ts';

export interface Course {
	/** Of the images that are tuned, what was selected; of the others, their first latents and images. */
	result: LayeredReconstruction;
	/** Each stage's rows of reports by image. */
	stages: { name: string; reports: StepReport[][] }[];
	/** Of the iterates of now, one value an image. */
	objective: number[];
	residual: number[];
	heldOut: number[];
}

/** The course of what is tuned in stages of these names after a search for latents. */
export function courseOf(result: LayeredReconstruction, stages: readonly { name: string }[]): Course {
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

/** The course between two steps. */
export function saveCourse({ result, ...rest }: Course): SolveSnapshot {
	const { images, latents, ...numbers } = result;
	return { tensors: { images, ...prefixed('latents.', latents) }, values: { ...rest, result: numbers } };
}

export function restoreCourse({ tensors, values }: SolveSnapshot): Course {
	const { result, ...rest } = values as unknown as Course;
	const latents = withPrefix(tensors, 'latents.');
	return { ...rest, result: { ...result, images: tensors.images!, latents } };
}

/** One row a step; an image that ended before keeps its last, one that was not tuned is NaN. */
export function historyOf({ name, reports }: Course['stages'][number]): LayerHistory {
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
