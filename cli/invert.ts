// rtil invert: reconstructs images from measurements with a trained prior, here or at a server.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { RtilError } from '../errors/index.ts';
import { declare, engineOption, interruptible, jsonOption, print, printJson, wholeNumber } from './frame.ts';
import { type Progress, showProgress } from './progress.ts';
import { parseSpec } from './spec.ts';
import { renderTable } from './table.ts';

/** A killed inversion loses no more than this. */
const SECONDS_BETWEEN_SNAPSHOTS = 5;

interface InvertOptions {
	checkpoint?: string;
	problem?: string;
	solver: string;
	server?: string;
	seed: number;
	resize: boolean;
	to: string;
	resumeDir?: string;
	spread?: boolean;
	engine?: 'auto' | 'gpu' | 'native' | 'wasm';
	json?: boolean;
}

/** One reconstruction, from here or from a server. */
interface Reconstructed {
	name: string;
	png: Uint8Array;
	/** The simulated measurement as a file; null when measurements were given. */
	measurement: Uint8Array | null;
	/** Deviation over restarts as a picture; null where there was one start. */
	spread: Uint8Array | null;
	psnr: number | null;
	ssim: number | null;
	residual: number;
	steps: number;
}

interface Call {
	input:
		| { problem: Record<string, unknown>; images: { name: string; file: Uint8Array }[]; resize: boolean }
		| { measurements: Uint8Array[] };
	solver: Record<string, unknown>;
	seed: number;
	signal: AbortSignal;
	progress: Progress;
}

export function invertCommand(): Command {
	return declare(
		'invert',
		'Reconstructs images. With --problem the files are images: they are measured, reconstructed from the measurement\nalone, and compared. Without it they are measurement files, such as this command writes.',
		[
			'rtil invert photo.jpg --checkpoint runs/demo/arms/rtil --problem inpainting:mask=random,ratio=0.25',
			'rtil invert photo.jpg --server localhost:50051 --checkpoint demo/rtil --problem super-resolution:factor=4 --solver ilo',
			'rtil invert photo.measurement --checkpoint runs/demo/arms/rtil --solver csgm:steps=500',
		],
	)
		.argument('<file...>', 'images, or measurement files')
		.option('--checkpoint <where>', 'folder of a checkpoint or of an arm; with --server an id or RUN/ARM')
		.option('--problem <spec>', 'KIND or KIND:key=value,…: how images are measured')
		.addOption(new Option('--solver <spec>', 'KIND or KIND:key=value,…').default('ilo'))
		.option('--server <host:port>', 'invert at this gRPC server instead of here')
		.addOption(
			new Option('--seed <n>', 'of the measurement and the starts').default(0).argParser(wholeNumber(0)),
		)
		.option('--no-resize', 'refuse images of another size instead of cropping and scaling them')
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
			const { problem, seed } = options;
			if (!options.server && !options.checkpoint) {
				throw new RtilError(
					'INVALID_INPUT',
					'An inversion here needs --checkpoint DIR',
					'Or name a server with --server HOST:PORT.',
				);
			}
			if (options.server && options.resumeDir) {
				throw new RtilError(
					'INVALID_INPUT',
					'--resume-dir is for inversions here, but --server names a server',
					'Leave one of them out.',
				);
			}
			const contents = await Promise.all(files.map(readOrRefuse));
			const solver = parseSpec(options.solver, '--solver');
			const named = files.map((file, i) => ({ name: path.parse(file).name, file: contents[i]! }));
			const input =
				problem === undefined
					? { measurements: contents }
					: { problem: parseSpec(problem, '--problem'), images: named, resize: options.resize };
			const progress = showProgress();
			await interruptible(async ({ signal }) => {
				try {
					const call: Call = { input, solver, seed, signal, progress };
					const results = options.server
						? await atServer(options.server, options.checkpoint, call)
						: await here(options, call);
					progress.stop();
					await write(results, options);
				} finally {
					progress.stop();
				}
			});
		});
}

