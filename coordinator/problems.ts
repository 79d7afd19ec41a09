// The problems of an experiment file. Masks and kernels that they name as files are read before the file is checked, so
// that the experiment holds them itself and every node can recreate the operator. What cannot be measured or solved is
// refused before anything is trained.
import { z } from 'zod';
import { RtilError } from '../errors/index.ts';
import {
	checkProblem,
	type ImageShape,
	type ProblemSpec,
	parseSolver,
	problemFileSchema,
	requireServed,
	solverFor,
	withProblemFiles,
} from '../inverter/index.ts';
import type { Source } from './source.ts';

type JsonObject = Record<string, unknown>;

/**
 * The source with what its problems name as files inside them.
 *
 * @param folder that paths are relative to
 * @throws with file, line and column what `withProblemFiles` throws
 */
export async function withFilesRead(source: Source, folder: string): Promise<Source> {
	const value = source.value as { evaluation?: { problems?: unknown } } | null | undefined;
	const problems = value?.evaluation?.problems;
	if (!Array.isArray(problems)) return source;
	const read = problems.map(async (problem, i) => {
		try {
			return await withProblemFiles(problem, folder, `evaluation.problems[${i}]`);
		} catch (error) {
			if (!(error instanceof RtilError)) throw error;
			const place = source.place(['evaluation', 'problems', i]);
			throw new RtilError(error.code, `${place}: ${error.message}`, error.remedy);
		}
	});
	const evaluation = { ...value!.evaluation, problems: await Promise.all(read) };
	return { ...source, value: { ...value, evaluation } };
}

/** The JSON Schema of a problem that may name files, also in the steps of a composition. */
export function withFileForms(problem: JsonObject): JsonObject {
	const { $schema: _, ...form } = z.toJSONSchema(problemFileSchema, { io: 'input' }) as JsonObject;
	for (const { properties } of problem.oneOf as { properties?: Record<string, JsonObject> }[]) {
		if (properties?.kind?.const !== 'composition') continue;
		properties.steps!.items = { anyOf: [properties.steps!.items, form] };
	}
	return { anyOf: [problem, form] };
}

/**
 * Calls `refuse` for the first problem that does not fit the test images, or that a solver without a prior does not
 * serve; the others are checked with the prior in hand.
 */
export function checkProblems(
	problems: readonly ProblemSpec[],
	solvers: readonly object[],
	image: ImageShape,
	refuse: (path: readonly PropertyKey[], message: string) => void,
): void {
	const within = (path: readonly PropertyKey[], check: () => void): void => {
		try {
			check();
		} catch (error) {
			if (!(error instanceof RtilError)) throw error;
			refuse(['evaluation', ...path], [error.message, error.remedy].filter(Boolean).join(' '));
		}
	};
	for (const [i, problem] of problems.entries()) {
		within(['problems', i], () => checkProblem(problem, image));
		for (const [k, solver] of solvers.entries()) {
			const spec = parseSolver(solver);
			if (solverFor(spec).needs !== 'nothing') continue;
			within(['solvers', k], () => requireServed(spec, null, problem));
		}
	}
}
