// The comparison behind the page: summary cells in reading order, each with its arm, and what they say.
import { imageDifferences, type ResultRow, type SummaryRow, summarise, verdict } from '../metrics/index.ts';
import type { Arm, RunContents } from './run-folder.ts';
import { problemName, solverName } from './wording.ts';

/** A problem at a level with a solver: what the arms are compared on. */
export interface Setting {
	readonly problem: string;
	readonly level: number;
	readonly solver: string;
}

export interface Cell extends SummaryRow {
	readonly of: Arm;
	/** PSNR differences of single images against the reference. */
	readonly points: readonly number[];
}

export interface Comparison {
	/** The arm the others are compared with; `null` without arms. */
	readonly reference: Arm | null;
	/** By problem, level, solver; arms in their order. */
	readonly cells: readonly Cell[];
	/** Cells that have a difference of PSNR: the questions that were answered. */
	readonly compared: readonly Cell[];
}

export function compareArms(run: RunContents): Comparison {
	const reference = run.arms[0] ?? null;
	const order = (list: readonly (string | number)[], value: string | number) => list.indexOf(value);
	const problems = [...new Set(run.rows.map((row) => row.problem))];
	const solvers = [...new Set(run.rows.map((row) => row.solver))];
	const summary = summarise(run.rows, reference ? { reference: reference.name } : {});
	const cells = summary.flatMap((row) => {
		const of = run.arms.find((arm) => arm.name === row.arm);
		if (!of) return [];
		const points = of === reference ? [] : differencesOf(run.rows, row, reference?.name ?? '');
		return [{ ...row, of, points }];
	});
	cells.sort(
		(a, b) =>
			order(problems, a.problem) - order(problems, b.problem) ||
			a.level - b.level ||
			order(solvers, a.solver) - order(solvers, b.solver) ||
			a.of.colour - b.of.colour,
	);
	return { reference, cells, compared: cells.filter((cell) => cell.difference?.psnr) };
}

function differencesOf(rows: readonly ResultRow[], setting: SummaryRow, reference: string): number[] {
	const of = (arm: string) => rows.filter((row) => row.arm === arm && sameSetting(row, setting));
	return [...imageDifferences(of(setting.arm), of(reference), 'psnr').values()];
}

export function sameSetting(a: Setting, b: Setting): boolean {
	return a.problem === b.problem && a.level === b.level && a.solver === b.solver;
}

/** Cells by problem, in order. */
export function byProblem(cells: readonly Cell[]): [string, Cell[]][] {
	const problems = [...new Set(cells.map((cell) => cell.problem))];
	return problems.map((problem) => [problem, cells.filter((cell) => cell.problem === problem)]);
}

/** Cells of one setting together, in order. */
export function bySetting(cells: readonly Cell[]): Cell[][] {
	const groups: Cell[][] = [];
	for (const cell of cells) {
		const group = groups.find(([first]) => first && sameSetting(first, cell));
		if (group) group.push(cell);
		else groups.push([cell]);
	}
	return groups;
}

/** `ILO on inpainting, 25 %`. */
export function settingName(setting: Setting): string {
	return `${solverName(setting.solver)} on ${problemName(setting)}`;
}

/** What the PSNR difference of a cell says about its arm. */
export function judgement(cell: Cell): 'better' | 'worse' | 'no clear difference' | 'too few images' {
	const said = verdict(cell.difference?.psnr ?? null);
	if (said === 'unknown') return 'too few images';
	if (said === 'none') return 'no clear difference';
	return said === 'higher' ? 'better' : 'worse';
}
