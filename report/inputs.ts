// What the report reads from a run folder, exactly: the schemas of the JSON files and the names of the pictures.
// Whoever writes into `runs/<run>/` takes the names and the types from here.
//
//   results.json                                   resultsSchema
//   resolved.json                                  resolvedSchema: any object; shown as it is
//   arms/<arm>/metrics.jsonl                       one metricsLineSchema a line
//   arms/<arm>/samples/<step>.png                  a sample grid; same latents at every step and for every arm
//   evaluation/truth.png                           ONE ROW of test images
//   evaluation/<problem>-<level>.measurement.png   their measurements, same images, same order
//   evaluation/<arm>.<solver>.<problem>-<level>.png   their reconstructions, same images, same order
//
// Everything is optional: what is missing or unreadable is named in the report, which is written all the same.
import { z } from 'zod';
import type { ResultRow } from '../metrics/index.ts';

const finiteOrNull = z.number().nullable();

/** One reconstruction. `null` stands for a number that JSON cannot hold (an infinite PSNR) or that does not exist. */
export const rowSchema = z.strictObject({
	arm: z.string(),
	solver: z.string(),
	/** Kind of the problem: `compressed-sensing`, `inpainting`, `super-resolution`. */
	problem: z.string(),
	/** Its strength: observed fraction, or factor. */
	level: z.number(),
	/** Name of the test image. */
	image: z.string(),
	seed: z.number().int(),
	/** dB, data range 1. */
	psnr: finiteOrNull,
	ssim: finiteOrNull,
	/** ‖Ax − y‖ / ‖y‖, `residual` of metrics. */
	residual: finiteOrNull,
	/** Wall time of this image's share of its batch. */
	seconds: finiteOrNull,
	/** What the solver's perceptual term compared. */
	perceptual: z.string().optional(),
	/** Over the pixels that were not measured; absent where there are none. */
	holePsnr: finiteOrNull.optional(),
	holeSsim: finiteOrNull.optional(),
	/** With the measured pixels put back. */
	compositedPsnr: finiteOrNull.optional(),
	compositedSsim: finiteOrNull.optional(),
	/** Absent where an image is too small. */
	msssim: finiteOrNull.optional(),
	/** Absent where no weights were known; `lpipsBy` states network and version. */
	lpips: finiteOrNull.optional(),
	lpipsBy: z.string().optional(),
	/** Cosine similarity to the true face; absent where no face network was known; `identityBy` states it. */
	identity: finiteOrNull.optional(),
	identityBy: z.string().optional(),
	/** Absent where no statistics were known or an image is too small; `niqeBy` states them. */
	niqe: finiteOrNull.optional(),
	niqeBy: z.string().optional(),
}) satisfies z.ZodType<ResultRow>;

/** What one arm spent and made. */
export const armProvenanceSchema = z.looseObject({
	name: z.string(),
	label: z.string().optional(),
	state: z.enum(['complete', 'cancelled', 'failed', 'missing']).optional(),
	/** Why it is not complete. */
	reason: z.string().optional(),
	steps: z.number().optional(),
	/** Real images shown to the discriminator. */
	images: z.number().optional(),
	/** Floating-point operations of training, counted or estimated. */
	flops: z.number().optional(),
	/** Wall time of training. */
	seconds: z.number().optional(),
	/** Id (sha256) of the checkpoint that was evaluated. */
	checkpoint: z.string().optional(),
	/** Parameters of the generator. */
	parameters: z.number().optional(),
});

/** Where the numbers come from. Keys beyond these are shown as they are. */
export const provenanceSchema = z.looseObject({
	run: z.string().optional(),
	state: z.enum(['complete', 'cancelled', 'failed', 'running']).optional(),
	/** Why the run is not complete. */
	reason: z.string().optional(),
	/** ISO 8601. */
	startedAt: z.string().optional(),
	endedAt: z.string().optional(),
	/** The command that repeats the run. */
	command: z.string().optional(),
	/** The arm that the others are compared with; default: the experiment's first. */
	reference: z.string().optional(),
	arms: z.array(armProvenanceSchema).optional(),
	/** `equal-steps`, `equal-images` or `equal-compute`, with what it came to. */
	budgetRule: z.string().optional(),
	/** What selected the returned iterate: the measurements, never the truth. */
	selection: z.string().optional(),
	/** Name → seed(s): `training`, `evaluation`, `data`, … */
	seeds: z.record(z.string(), z.union([z.number(), z.array(z.number())])).optional(),
	/** Name → version: `rtil`, `node`, `tensorflow`, `engine`, … */
	versions: z.record(z.string(), z.string()).optional(),
	/** Name → sha256: `dataset`, `test images`, `experiment`, … */
	hashes: z.record(z.string(), z.string()).optional(),
	/** Name → text: `cpu`, `gpu`, `memory`, `threads`, … */
	hardware: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
	/** Whatever a reader must know to judge the numbers. */
	notes: z.array(z.string()).optional(),
});

/** results.json. The report computes its own summary from the rows; the stored one is for other readers. */
export const resultsSchema = z.strictObject({
	rows: z.array(rowSchema),
	summary: z.unknown().optional(),
	provenance: provenanceSchema,
});

/** resolved.json: the whole experiment after defaults. */
export const resolvedSchema = z.looseObject({ name: z.string().optional() });

/** One line of metrics.jsonl. */
export const metricsLineSchema = z.looseObject({
	step: z.number(),
	/** Real images seen so far. */
	images: z.number(),
	/** By name (`d`, `g`, `r1`, `path`, …): the mean since the line before; `null` when not finite. */
	losses: z.record(z.string(), finiteOrNull),
	imagesPerSecond: finiteOrNull,
	/** Seconds of training so far, and resident memory of the process that trains, in bytes. */
	seconds: z.number().optional(),
	memoryBytes: z.number().optional(),
	/** Milliseconds since the epoch. */
	time: z.number(),
});

export type Provenance = z.infer<typeof provenanceSchema>;
export type ArmProvenance = z.infer<typeof armProvenanceSchema>;
export type Results = z.infer<typeof resultsSchema>;
export type MetricsLine = z.infer<typeof metricsLineSchema>;

const slug = (text: string): string => text.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^\.+/, '') || '-';

/** `compressed-sensing-0.25`: a problem and its level as a part of a file name. */
export function problemSlug(problem: string, level: number): string {
	return slug(`${problem}-${level}`);
}

/** Paths inside a run folder, with `/`. */
export const runFiles = {
	results: 'results.json',
	resolved: 'resolved.json',
	report: 'report.html',
	metrics: (arm: string): string => `arms/${slug(arm)}/metrics.jsonl`,
	samples: (arm: string): string => `arms/${slug(arm)}/samples`,
	sample: (arm: string, step: number): string => `arms/${slug(arm)}/samples/${step}.png`,
	truth: 'evaluation/truth.png',
	measurement: (problem: string, level: number): string =>
		`evaluation/${problemSlug(problem, level)}.measurement.png`,
	reconstruction: (arm: string, solver: string, problem: string, level: number): string =>
		`evaluation/${slug(arm)}.${slug(solver)}.${problemSlug(problem, level)}.png`,
} as const;
