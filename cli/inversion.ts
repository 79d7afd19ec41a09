// One inversion, here or at a server, with its progress; what `rtil invert` shows of it.
import { expected } from '../errors/index.ts';
import type { Progress } from './progress.ts';
import type { Column } from './table.ts';

/** One reconstruction, from here or from a server. */
export interface Reconstructed {
	name: string;
	png: Uint8Array;
	/** The simulated measurement as a file; null when measurements were given. */
	measurement: Uint8Array | null;
	/** Deviation over restarts as a picture; null where there was one start. */
	spread: Uint8Array | null;
	/** Only with a truth; `oraclePsnr` is what the truth would have selected. */
	psnr: number | null;
	ssim: number | null;
	oraclePsnr: number | null;
	/** Over the pixels that were not measured; null where there are none. */
	holePsnr: number | null;
	holeSsim: number | null;
	/** With the measured pixels put back. */
	compositedPsnr: number | null;
	compositedSsim: number | null;
	/** Null where no weights are known; `lpipsBy` states network and version. */
	lpips: number | null;
	lpipsBy: string | null;
	/** Null of small images. */
	msssim: number | null;
	/** Cosine similarity to the true face; null where no face network is known; `identityBy` states it. */
	identity: number | null;
	identityBy: string | null;
	/** Null of small images and where no statistics are known; `niqeBy` states them. */
	niqe: number | null;
	niqeBy: string | null;
	residual: number;
	heldOut: number | null;
	/** What selected the iterate, and why the search ended. */
	selectedBy: string;
	reason: string;
	/** What the solver's perceptual term compared; null: it had none. */
	perceptual: string | null;
	steps: number;
	/** Of the whole batch. */
	seconds: number;
}

type NamedFile = { name: string; file: Uint8Array };

export interface Call {
	input:
		| { problem: Record<string, unknown>; images: NamedFile[]; resize: boolean }
		| { measurements: Uint8Array[]; truth?: NamedFile[] };
	solver: Record<string, unknown>;
	seed: number;
	signal: AbortSignal;
	progress: Progress;
}

/** A killed inversion loses no more than this. */
const SECONDS_BETWEEN_SNAPSHOTS = 5;

interface Here {
	checkpoint: string | null;
	engine?: 'auto' | 'gpu' | 'native' | 'wasm';
	/** Folder for what a killed inversion needs to go on. */
	resumeDir?: string;
}

/** On this machine; without the folder of a checkpoint for solvers that need no prior. */
export async function invertHere(
	{ checkpoint, engine, resumeDir }: Here,
	call: Call,
): Promise<Reconstructed[]> {
	const { openEngine } = await import('../engine/index.ts');
	const { InversionSession, invert } = await import('../inverter/index.ts');
	const { input, solver, seed, signal, progress } = call;
	const session = new InversionSession(await openEngine(engine ? { engine } : {}));
	const payload = {
		...(checkpoint ? { checkpoint: { dir: checkpoint } } : {}),
		...(resumeDir ? { resume: { dir: resumeDir, every: SECONDS_BETWEEN_SNAPSHOTS } } : {}),
		input,
		solver,
		seed,
	};
	const emit = (event: { type: string; [field: string]: unknown }): void => {
		if (event.type === 'progress') show(progress, event as unknown as Step);
	};
	const { images, selectedBy, perceptual, seconds } = await invert(session, payload, { signal, emit });
	return images.map(({ shape: _, data: _data, ...rest }) => ({
		...rest,
		selectedBy,
		perceptual,
		seconds,
	}));
}

/** At a gRPC server, with a checkpoint that it knows. */
export async function invertAtServer(
	server: string,
	checkpoint: string | null,
	call: Call,
): Promise<Reconstructed[]> {
	const { invertRemote } = await import('../inverter/index.ts');
	const { input, solver, seed, signal, progress } = call;
	if ('truth' in input) {
		throw expected('an inversion here', 'images beside measurements', server, 'Leave --server or them out.');
	}
	const results: Reconstructed[] = [];
	const request = { input, solver, seed, signal, ...(checkpoint ? { checkpoint } : {}) };
	for await (const { progress: step, reconstruction } of invertRemote(server, request)) {
		if (step) show(progress, step);
		if (!reconstruction) continue;
		const { name, png, measurement, residual, selectedBy, stopReason, steps, seconds, ...more } =
			reconstruction;
		results.push({
			name,
			png,
			measurement: measurement.length > 0 ? measurement : null,
			spread: more.spread.length > 0 ? more.spread : null,
			psnr: more.psnr ?? null,
			ssim: more.ssim ?? null,
			oraclePsnr: more.oraclePsnr ?? null,
			holePsnr: more.holePsnr ?? null,
			holeSsim: more.holeSsim ?? null,
			compositedPsnr: more.compositedPsnr ?? null,
			compositedSsim: more.compositedSsim ?? null,
			lpips: more.lpips ?? null,
			lpipsBy: more.lpipsBy ?? null,
			msssim: more.msssim ?? null,
			identity: more.identity ?? null,
			identityBy: more.identityBy ?? null,
			niqe: more.niqe ?? null,
			niqeBy: more.niqeBy ?? null,
			residual,
			heldOut: more.heldOut ?? null,
			selectedBy,
			reason: stopReason,
			perceptual: more.perceptual ?? null,
			steps,
			seconds,
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
		secondsLeft: step > 0 ? secondsLeft : null,
	});
}

const number = (value: number | null, digits: number): string =>
	value === null ? '–' : value.toFixed(digits);

type Line = Omit<Reconstructed, 'png' | 'measurement' | 'spread'> & { file: string };

/** A line an image; columns of further measures only where there is one. */
export function resultColumns(rows: readonly Line[]): Column<Line>[] {
	const further: Column<Line>[] = [];
	if (rows.some(({ msssim }) => msssim !== null))
		further.push({ title: 'MS-SSIM', cell: ({ msssim }) => number(msssim, 3), align: 'right' });
	if (rows.some(({ holePsnr }) => holePsnr !== null))
		further.push(
			{ title: 'hole PSNR', cell: ({ holePsnr }) => number(holePsnr, 2), align: 'right' },
			{ title: 'hole SSIM', cell: ({ holeSsim }) => number(holeSsim, 3), align: 'right' },
		);
	const by = rows.find(({ lpipsBy }) => lpipsBy !== null)?.lpipsBy;
	if (by) further.push({ title: by, cell: ({ lpips }) => number(lpips, 3), align: 'right' });
	const face = rows.find(({ identityBy }) => identityBy !== null)?.identityBy;
	if (face) further.push({ title: face, cell: ({ identity }) => number(identity, 3), align: 'right' });
	if (rows.some(({ niqe }) => niqe !== null))
		further.push({ title: 'NIQE', cell: ({ niqe }) => number(niqe, 2), align: 'right' });
	return [
		{ title: 'image', cell: ({ name }) => name },
		{ title: 'PSNR dB', cell: ({ psnr }) => number(psnr, 2), align: 'right' },
		{ title: 'SSIM', cell: ({ ssim }) => number(ssim, 3), align: 'right' },
		...further,
		{ title: 'residual', cell: ({ residual }) => residual.toExponential(2), align: 'right' },
		{ title: 'steps', cell: ({ steps }) => String(steps), align: 'right' },
		{ title: 'ended by', cell: ({ reason }) => reason },
		{ title: 'file', cell: ({ file }) => file },
	];
}
