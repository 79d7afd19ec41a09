// The calls behind the gRPC service, in the worker: invert images or measurements, and sample.
import { z } from 'zod';
import { decodeImage, encodePng, type Image, imageGrid, splitBatch } from '../data/index.ts';
import type { HostTensor } from '../engine/index.ts';
import { stream } from '../engine/index.ts';
import { expected, RtilError } from '../errors/index.ts';
import { parse } from './border.ts';
import { type AnyPrior, imageSize } from './prior.ts';
import {
	decodeMeasurement,
	encodeMeasurement,
	joinMeasurements,
	type Measurements,
	measure,
	type ProblemSpec,
	parseProblem,
} from './problems/index.ts';
import { judge, type Quality } from './quality.ts';
import { type InversionSession, requireServed, requireSize, resumeSchema, stackImages } from './session.ts';
import { parseSolver, requirePrior, type StopReason, solverFor } from './solvers/index.ts';
import { latentSize, renderGlow, renderImages } from './statistics.ts';

/** Standard deviation shown white, of pixels in [−1, 1]. */
const WHITE_SPREAD = 0.5;

/** Images of one call. */
export const MOST_IMAGES = 64;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'expected bytes');
const seed = z.int().min(0);
const checkpoint = z.looseObject({ dir: z.string() });

const images = z
	.array(z.strictObject({ name: z.string().min(1), file: bytes }))
	.min(1)
	.max(MOST_IMAGES);

const invertSchema = z.strictObject({
	/** Absent: for solvers that need no prior. */
	checkpoint: checkpoint.optional(),
	input: z.union([
		z.strictObject({
			problem: z.unknown(),
			images,
			/** Crop to the centre and resize to what the generator makes; else another size is refused. */
			resize: z.boolean(),
		}),
		z.strictObject({
			measurements: z.array(bytes).min(1).max(MOST_IMAGES),
			/** Of the measured images, in their order: only to compare with. */
			truth: images.optional(),
		}),
	]),
	solver: z.unknown(),
	seed,
	progressEvery: z.int().min(1).optional(),
	previewEvery: z.int().min(1).optional(),
	timeLimitSeconds: z.number().positive().optional(),
	resume: resumeSchema.optional(),
});

export type InvertPayload = z.input<typeof invertSchema>;

/** Sent while a solver works; the last answer is `InvertResult`. */
export type InvertEvent =
	| {
			type: 'progress';
			layer: string;
			step: number;
			steps: number;
			objective: number[];
			residual: number[];
			secondsLeft: number;
	  }
	| { type: 'preview'; step: number; png: Uint8Array };

/** As of `Quality`, with null for what is not known: without a truth, all of it. */
export type Judgement = { [measure in keyof Quality]-?: NonNullable<Quality[measure]> | null };

export interface InvertedImage extends Judgement {
	name: string;
	/** [H, W, C] in [−1, 1] where the generator keeps it; not clipped. */
	shape: number[];
	data: Float32Array;
	png: Uint8Array;
	residual: number;
	heldOut: number | null;
	reason: StopReason;
	steps: number;
	/** What the truth would have selected; only with one. */
	oraclePsnr: number | null;
	/** The simulated measurement as a file. */
	measurement: Uint8Array | null;
	/** Only of several restarts: a PNG of the standard deviation over them, black 0, white 0.5 or more. */
	spread: Uint8Array | null;
}

export interface InvertResult {
	images: InvertedImage[];
	selectedBy: string;
	/** What the solver's perceptual term compared; null: it had none. */
	perceptual: string | null;
	seconds: number;
}

export interface CallContext {
	signal: AbortSignal;
	emit: (event: InvertEvent & { [field: string]: unknown }) => void;
	now?: () => number;
}

type Input = z.output<typeof invertSchema>['input'];
type Images = z.output<typeof images>;

/** What is asked for, as far as it is known without any work on images. */
function described(input: Input): { problem: ProblemSpec; given: Measurements | null } {
	if (!('measurements' in input)) return { problem: parseProblem(input.problem), given: null };
	const list = input.measurements.map((file, i) =>
		decodeMeasurement(Buffer.from(file), `measurement ${i + 1}`),
	);
	const given = joinMeasurements(list);
	return { problem: given.problem, given };
}

