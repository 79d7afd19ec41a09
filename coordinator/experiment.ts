// The experiment file: what to train, on what, for how long, and how to judge it. `loadExperiment` reads the YAML,
// writes the short forms out in full, and checks every value; what it returns is complete and is what runs.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { retentionSchema } from '../checkpoints/index.ts';
import { dataSpec } from '../data/index.ts';
import { RtilError } from '../errors/index.ts';
import { parseSolver, problemLevel, problemName, problemSchema, solvers } from '../inverter/index.ts';
import { family, type Generator, generatorOf, glowOf, modelPresets } from '../models/index.ts';
import { armConfigSchema, onDivergenceSchema, qualitySchema, recipeOf } from '../trainer/index.ts';
import { budgetSchema, parseMinutes } from './budget.ts';
import { checkProblems, withFileForms, withFilesRead } from './problems.ts';
import { checkSource, parseSource, type Source } from './source.ts';

/** A solver by its kind, a preset, and options that override it; complete when resolved. */
export const solverSchema = z
	.discriminatedUnion('kind', solverForms())
	.transform((given): { kind: string; preset: string; [option: string]: unknown } => {
		const { kind, preset, options } = parseSolver(given);
		return { kind, preset, ...options };
	});

function solverForms(): [z.ZodObject, ...z.ZodObject[]] {
	const forms = solvers.map(({ kind, presets, schema }) => {
		const options = (schema as unknown as z.ZodObject).partial();
		return z.strictObject({
			kind: z.literal(kind),
			preset: z
				.enum(Object.keys(presets))
				.optional()
				.describe('Options by name; those given here override it.'),
			...options.shape,
		});
	});
	return forms as unknown as [z.ZodObject, ...z.ZodObject[]];
}

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

/** One arm: a name, and what is trained under it. */
export const armSchema = z.strictObject({
	name: nameSchema,
	...armConfigSchema.shape,
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
	arms: z.array(armSchema).min(1).max(16).describe('What is compared: the first is the reference.'),
	budget: budgetSchema,
	checkpointEvery: z
		.union([z.strictObject({ seconds: z.number().positive() }), z.strictObject({ steps: z.int().min(1) })])
		.default({ seconds: 60 })
		.describe('How often training saves itself: at most this much is lost when a process is killed.'),
	keep: retentionSchema.prefault({}),
	onDivergence: onDivergenceSchema,
	quality: qualitySchema.optional(),
	evaluation: evaluationSchema.optional().describe('Without it the run only trains.'),
});

export type Arm = z.infer<typeof armSchema>;
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
	const folder = path.dirname(file);
	const source = await withFilesRead(parseSource(text, file), folder);
	return completed(source, folder, overrides);
}

export interface ParseOptions {
	/** Shown in messages. */
	name: string;
	/** Folder that relative image paths are relative to. */
	folder: string;
	overrides?: ExperimentOverrides;
}

/**
 * The experiment that a YAML text describes, where problems name no files; throws INVALID_INPUT with file, line and
 * column.
 */
export function parseExperiment(text: string, { name, folder, overrides = {} }: ParseOptions): Experiment {
	return completed(parseSource(text, name), folder, overrides);
}

