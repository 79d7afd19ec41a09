// What `rtil compare` does: every checkpoint × problem × solver on the same measurements, a cell each.
import path from 'node:path';
import { dataSpec, type PreparedDataset, prepareDataset } from '../data/index.ts';
import { openEngine } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import {
	evaluate,
	InversionSession,
	type ProblemSpec,
	parseProblem,
	parseSolver,
	problemLevel,
	problemName,
	solvers as registry,
	requireServed,
	withProblemFiles,
} from '../inverter/index.ts';
import { type ResultRow, summarise } from '../metrics/index.ts';
import { commonCuts } from '../models/index.ts';
import { CellStore, cellKey } from './cells.ts';
import { findCheckpoint } from './checkpoint.ts';
import { datasetCache } from './folders.ts';
import type { Progress } from './progress.ts';
import { parseSpec } from './spec.ts';

export interface ComparisonOptions {
	/** Folder of photographs; absent: drawn faces. */
	testData?: string;
	/** Of that folder, the share that a split keeps from training, in (0, 1): only that part is used. */
	holdout?: number;
	/** At most so many. */
	images: number;
	/** `KIND:key=value,…`, or `all`. */
	problem?: string[];
	solver?: string[];
	/** Of the measurements. */
	seed: number;
	/** File that keeps the rows of each cell. */
	rows?: string;
	threads?: number;
	engine?: 'auto' | 'gpu' | 'native' | 'wasm';
}

export interface Comparison {
	rows: ResultRow[];
	summary: ReturnType<typeof summarise>;
	/** The arm that the others are compared with. */
	reference: string;
}

/**
 * Inverts with each checkpoint, the first being the reference; cells that the file of `rows` has are taken from it.
 *
 * @throws INVALID_INPUT for options, MISMATCH where a solver named for itself cannot serve, NOT_FOUND for a checkpoint, or
 * the signal's reason.
 */
export async function compare(
	folders: readonly string[],
	options: ComparisonOptions,
	progress: Progress,
	signal: AbortSignal,
): Promise<Comparison> {
	const problems = await problemsOf(options);
	const { solvers, all } = solversOf(options);
	const checkpoints = await Promise.all(folders.map(findCheckpoint));
	const arms = armNames(checkpoints.map(({ manifest }) => manifest));
	const resolution = Number(checkpoints[0]!.manifest.architecture.generator.resolution);
	const images = await testImages(options, resolution, signal);
	const indices = Array.from({ length: Math.min(options.images, images.count) }, (_, i) => i);
	const { engine, threads } = options;
	const session = new InversionSession(
		await openEngine({ ...(engine ? { engine } : {}), ...(threads ? { threads } : {}) }),
	);
	const store = await CellStore.open(options.rows);
	const cuts = await cutsOf(session, checkpoints);
	// Networks that judge, and that perceptual terms may take: with others, rows are others.
	const judges = await session.judges([1, resolution, resolution, 3]);
	const known = Object.values(judges).flatMap((judge) => (judge ? [judge.label] : []));

	/** Whether a solver takes the prior and the problem: one that was named for itself has to. */
	async function serves(dir: string, solver: unknown, problem: ProblemSpec): Promise<boolean> {
		try {
			requireServed(parseSolver(solver, '--solver'), await session.prior(dir), problem);
			return true;
		} catch (error) {
			if (all && error instanceof RtilError && error.code === 'MISMATCH') return false;
			throw error;
		}
	}

	const rows: ResultRow[] = [];
	const total = checkpoints.length * problems.length * solvers.length;
	let done = 0;
	for (const [i, { dir, manifest }] of checkpoints.entries()) {
		for (const problem of problems) {
			for (const solver of solvers) {
				const arm = arms[i]!;
				const cell = cellKey({
					checkpoint: manifest.id,
					arm,
					problem,
					solver: parseSolver(solver, '--solver'),
					...(cuts ? { cuts } : {}),
					...(known.length > 0 ? { known } : {}),
					images: [images.fingerprint, indices.length],
					seed: options.seed,
				});
				if (!store.get(cell) && (await serves(dir, solver, problem))) {
					const payload = {
						run: manifest.run,
						arm,
						checkpoint: { dir },
						problem,
						solver,
						...(cuts ? { cuts } : {}),
						images: { file: images.file, indices },
						seeds: [options.seed],
					};
					const emit = (event: { step: number; steps: number; secondsLeft: number }): void => {
						const { step, steps, secondsLeft } = event;
						const note = `${arm} ${problem.kind} ${solver.kind} ${step}/${steps}, ${Math.ceil(secondsLeft)} s`;
						progress.update({ bar: 'evaluation', value: done, total, note });
					};
					await store.add(cell, (await evaluate(session, payload, { signal, emit })).rows);
				}
				rows.push(...(store.get(cell) ?? []));
				progress.update({ bar: 'evaluation', value: ++done, total, note: '' });
			}
		}
	}
	const reference = arms[0]!;
	return { rows, summary: summarise(rows, { reference }), reference };
}