/** Image files as a batch of one size. */
async function decodeAll(
	files: Images,
	size: { width: number; height: number } | null,
	check: (image: Image) => void,
): Promise<HostTensor> {
	const decoded = await Promise.all(
		files.map(async ({ name, file }) => {
			const image = await decodeImage(Buffer.from(file), { ...size, channels: 3 });
			check(image);
			return { name, image };
		}),
	);
	const first = decoded[0]!.image;
	for (const { name, image } of decoded) {
		if (image.width === first.width && image.height === first.height) continue;
		const wanted = `images of one size, ${first.width} × ${first.height}`;
		throw expected(wanted, name, `${image.width} × ${image.height}`, 'Invert them one after the other.');
	}
	return stackImages(decoded.map(({ image }) => image));
}

/** Simulated measurements of images, which are then the truth. */
async function simulate(
	session: InversionSession,
	prior: AnyPrior | null,
	problem: ProblemSpec,
	{ images: files, resize }: Extract<Input, { problem: unknown }>,
	measurementSeed: number,
): Promise<{ measurements: Measurements; truth: HostTensor }> {
	if (resize && !prior) {
		throw new RtilError(
			'INVALID_INPUT',
			'Images are resized to what a checkpoint makes, but there is none.',
			'Give a checkpoint, or images of the size you want.',
		);
	}
	const side = prior && imageSize(prior).resolution;
	const truth = await decodeAll(files, resize ? { width: side!, height: side! } : null, (image) => {
		if (prior) requireSize(prior, image.height, image.width, image.channels);
	});
	const keys = files.map(({ name }) => ({ seed: measurementSeed, image: name }));
	return { measurements: measure(session.operators, problem, truth, keys), truth };
}

/** The images that measurements given are of, only to compare with. */
function truthOf({ image, keys }: Measurements, files: Images): Promise<HostTensor> {
	if (files.length !== keys.length) throw expected(`${keys.length} images`, 'the truth', files.length);
	return decodeAll(files, null, ({ height, width, channels }) => {
		if (height === image.height && width === image.width && channels === image.channels) return;
		throw expected(
			`an image of ${image.width} × ${image.height} in ${image.channels} channels`,
			'the truth',
			`${width} × ${height} in ${channels}`,
		);
	});
}

async function takeIn(
	session: InversionSession,
	prior: AnyPrior | null,
	{ problem, given }: ReturnType<typeof described>,
	input: Input,
	measurementSeed: number,
): Promise<{ measurements: Measurements; truth: HostTensor | null }> {
	if (!('measurements' in input)) return simulate(session, prior, problem, input, measurementSeed);
	const { height, width, channels } = given!.image;
	if (prior) requireSize(prior, height, width, channels);
	return { measurements: given!, truth: input.truth ? await truthOf(given!, input.truth) : null };
}

