// rtil compare CHECKPOINT…: priors on the same measurements of the same images.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { RtilError } from '../errors/index.ts';
import type { ProblemSpec } from '../inverter/index.ts';
import type { ResultRow } from '../metrics/index.ts';
import { CellStore, cellKey } from './cells.ts';
import { findCheckpoint } from './checkpoint.ts';
import { datasetCache } from './folders.ts';
import { declare, engineOption, interruptible, jsonOption, print, printJson, wholeNumber } from './frame.ts';
import { outcomeTable } from './outcome.ts';
import { showProgress } from './progress.ts';
import { parseSpec, several } from './spec.ts';

interface CompareOptions {
	testData?: string;
	images: number;
	problem?: string[];
	solver?: string[];
	seed: number;
	rows?: string;
	markdown?: string;
	threads?: number;
	engine?: 'auto' | 'gpu' | 'native' | 'wasm';
	json?: boolean;
}

export function compareCommand(): Command {
	return declare(
		'compare',
		'Inverts the same measurements with several checkpoints; the first is the reference.',
		[
			'rtil compare runs/demo/arms/vanilla runs/demo/arms/rtil',
			'rtil compare runs/a/arms/rtil runs/b/arms/rtil --test-data photos/ --problem compressed-sensing:ratio=0.1 --solver ilo',
			'rtil compare runs/demo/arms/vanilla runs/demo/arms/rtil --images 16 --problem all --solver all --rows rows.jsonl --markdown table.md',
		],
	)
		.argument('<checkpoint...>', 'folders of checkpoints or of arms')
		.option('--test-data <dir>', 'photographs to reconstruct (default: drawn faces)')
		.addOption(new Option('--images <n>', 'how many').default(8).argParser(wholeNumber(1, 100_000)))
		.addOption(
			new Option(
				'--problem <spec>',
				'KIND:key=value,…; may be repeated; all: one of each kind (default: inpainting:mask=random,ratio=0.25)',
			).argParser(several),
		)
		.addOption(
			new Option(
				'--solver <spec>',
				'KIND:key=value,…; may be repeated; all: every one that serves (default: csgm and ilo)',
			).argParser(several),
		)
		.addOption(new Option('--seed <n>', 'of the measurements').default(0).argParser(wholeNumber(0)))
		.option('--rows <file>', 'keep results there (JSON lines): what the file has is not done again')
		.option('--markdown <file>', 'write the tables as Markdown')
		.addOption(engineOption())
		.option('--threads <n>', 'threads of the engine (default: all cores)', wholeNumber(1, 1024))
		.addOption(jsonOption())
		.action(async (folders: string[], options: CompareOptions) => {
			const { dataSpec, prepareDataset } = await import('../data/index.ts');
			const { openEngine } = await import('../engine/index.ts');
			const {
				evaluate,
				InversionSession,
				parseProblem,
				parseSolver,
				problemLevel,
				problemName,
				requireServed,
				solvers: registry,
				withProblemFiles,
			} = await import('../inverter/index.ts');
			const { summarise } = await import('../metrics/index.ts');
			const { comparisonMarkdown } = await import('../report/index.ts');
			const problems = await Promise.all(
				(options.problem ?? ['inpainting:mask=random,ratio=0.25'])
					.flatMap((text) => (text === 'all' ? everyKind : [text]))
					.map(async (text) => {
						const spec = parseSpec(text, '--problem');
						return parseProblem(await withProblemFiles(spec, process.cwd(), '--problem'), '--problem');
					}),
			);
			const named = (options.solver ?? ['csgm', 'ilo']).map((text) => parseSpec(text, '--solver'));
			const all = named.some(({ kind }) => kind === 'all');
			const given = named.filter(({ kind }) => kind !== 'all');
			// Those named beside `all` say how they are run.
			const others = registry.flatMap(({ kind }) =>
				given.some((own) => own.kind === kind) ? [] : [{ kind }],
			);
			const solvers: Record<string, unknown>[] = all ? [...given, ...others] : given;
			for (const solver of solvers) parseSolver(solver, '--solver');
			refuseTwins(
				'--problem',
				problems.map((problem) => `${problemName(problem)} ${problemLevel(problem)}`),
			);
			refuseTwins(
				'--solver',
				solvers.map((solver) => String(solver.kind)),
			);
			const checkpoints = await Promise.all(folders.map(findCheckpoint));
			const resolution = Number(checkpoints[0]!.manifest.architecture.generator.resolution);
			const spec = dataSpec.parse(
				options.testData
					? { kind: 'folder', path: path.resolve(options.testData), resolution }
					: { kind: 'faces', count: options.images, resolution, seed: 1_000_000 },
			);
			const progress = showProgress();
			await interruptible(async ({ signal }) => {
				try {
					const images = await prepareDataset(spec, { cache: datasetCache(), signal });
					const session = new InversionSession(
						await openEngine({
							...(options.engine ? { engine: options.engine } : {}),
							...(options.threads ? { threads: options.threads } : {}),
						}),
					);
					const store = await CellStore.open(options.rows);
					const serves = async (dir: string, solver: unknown, problem: ProblemSpec): Promise<boolean> => {
						try {
							requireServed(parseSolver(solver, '--solver'), await session.prior(dir), problem);
							return true;
						} catch (error) {
							if (all && error instanceof RtilError && error.code === 'MISMATCH') return false;
							throw error;
						}
					};
					const indices = Array.from({ length: Math.min(options.images, images.count) }, (_, i) => i);
					const rows: ResultRow[] = [];
					const total = checkpoints.length * problems.length * solvers.length;
					let done = 0;
					for (const [i, { dir, manifest }] of checkpoints.entries()) {
						const arm = nameOf(
							checkpoints.map((c) => c.manifest),
							i,
						);
						for (const problem of problems) {
							for (const solver of solvers) {
								const payload = {
									run: manifest.run,
									arm,
									checkpoint: { dir },
									problem,
									solver,
									images: { file: images.file, indices },
									seeds: [options.seed],
								};
								const emit = ({
									step,
									steps,
									secondsLeft,
								}: {
									step: number;
									steps: number;
									secondsLeft: number;
								}): void =>
									progress.update({
										bar: 'evaluation',
										value: done,
										total,
										note: `${arm} ${problem.kind} ${String(solver.kind)} ${step}/${steps}, ${Math.ceil(secondsLeft)} s`,
									});
								const cell = cellKey({
									checkpoint: manifest.id,
									arm,
									problem,
									solver: parseSolver(solver, '--solver'),
									images: [images.fingerprint, indices.length],
									seed: options.seed,
								});
								if (!store.get(cell) && (await serves(dir, solver, problem))) {
									await store.add(cell, (await evaluate(session, payload, { signal, emit })).rows);
								}
								rows.push(...(store.get(cell) ?? []));
								progress.update({ bar: 'evaluation', value: ++done, total, note: '' });
							}
						}
					}
					progress.stop();
					const reference = nameOf(
						checkpoints.map((c) => c.manifest),
						0,
					);
					const summary = summarise(rows, { reference });
					if (options.markdown) await writeFile(options.markdown, comparisonMarkdown(summary, { reference }));
					if (options.json) printJson({ rows, summary });
					else print(outcomeTable(summary));
				} finally {
					progress.stop();
				}
			});
		});
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

/** The arm's name where it tells the checkpoints apart, else with its run, else with its id. */
function nameOf(manifests: readonly { run: string; arm: string; id: string }[], index: number): string {
	const forms = [
		(m: (typeof manifests)[number]) => m.arm,
		(m: (typeof manifests)[number]) => `${m.run}/${m.arm}`,
		(m: (typeof manifests)[number]) => `${m.arm}@${m.id.slice(0, 8)}`,
	];
	const telling = forms.find((form) => new Set(manifests.map(form)).size === manifests.length);
	return telling ? telling(manifests[index]!) : `${index + 1}:${manifests[index]!.arm}`;
}
