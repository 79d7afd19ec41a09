// The experiment file: what to train, on what, for how long, and how to judge it. `loadExperiment` reads the YAML,
// writes the short forms out in full, and checks every value; what it returns is complete and is what runs.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { dataSpec } from '../data/index.ts';
import { RtilError } from '../errors/index.ts';
import { budgetSchema, parseMinutes } from './budget.ts';
import { checkSource, parseSource, type Source } from './source.ts';

// Placeholders until the rooms that own them land.
const armConfigSchema = z.looseObject({
	name: z.string(),
	training: z.looseObject({ batch: z.int().min(1) }),
});
const problemSchema = z.looseObject({ kind: z.string() });
const solverSchema = z.looseObject({ kind: z.string() });

/** Names become folders, key-value keys and subjects. */
export const nameSchema = z
	.string()
	.regex(
		/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
		'a name of 1 to 64 letters, digits, "-" and "_", no dots or spaces',
	);

export const evaluationSchema = z.strictObject({
	problems: z
		.array(problemSchema)
		.min(1)
		.describe('What is reconstructed: one entry for each problem and level.'),
	solvers: z.array(solverSchema).min(1).describe('How it is reconstructed.'),
	images: z.int().min(1).max(100_000).default(8).describe('How many of the test images, from the first.'),
	seeds: z
		.array(z.int().min(0))
		.min(1)
		.default([0])
		.describe('One measurement of every image for each seed: the seed fixes the operator and the noise.'),
});

/** The experiment with nothing left open. */
export const experimentSchema = z.strictObject({
	name: nameSchema.describe('Name of the run, unless one is given on the command line.'),
	seed: z
		.int()
		.min(0)
		.default(0)
		.describe('Seed of initial weights, latents, noise and batches, for every arm.'),
	data: dataSpec.describe('Training images.'),
	test: dataSpec.optional().describe('Images to reconstruct; never trained on.'),
	arms: z.array(armConfigSchema).min(1).max(16).describe('What is compared: the first is the reference.'),
	budget: budgetSchema,
	evaluation: evaluationSchema.optional().describe('Without it the run only trains.'),
});

export type Experiment = z.infer<typeof experimentSchema>;

/** What the command line may put in the place of what the file says. */
export interface ExperimentOverrides {
	data?: string;
	testData?: string;
	/** `15m`, `2h`. */
	budget?: string;
}

/** Reads an experiment file; throws NOT_FOUND or INVALID_INPUT with file, line and column. */
export async function loadExperiment(file: string, overrides: ExperimentOverrides = {}): Promise<Experiment> {
	let text: string;
	try {
		text = await readFile(file, 'utf8');
	} catch (cause) {
		throw new RtilError(
			'NOT_FOUND',
			`Expected a readable experiment file at ${file} (${(cause as NodeJS.ErrnoException).code})`,
			'Give the path of a YAML file; examples/demo.yaml is one.',
			{ cause },
		);
	}
	return parseExperiment(text, { name: file, folder: path.dirname(file), overrides });
}

export interface ParseOptions {
	/** Shown in messages. */
	name: string;
	/** Folder that relative image paths are relative to. */
	folder: string;
	overrides?: ExperimentOverrides;
}

/** The experiment that a YAML text describes; throws INVALID_INPUT with file, line and column. */
export function parseExperiment(text: string, { name, folder, overrides = {} }: ParseOptions): Experiment {
	const source = parseSource(text, name);
	const full = inFull(source.value, folder, overrides);
	const experiment = checkSource(experimentSchema, withShortForms(source), full);
	checkNames(experiment, source);
	return experiment;
}

/** sha256 (hex) of the experiment's canonical JSON: equal for equal experiments, whatever the order of keys. */
export function experimentHash(experiment: Experiment): string {
	return createHash('sha256').update(canonicalJson(experiment)).digest('hex');
}