async function here({ checkpoint, engine, resumeDir }: InvertOptions, call: Call): Promise<Reconstructed[]> {
	const { openEngine } = await import('../engine/index.ts');
	const { InversionSession, invert, parseProblem, parseSolver } = await import('../inverter/index.ts');
	const { findCheckpoint } = await import('./checkpoint.ts');
	const { input, solver, seed, signal, progress } = call;
	if ('problem' in input) parseProblem(input.problem, '--problem');
	parseSolver(solver, '--solver');
	const { dir } = await findCheckpoint(checkpoint!);
	const session = new InversionSession(await openEngine(engine ? { engine } : {}));
	const resume = resumeDir ? { resume: { dir: resumeDir, every: SECONDS_BETWEEN_SNAPSHOTS } } : {};
	const payload = { checkpoint: { dir }, input, solver, seed, ...resume };
	const emit = (event: { type: string; [field: string]: unknown }): void => {
		if (event.type === 'progress') show(progress, event as unknown as Step);
	};
	return (await invert(session, payload, { signal, emit })).images;
}

async function atServer(
	server: string,
	checkpoint: string | undefined,
	call: Call,
): Promise<Reconstructed[]> {
	const { invertRemote } = await import('../inverter/index.ts');
	const { input, solver, seed, signal, progress } = call;
	const results: Reconstructed[] = [];
	const request = { input, solver, seed, signal, ...(checkpoint ? { checkpoint } : {}) };
	for await (const { progress: step, reconstruction } of invertRemote(server, request)) {
		if (step) show(progress, step);
		if (!reconstruction) continue;
		const { name, png, measurement, residual, steps, psnr, ssim } = reconstruction;
		const spread = reconstruction.spread.length > 0 ? reconstruction.spread : null;
		const file = measurement.length > 0 ? measurement : null;
		results.push({
			name,
			png,
			measurement: file,
			spread,
			residual,
			steps,
			psnr: psnr ?? null,
			ssim: ssim ?? null,
		});
	}
	return results;
}

interface Step {
	layer: string;
	step: number;
	steps: number;
	residual: number[];
	secondsLeft: number;
}

function show(progress: Progress, { layer, step, steps, residual, secondsLeft }: Step): void {
	const mean = residual.reduce((sum, value) => sum + value, 0) / residual.length;
	progress.update({
		bar: 'inversion',
		value: step,
		total: steps,
		note: `${layer}  residual ${mean.toExponential(1)}`,
		secondsLeft,
	});
}

async function write(
	results: readonly Reconstructed[],
	{ to, json, ...options }: InvertOptions,
): Promise<void> {
	const { writeWhole } = await import('../coordinator/index.ts');
	const rows = [];
	for (const { png, measurement, spread, ...row } of results) {
		const file = path.join(to, `${row.name}.png`);
		await writeWhole(file, png);
		if (measurement) await writeWhole(path.join(to, `${row.name}.measurement`), measurement);
		if (options.spread && spread) await writeWhole(path.join(to, `${row.name}.spread.png`), spread);
		const { name, psnr, ssim, residual, steps } = row;
		rows.push({ name, psnr, ssim, residual, steps, file });
	}
	if (json) return printJson(rows);
	const number = (value: number | null, digits: number): string =>
		value === null ? '–' : value.toFixed(digits);
	print(
		renderTable<(typeof rows)[number]>(
			[
				{ title: 'image', cell: ({ name }) => name },
				{ title: 'PSNR dB', cell: ({ psnr }) => number(psnr, 2), align: 'right' },
				{ title: 'SSIM', cell: ({ ssim }) => number(ssim, 3), align: 'right' },
				{ title: 'residual', cell: ({ residual }) => residual.toExponential(2), align: 'right' },
				{ title: 'steps', cell: ({ steps }) => String(steps), align: 'right' },
				{ title: 'file', cell: ({ file }) => file },
			],
			rows,
		),
	);
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