function completed(source: Source, folder: string, overrides: ExperimentOverrides): Experiment {
	const full = inFull(source.value, folder, overrides);
	const relocated = withShortForms(source);
	const experiment = checkSource(experimentSchema, relocated, full, experimentJsonSchema);
	checkTogether(experiment, relocated);
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
	for (const shared of sharedByArms) {
		const part = shared === 'model' ? withPresets(armProperties[shared]!) : armProperties[shared]!;
		armProperties[shared] = nothingRequired(part);
		properties[shared] = {
			...armProperties[shared],
			description: `${shared} of every arm that does not say otherwise.`,
		};
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
	evaluation.problems!.items = withFileForms(evaluation.problems!.items as JsonObject);
	for (const list of ['problems', 'solvers']) {
		evaluation[list]!.items = { anyOf: [{ type: 'string' }, evaluation[list]!.items as JsonObject] };
	}
	return { $schema: schema.$schema, title: 'rtil experiment', ...schema };
}

type JsonObject = Record<string, unknown>;

/** Part of the images kept back for reconstruction when only training images are given on the command line. */
const defaultHoldout = 0.1;

/** Side of SSIM's window (Wang et al. 2004), in pixels. */
const leastForSsim = 11;

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
			if (resolution !== undefined) merged.model ??= {};
			if (typeof merged.model === 'string') merged.model = { preset: merged.model };
			if (isObject(merged.model)) merged.model = withDefault(merged.model, 'resolution', resolution);
			// Training options are those of the kind of the model.
			const kind = kindOf(merged.model);
			if (kind && (merged.training === undefined || isObject(merged.training)))
				merged.training = { kind, ...merged.training };
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

/** What a schema of single values cannot see: what must differ, and what must fit together. */
function checkTogether(experiment: Experiment, source: Source): void {
	const { arms, data, test, evaluation } = experiment;
	const refuse = (path: readonly PropertyKey[], message: string, part?: 'key'): never => {
		throw new RtilError('INVALID_INPUT', `${source.place(path, part)}: ${message}`);
	};
	const duplicate = <T>(list: readonly T[], key: (entry: T) => string): [number, number] | undefined => {
		const keys = list.map(key);
		const second = keys.findIndex((word, i) => keys.indexOf(word) < i);
		return second < 0 ? undefined : [keys.indexOf(keys[second]!), second];
	};
	const twins = duplicate(arms, (arm) => arm.name);
	if (twins) {
		const [a, b] = twins;
		refuse(
			['arms', b, 'name'],
			`arms[${a}] and arms[${b}] are both named "${arms[b]!.name}"; names of arms must differ`,
		);
	}
	for (const [i, arm] of arms.entries()) {
		const within = (path: readonly PropertyKey[], check: () => void): void => {
			try {
				check();
			} catch (error) {
				if (!(error instanceof RtilError)) throw error;
				refuse(['arms', i, ...path], `arms[${i}] (${arm.name}): ${error.message}`);
			}
		};
		const { model } = arm;
		const channels = 3;
		if (model.kind === 'glow') within(['model'], () => void glowOf(model));
		else {
			let cuts: Generator['cuts'] = [];
			within(['model'], () => {
				cuts = generatorOf(model).cuts;
			});
			within(['rtil', 'cuts'], () => void family(arm.rtil, cuts));
		}
		within(['training', 'batch'], () => void recipeOf(arm, experiment.seed));
		for (const [name, spec] of Object.entries({ data, test })) {
			if (spec && spec.resolution !== arm.model.resolution) {
				refuse(
					[name, 'resolution'],
					`${name}.resolution is ${spec.resolution} but the model of ${arm.name} makes ${arm.model.resolution}; say resolution once, at the top`,
				);
			}
			if (spec?.kind === 'folder' && spec.channels !== channels) {
				refuse([name, 'channels'], `${name}.channels is ${spec.channels} but models make ${channels}`);
			}
		}
	}
	if (!evaluation) return;
	if (!test) {
		refuse(
			['evaluation'],
			'evaluation needs test images; add test, for example {kind: faces, count: 8, seed: 1}',
			'key',
		);
	}
	if (test!.resolution < leastForSsim) {
		refuse(
			['test', 'resolution'],
			`test.resolution is ${test!.resolution}, but SSIM needs at least ${leastForSsim} pixels a side; leave evaluation out to train only`,
		);
	}
	const problems = duplicate(
		evaluation.problems,
		(problem) => `${problemName(problem)} ${problemLevel(problem)}`,
	);
	if (problems) {
		const [a, b] = problems;
		refuse(
			['evaluation', 'problems', b],
			`problems[${a}] and problems[${b}] are both ${problemName(evaluation.problems[b]!)} at level ${problemLevel(evaluation.problems[b]!)}; one of each kind and level`,
		);
	}
	const side = test!.resolution;
	const channels = test!.kind === 'folder' ? test!.channels : 3;
	const image = { height: side, width: side, channels };
	checkProblems(evaluation.problems, evaluation.solvers, image, refuse);
	const solvers = duplicate(evaluation.solvers, (solver) => solver.kind);
	if (solvers) {
		const [a, b] = solvers;
		refuse(
			['evaluation', 'solvers', b],
			`solvers[${a}] and solvers[${b}] are both ${evaluation.solvers[b]!.kind}; one of each kind`,
		);
	}
}

/** The kind of a model as it stands in the file; undefined where it says none. */
function kindOf(model: unknown): unknown {
	if (!isObject(model)) return undefined;
	const { kind, preset } = model;
	return kind ?? (typeof preset === 'string' ? modelPresets[preset]?.kind : undefined);
}

function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withDefault(object: JsonObject, key: string, value: unknown): JsonObject {
	return object[key] === undefined && value !== undefined ? { ...object, [key]: value } : object;
}

function nothingRequired(schema: JsonObject): JsonObject {
	const { oneOf, ...rest } = schema as { oneOf?: JsonObject[] };
	return oneOf ? { ...rest, anyOf: oneOf.map(nothingRequired) } : { ...schema, required: [] };
}

/** Each kind of model may begin with a preset. */
function withPresets(model: JsonObject): JsonObject {
	const preset = { enum: Object.keys(modelPresets), description: 'A network of the papers by name' };
	const branches = (model.oneOf as JsonObject[]).map((branch) => ({
		...branch,
		properties: { preset, ...(branch.properties as JsonObject) },
	}));
	return { ...model, oneOf: branches };
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
