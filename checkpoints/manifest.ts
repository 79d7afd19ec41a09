// What a checkpoint says of itself: `manifest.json` beside its safetensors files.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { RtilError, show } from '../errors/index.ts';

const sha256 = z.hex().length(64);
const jsonObject = z.record(z.string(), z.json());

/** A plain file name: a manifest cannot point outside its folder. */
export const fileName = z.string().regex(/^[a-z0-9_][a-z0-9_.-]*$/iu);

export const checkpointManifest = z.strictObject({
	format: z.literal(1),
	/** sha256 of the files' names and digests: equal weights have equal ids. */
	id: sha256,
	/** ISO 8601, UTC. */
	createdAt: z.iso.datetime(),
	arm: z.string(),
	run: z.string(),
	step: z.int().min(0),
	/** Real images shown so far. */
	images: z.int().min(0),
	/** Floating-point operations so far, where they are counted. */
	flops: z.number().min(0).optional(),
	seed: z.int().min(0),
	/** Options of the networks; an imported generator has no discriminator. */
	architecture: z.strictObject({ generator: jsonObject, discriminator: jsonObject.nullable() }),
	/** The RTIL configuration; null for a vanilla arm. */
	rtil: jsonObject.nullable(),
	/** The training options; absent when they are unknown (imported). */
	training: jsonObject.optional(),
	/** What it was trained on; null when that is unknown (imported). */
	dataset: z
		.strictObject({ fingerprint: z.string(), count: z.int().min(0), resolution: z.int().min(1) })
		.nullable(),
	/** As the engine describes itself. */
	engine: z.string(),
	/** The checkpoint it was continued from. */
	parent: sha256.nullable(),
	/** Statistics of the model's own latents, for the solvers. */
	latent: jsonObject.optional(),
	metrics: z.record(z.string(), z.number()),
	files: z.record(fileName, z.strictObject({ sha256, bytes: z.int().min(0) })),
});

export type CheckpointManifest = z.infer<typeof checkpointManifest>;

/** What the writer of a checkpoint states; format, id and files follow from the tensors. */
export type CheckpointFields = Omit<CheckpointManifest, 'format' | 'id' | 'files'>;

/** The id of a set of files. */
export function checkpointId(files: CheckpointManifest['files']): string {
	const hash = createHash('sha256');
	for (const name of Object.keys(files).sort()) hash.update(`${name} ${files[name]!.sha256}\n`);
	return hash.digest('hex');
}

/**
 * A manifest from its JSON value.
 *
 * @param place where it came from, for the message.
 * @throws CORRUPT, naming the field.
 */
export function parseManifest(value: unknown, place: string): CheckpointManifest {
	const { success, data, error } = checkpointManifest.safeParse(value);
	if (!success) {
		const issue = error.issues[0]!;
		const field = issue.path.length ? ` at ${issue.path.join('.')}` : '';
		throw new RtilError('CORRUPT', `${place} is no checkpoint manifest${field}: ${issue.message}`);
	}
	if (checkpointId(data.files) !== data.id) {
		throw new RtilError(
			'CORRUPT',
			`${place} is no checkpoint manifest at id: it is not that of the files it lists`,
		);
	}
	return data;
}

/**
 * Checks that a checkpoint is of the architecture that is wanted.
 *
 * @throws MISMATCH, naming the first field that differs and both values.
 */
export function requireArchitecture(
	manifest: Pick<CheckpointManifest, 'id' | 'architecture'>,
	expected: { generator?: object; discriminator?: object },
): void {
	for (const part of ['generator', 'discriminator'] as const) {
		if (!expected[part]) continue;
		const found = difference(manifest.architecture[part], expected[part], part);
		if (!found) continue;
		throw new RtilError(
			'MISMATCH',
			`Checkpoint ${manifest.id.slice(0, 12)} has another architecture: ` +
				`${found.field} is ${show(found.has)}, not ${show(found.wanted)}`,
			'Give a checkpoint of the same architecture, or change the architecture to that of the checkpoint.',
		);
	}
}

interface Difference {
	field: string;
	has: unknown;
	wanted: unknown;
}

/** The first field, depth first, in which two JSON values differ; a missing field equals an undefined one. */
function difference(has: unknown, wanted: unknown, field: string): Difference | undefined {
	if (isObject(has) && isObject(wanted)) {
		for (const key of new Set([...Object.keys(wanted), ...Object.keys(has)])) {
			const found = difference(has[key], wanted[key], `${field}.${key}`);
			if (found) return found;
		}
		return Array.isArray(has) === Array.isArray(wanted) ? undefined : { field, has, wanted };
	}
	return Object.is(has, wanted) ? undefined : { field, has, wanted };
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null;
}