async function problemsOf({ problem }: ComparisonOptions): Promise<ProblemSpec[]> {
	const texts = (problem ?? ['inpainting:mask=random,ratio=0.25']).flatMap((text) =>
		text === 'all' ? everyKind : [text],
	);
	const problems = await Promise.all(
		texts.map(async (text) => {
			const spec = parseSpec(text, '--problem');
			return parseProblem(await withProblemFiles(spec, process.cwd(), '--problem'), '--problem');
		}),
	);
	refuseTwins(
		'--problem',
		problems.map((one) => `${problemName(one)} ${problemLevel(one)}`),
	);
	return problems;
}

/** The solvers that are named; `all`: and every other, where it serves. */
function solversOf({ solver }: ComparisonOptions): { solvers: { kind: string }[]; all: boolean } {
	const named = (solver ?? ['csgm', 'ilo']).map((text) => parseSpec(text, '--solver') as { kind: string });
	const given = named.filter(({ kind }) => kind !== 'all');
	const all = given.length < named.length;
	// Those named beside `all` say how they are run.
	const others = registry.flatMap(({ kind }) => (given.some((own) => own.kind === kind) ? [] : [{ kind }]));
	const solvers = all ? [...given, ...others] : given;
	for (const one of solvers) parseSolver(one, '--solver');
	refuseTwins(
		'--solver',
		solvers.map(({ kind }) => kind),
	);
	return { solvers, all };
}

function testImages(
	{ testData, holdout, images }: ComparisonOptions,
	resolution: number,
	signal: AbortSignal,
): Promise<PreparedDataset> {
	if (holdout !== undefined && testData === undefined)
		throw new RtilError('INVALID_INPUT', '--holdout is of a folder', 'Name it: --test-data');
	const split = holdout === undefined ? {} : { split: { holdout, part: 'holdout' } };
	const spec = testData
		? { kind: 'folder', path: path.resolve(testData), resolution, ...split }
		: { kind: 'faces', count: images, resolution, seed: 1_000_000 };
	return prepareDataset(dataSpec.parse(spec), { cache: datasetCache(), signal });
}

/** Where all are cut that may be: wherever RTIL regularised one. */
async function cutsOf(session: InversionSession, checkpoints: readonly { dir: string }[]) {
	const regularised: (readonly string[])[] = [];
	for (const { dir } of checkpoints) {
		const prior = await session.prior(dir);
		if (prior.kind === 'gan' && prior.rtil) regularised.push(prior.rtil.cuts);
	}
	return commonCuts(regularised);
}

/** One problem of each kind, at a middling level. */
const everyKind = [
	'compressed-sensing:ratio=0.1',
	'inpainting:mask=random,ratio=0.25',
	'super-resolution:factor=4',
	'deblurring:kernel=uniform,size=7',
	'denoising:noise={kind: gaussian, sigma: 0.2}',
	'colorization',
];

/** Rows are told apart by kind and level alone, so each may come once. */
function refuseTwins(option: string, names: readonly string[]): void {
	const twin = names.find((name, i) => names.indexOf(name) < i);
	if (twin !== undefined) {
		throw new RtilError(
			'INVALID_INPUT',
			`Expected each kind and level once for ${option} but received ${twin} twice`,
		);
	}
}

/** Names of arms where they tell the checkpoints apart, else with the runs, else with ids. */
function armNames(manifests: readonly { run: string; arm: string; id: string }[]): string[] {
	const forms = [
		(m: (typeof manifests)[number]) => m.arm,
		(m: (typeof manifests)[number]) => `${m.run}/${m.arm}`,
		(m: (typeof manifests)[number]) => `${m.arm}@${m.id.slice(0, 8)}`,
	];
	const telling = forms.find((form) => new Set(manifests.map(form)).size === manifests.length);
	return manifests.map((manifest, i) => telling?.(manifest) ?? `${i + 1}:${manifest.arm}`);
}