/** Inverts a batch; progress and previews are emitted. */
export async function invert(
	session: InversionSession,
	payload: unknown,
	context: CallContext,
): Promise<InvertResult> {
	const call = parse(invertSchema, payload, 'invert');
	const solver = parseSolver(call.solver);
	const asked = described(call.input);
	if (!call.checkpoint) requirePrior(solverFor(solver), null);
	const now = context.now ?? (() => performance.now());
	const limit = call.timeLimitSeconds;
	const deadline = limit === undefined ? {} : { deadline: now() + 1000 * limit };
	const prior = call.checkpoint ? await session.prior(call.checkpoint.dir) : null;
	requireServed(solver, prior, asked.problem);
	const { measurements, truth } = await takeIn(session, prior, asked, call.input, call.seed);
	// Damaged weights are refused before any work.
	if (truth) await session.judges(truth.shape);
	const previews: Promise<void>[] = [];
	const result = await session.solve(prior, measurements, call.solver, {
		seed: call.seed,
		signal: context.signal,
		now,
		...deadline,
		...(call.progressEvery ? { progressEvery: call.progressEvery } : {}),
		...(call.previewEvery ? { previewEvery: call.previewEvery } : {}),
		...(truth ? { truth } : {}),
		...(call.resume ? { resume: call.resume } : {}),
		onProgress: ({ layerName, step, steps, objective, residual, secondsLeft, preview }) => {
			context.emit({ type: 'progress', layer: layerName, step, steps, objective, residual, secondsLeft });
			if (!preview) return;
			const encoded = grid(preview).then((png) => context.emit({ type: 'preview', step, png }));
			previews.push(encoded);
		},
	});
	await Promise.all(previews);
	const quality = truth && (await judge(session, truth, result.images, measurements));
	const parts = splitBatch(result.images.data, sizeOf(result.images));
	const spreads = result.spread && splitBatch(result.spread.data, sizeOf(result.spread));
	const inverted = await Promise.all(
		parts.map(
			async ({ data, ...size }, i): Promise<InvertedImage> => ({
				name: measurements.keys[i]!.image,
				shape: [size.height, size.width, size.channels],
				data: data.slice(),
				png: new Uint8Array(await encodePng(data, size)),
				residual: result.residual[i]!,
				heldOut: result.heldOut?.[i] ?? null,
				reason: result.reasons[i]!,
				steps: result.steps[i]!,
				...qualityOf(quality?.[i]),
				oraclePsnr: result.oraclePsnr?.[i] ?? null,
				measurement: asked.given ? null : new Uint8Array(encodeMeasurement(measurements, i)),
				spread: spreads ? new Uint8Array(await encodePng(bright(spreads[i]!.data), size)) : null,
			}),
		),
	);
	const { selectedBy, perceptual = null, seconds } = result;
	return { images: inverted, selectedBy, perceptual, seconds };
}

const qualityOf = (quality: Quality | undefined): Judgement => ({
	psnr: quality?.psnr ?? null,
	ssim: quality?.ssim ?? null,
	holePsnr: quality?.holePsnr ?? null,
	holeSsim: quality?.holeSsim ?? null,
	compositedPsnr: quality?.compositedPsnr ?? null,
	compositedSsim: quality?.compositedSsim ?? null,
	lpips: quality?.lpips ?? null,
	lpipsBy: quality?.lpipsBy ?? null,
	msssim: quality?.msssim ?? null,
	identity: quality?.identity ?? null,
	identityBy: quality?.identityBy ?? null,
	niqe: quality?.niqe ?? null,
	niqeBy: quality?.niqeBy ?? null,
});

function sizeOf({ shape }: HostTensor): { height: number; width: number; channels: number } {
	return { height: shape[1]!, width: shape[2]!, channels: shape[3]! };
}

/** Deviations as pixels in [−1, 1]. */
function bright(spread: Float32Array): Float32Array {
	return spread.map((value) => 2 * Math.min(1, value / WHITE_SPREAD) - 1);
}

/** Images side by side, about square. */
async function grid(images: HostTensor): Promise<Uint8Array> {
	const columns = Math.ceil(Math.sqrt(images.shape[0]!));
	return new Uint8Array(await imageGrid(splitBatch(images.data, sizeOf(images)), { columns, gap: 2 }));
}

const sampleSchema = z.strictObject({
	checkpoint,
	count: z.int().min(1).max(MOST_IMAGES),
	seed,
	/** Draws w towards its mean; of a Glow: the temperature. */
	truncation: z.number().min(0).max(2),
});

export interface SampleResult {
	/** [N, H, W, C]. */
	shape: number[];
	data: Float32Array;
	png: Uint8Array;
}

/** Draws images: number i of a seed is always the same, however many are asked for. */
export async function sample(session: InversionSession, payload: unknown): Promise<SampleResult> {
	const { count, seed: from, truncation, ...call } = parse(sampleSchema, payload, 'sample');
	const prior = await session.prior(call.checkpoint.dir);
	const size = prior.kind === 'glow' ? latentSize(prior) : prior.generator.zDim;
	const z = new Float32Array(count * size);
	for (let i = 0; i < count; i++) z.set(stream(from, 'sample').normals(i, size), i * size);
	const images =
		prior.kind === 'glow'
			? renderGlow(session.engine, prior, z, truncation)
			: renderImages(session.engine, prior, z, truncation);
	if (!images.data.every(Number.isFinite))
		throw expected('finite pixel values', `checkpoint ${prior.id}`, 'NaN');
	return { shape: [...images.shape], data: images.data, png: await grid(images) };
}