/** The JSON Schema of the file, short forms included, for editors. */
export function experimentJsonSchema(): Record<string, unknown> {
	const schema = z.toJSONSchema(experimentSchema, { io: 'input', unrepresentable: 'any' }) as JsonObject;
	const properties = schema.properties as Record<string, JsonObject>;
	const arm = properties.arms!.items as JsonObject;
	const armProperties = arm.properties as Record<string, JsonObject>;
	const optional = (part: JsonObject): JsonObject => ({ ...part, required: [] });
	for (const shared of sharedByArms) {
		if (!armProperties[shared]) continue;
		properties[shared] = {
			...optional(armProperties[shared]),
			description: `${shared} of every arm that does not say otherwise.`,
		};
		armProperties[shared] = optional(armProperties[shared]);
	}
	arm.required = ['name'];
	properties.resolution = {
		type: 'integer',
		description: 'Height and width of all images, in pixels, where data, test or a model gives none.',
	};
	properties.arms!.items = { anyOf: [{ type: 'string' }, arm] };
	const data = withoutRequired(properties.data!, ['resolution']);
	properties.data = { anyOf: [{ type: 'string' }, data] };
	const holdout = { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 };
	properties.test = {
		anyOf: [
			{ type: 'string' },
			{ type: 'object', properties: { holdout }, required: ['holdout'], additionalProperties: false },
			withoutRequired(properties.test!, ['resolution']),
		],
	};
	properties.budget = {
		anyOf: [{ type: 'string', pattern: '^[0-9.]+ ?(s|m|min|h|d)$' }, properties.budget!],
	};
	const evaluation = properties.evaluation!.properties as Record<string, JsonObject>;
	for (const list of ['problems', 'solvers']) {
		evaluation[list]!.items = { anyOf: [{ type: 'string' }, evaluation[list]!.items as JsonObject] };
	}
	return { $schema: schema.$schema, title: 'rtil experiment', ...schema };
}

type JsonObject = Record<string, unknown>;

/** Part of the images kept back for reconstruction when only training images are given on the command line. */
const defaultHoldout = 0.1;

/** Images drawn when the file only says `faces`. */
const defaultFaces = { kind: 'faces', count: 4096 };

/** Groups that may stand at the top of the file for all arms. */
const sharedByArms = ['model', 'training'] as const;

/**
 * Writes short forms out: `data: faces` or a folder's path; `test` likewise; `resolution`, `model` and `training` once
 * for all; arms, problems and solvers by name alone; `budget: 15m`. What is not understood is left for the schema.
 */
