// rtil invert: reconstructs images from measurements, with a trained prior or a baseline, here or at a server.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { expected, RtilError } from '../errors/index.ts';
import { declare, engineOption, interruptible, jsonOption, print, printJson, wholeNumber } from './frame.ts';
import { type Call, invertAtServer, invertHere, type Reconstructed, resultColumns } from './inversion.ts';
import { showProgress } from './progress.ts';
import { parseSpec, several } from './spec.ts';
import { renderTable } from './table.ts';

interface InvertOptions {
	checkpoint?: string;
	problem?: string;
	measurement?: string[];
	saveMeasurement?: boolean;
	solver: string;
	server?: string;
	seed: number;
	resize?: boolean;
	to: string;
	resumeDir?: string;
	spread?: boolean;
	engine?: 'auto' | 'gpu' | 'native' | 'wasm';
	json?: boolean;
}

export function invertCommand(): Command {
	return declare(
		'invert',
		'Reconstructs images. With --problem the files are images: they are measured, reconstructed from the\nmeasurement alone, and compared. With --measurement nothing but measurement files is needed, such as\n--save-measurement writes; images beside them are only compared with. docs/problems.md lists the problems.',
		[
			'rtil invert photo.jpg --resize --checkpoint runs/demo/arms/rtil --problem inpainting:mask=random,ratio=0.25',
			"rtil invert photo.png --problem 'denoising:noise={kind: poisson, photons: 30}' --solver tv --save-measurement",
			'rtil invert --measurement inverted/photo.measurement --checkpoint runs/demo/arms/rtil --solver csgm:steps=500',
			'rtil invert photo.png --server localhost:50051 --checkpoint demo/rtil --problem super-resolution:factor=4',
		],
	)
		.argument('[file...]', 'images (without --problem and --measurement: measurement files)')
		.option('--checkpoint <where>', 'folder of a checkpoint or of an arm; with --server an id or RUN/ARM')
		.option('--problem <spec>', 'KIND or KIND:key=value,…: how images are measured')
		.addOption(
			new Option('--measurement <file>', 'measurement file to invert; may be repeated').argParser(several),
		)
		.option('--save-measurement', 'write the measurement of each image beside its reconstruction, too')
		.addOption(new Option('--solver <spec>', 'KIND or KIND:key=value,…').default('ilo'))
		.option('--server <host:port>', 'invert at this gRPC server instead of here')
		.addOption(
			new Option('--seed <n>', 'of the measurement and the starts').default(0).argParser(wholeNumber(0)),
		)
		.option('--resize', 'crop and scale images to what the checkpoint makes; else another size is refused')
		.option('--to <dir>', 'folder for the reconstructions', 'inverted')
		.option(
			'--spread',
			'also write how far restarts of a solver disagree at each pixel (NAME.spread.png; white: 0.5 of [−1, 1])',
		)
		.option(
			'--resume-dir <dir>',
			'keep what a killed inversion needs: the same command goes on from there, to the same result',
		)
		.addOption(engineOption())
		.addOption(jsonOption())
		.action(async (files: string[], options: InvertOptions) => {
			if (options.server && options.resumeDir) {
				throw new RtilError(
					'INVALID_INPUT',
					'--resume-dir is for inversions here, but --server names a server',
					'Leave one of them out.',
				);
			}
			const solver = parseSpec(options.solver, '--solver');
			const input = await inputOf(files, options);
			const about = await checked(input, solver, options);
			const progress = showProgress();
			await interruptible(async ({ signal }) => {
				try {
					const call: Call = { input, solver, seed: options.seed, signal, progress };
					const results = options.server
						? await invertAtServer(options.server, about.checkpoint, call)
						: await invertHere({ ...options, checkpoint: about.checkpoint }, call);
					progress.stop();
					await write(results, about, options);
				} finally {
					progress.stop();
				}
			});
		});
}

/** The files that the command line names, read, with the problem beside images. */
async function inputOf(files: readonly string[], options: InvertOptions): Promise<Call['input']> {
	const { problem, measurement, resize = false } = options;
	if (problem !== undefined && measurement) {
		throw new RtilError(
			'INVALID_INPUT',
			'A measurement file says its problem: give --measurement or --problem',
		);
	}
	if (files.length === 0 && !measurement) throw expected('at least one file', 'rtil invert', undefined);
	const images = await Promise.all(
		files.map(async (file) => ({ name: path.parse(file).name, file: await readOrRefuse(file) })),
	);
	if (problem !== undefined) {
		const twin = images.find(({ name }, i) => images.findIndex((other) => other.name === name) < i);
		if (twin) throw expected('images of different names', 'rtil invert', `${twin.name} twice`);
		const { withProblemFiles } = await import('../inverter/index.ts');
		const spec = await withProblemFiles(parseSpec(problem, '--problem'), process.cwd(), '--problem');
		return { problem: spec as Record<string, unknown>, images, resize };
	}
	if (!measurement) return { measurements: images.map(({ file }) => file) };
	const measurements = await Promise.all(measurement.map(readOrRefuse));
	return images.length > 0 ? { measurements, truth: images } : { measurements };
}

/** What all results are of. */
interface About {
	problem: unknown;
	solver: unknown;
	/** Folder here; with a server as it was given. */
	checkpoint: string | null;
	seed: number;
}

/** Everything that can be refused without an engine; the descriptions with nothing left open. */
async function checked(
	input: Call['input'],
	solver: Record<string, unknown>,
	{ checkpoint, server, seed }: InvertOptions,
): Promise<About> {
	const { decodeMeasurement, parseProblem, parseSolver, requirePrior, solverFor } = await import(
		'../inverter/index.ts'
	);
	const { findCheckpoint } = await import('./checkpoint.ts');
	const problem =
		'problem' in input
			? parseProblem(input.problem, '--problem')
			: input.measurements.map((file, i) => decodeMeasurement(Buffer.from(file), `measurement ${i + 1}`))[0]!
					.problem;
	const spec = parseSolver(solver, '--solver');
	const about = { problem, solver: { kind: spec.kind, preset: spec.preset, ...spec.options }, seed };
	if (server) return { ...about, checkpoint: checkpoint ?? null };
	if (checkpoint) return { ...about, checkpoint: (await findCheckpoint(checkpoint)).dir };
	requirePrior(solverFor(spec), null);
	return { ...about, checkpoint: null };
}

async function write(
	results: readonly Reconstructed[],
	about: About,
	{ to, json, saveMeasurement, ...options }: InvertOptions,
): Promise<void> {
	const { writeWhole } = await import('../coordinator/index.ts');
	const rows = [];
	for (const { png, measurement, spread, ...row } of results) {
		// The name may come out of a file or from a server: it leads nowhere else.
		const beside = path.join(to, path.basename(row.name));
		const file = `${beside}.png`;
		await writeWhole(file, png);
		const saved = saveMeasurement && measurement ? `${beside}.measurement` : null;
		if (saved) await writeWhole(saved, measurement!);
		if (options.spread && spread) await writeWhole(`${beside}.spread.png`, spread);
		rows.push({ ...row, file, measurement: saved, ...about });
	}
	if (json) printJson(rows);
	else print(renderTable<(typeof rows)[number]>(resultColumns(rows), rows));
}

async function readOrRefuse(file: string): Promise<Uint8Array> {
	try {
		return await readFile(file);
	} catch (cause) {
		throw new RtilError(
			'NOT_FOUND',
			`Expected a readable file at ${file} (${(cause as NodeJS.ErrnoException).code})`,
			'',
			{ cause },
		);
	}
}