function inFull(value: unknown, folder: string, overrides: ExperimentOverrides): unknown {
	if (!isObject(value)) return value;
	const { resolution, model, training, ...rest } = value;
	const shared: JsonObject = { model, training };
	const full: JsonObject = { ...rest };
	const images = (given: unknown, override: string | undefined): unknown => {
		const base = override === undefined ? folder : process.cwd();
		const short = override ?? given;
		const spec =
			typeof short !== 'string' ? short : short === 'faces' ? defaultFaces : { kind: 'folder', path: short };
		if (!isObject(spec)) return spec;
		const located = typeof spec.path === 'string' ? { ...spec, path: path.resolve(base, spec.path) } : spec;
		return withDefault(located, 'resolution', resolution);
	};
	if ('data' in value || overrides.data) full.data = images(value.data, overrides.data);
	if ('test' in value || overrides.testData) full.test = images(value.test, overrides.testData);
	// Other photographs than the file's own need their own test images: a part of them that is not trained on.
	if (overrides.data && !overrides.testData && full.test) full.test = { holdout: defaultHoldout };
	if (isObject(full.test) && 'holdout' in full.test && !('kind' in full.test) && isObject(full.data)) {
		const { holdout } = full.test;
		full.test = { ...full.data, split: { holdout, part: 'holdout' } };
		full.data = { ...full.data, split: { holdout, part: 'train' } };
	}
	if (overrides.budget) {
		const rule = isObject(value.budget) ? value.budget.rule : undefined;
		full.budget = {
			minutes: parseMinutes(overrides.budget, '--budget'),
			...(rule === undefined ? {} : { rule }),
		};
	} else if (typeof value.budget === 'string' && /^[\d.]+\s*[a-z]+$/.test(value.budget)) {
		full.budget = { minutes: parseMinutes(value.budget, 'budget') };
	}
	if (Array.isArray(value.arms)) {
		full.arms = value.arms.map((given: unknown) => {
			const arm = typeof given === 'string' ? { name: given } : given;
			if (!isObject(arm)) return arm;
			const merged: JsonObject = { ...arm };
			for (const key of sharedByArms) {
				if (merged[key] === undefined) merged[key] = shared[key];
				else if (isObject(shared[key]) && isObject(merged[key]))
					merged[key] = { ...shared[key], ...merged[key] };
				if (merged[key] === undefined) delete merged[key];
			}
			if (isObject(merged.model)) merged.model = withDefault(merged.model, 'resolution', resolution);
			return merged;
		});
	}
	if (isObject(value.evaluation)) {
		const evaluation: JsonObject = { ...value.evaluation };
		for (const list of ['problems', 'solvers']) {
			const entries = evaluation[list];
			if (!Array.isArray(entries)) continue;
			evaluation[list] = entries.map((entry: unknown) =>
				typeof entry === 'string' ? { kind: entry } : entry,
			);
		}
		full.evaluation = evaluation;
	}
	return full;
}

/** Places of values that stand elsewhere in the file than in the full form: shared groups and the shared resolution. */
function withShortForms(source: Source): Source {
	const has = (where: readonly PropertyKey[]): boolean =>
		where.reduce<unknown>(
			(v, key) => (isObject(v) || Array.isArray(v) ? (v as JsonObject)[key as string] : undefined),
			source.value,
		) !== undefined;
	const relocate = (where: readonly PropertyKey[]): readonly PropertyKey[] => {
		if (has(where)) return where;
		if (where[0] === 'arms' && has(where.slice(2))) return where.slice(2);
		if (where.at(-1) === 'resolution' && has(['resolution'])) return ['resolution'];
		return where;
	};
	return { ...source, place: (where, part) => source.place(relocate(where), part) };
}

/** What a schema of single values cannot see: names that must differ. */
function checkNames(experiment: Experiment, source: Source): void {
	const seen = new Map<string, number>();
	for (const [index, arm] of experiment.arms.entries()) {
		if (seen.has(arm.name)) {
			throw new RtilError(
				'INVALID_INPUT',
				`${source.place(['arms', index, 'name'])}: arms[${seen.get(arm.name)}] and arms[${index}] are both named "${arm.name}"; names of arms must differ`,
			);
		}
		seen.set(arm.name, index);
	}
	if (experiment.evaluation && !experiment.test) {
		throw new RtilError(
			'INVALID_INPUT',
			`${source.place(['evaluation'], 'key')}: evaluation needs test images; add test, for example {kind: faces, count: 8, seed: 1}`,
		);
	}
}

function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withDefault(object: JsonObject, key: string, value: unknown): JsonObject {
	return object[key] === undefined && value !== undefined ? { ...object, [key]: value } : object;
}

function withoutRequired(schema: JsonObject, keys: readonly string[]): JsonObject {
	const branches = (schema.oneOf ?? schema.anyOf) as JsonObject[] | undefined;
	if (branches) return { ...schema, oneOf: branches.map((b) => withoutRequired(b, keys)) };
	const required = ((schema.required as string[] | undefined) ?? []).filter((key) => !keys.includes(key));
	return { ...schema, required };
}

function canonicalJson(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
	if (!isObject(value)) return JSON.stringify(value) ?? 'null';
	const keys = Object.keys(value)
		.filter((key) => value[key] !== undefined)
		.sort();
	return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`;
}
