// Reads a run folder as far as it goes: what is not there, or not readable, becomes a sentence in `missing`.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { RtilError } from '../errors/index.ts';
import { type ResultRow, referenceArm } from '../metrics/index.ts';
import {
	type ArmProvenance,
	type MetricsLine,
	metricsLineSchema,
	type Provenance,
	provenanceSchema,
	resolvedSchema,
	rowSchema,
	runFiles,
} from './inputs.ts';

/** One arm of the comparison, as far as it got. */
export interface Arm {
	readonly name: string;
	readonly label: string;
	/** Place in the palette; the reference has 0. */
	readonly colour: number;
	readonly provenance: ArmProvenance;
	readonly metrics: readonly MetricsLine[];
	/** Sample grids by training step, rising; files relative to the run folder. */
	readonly samples: readonly { step: number; file: string }[];
}

/** All that the report is made from. */
export interface RunContents {
	readonly folder: string;
	readonly name: string;
	readonly rows: readonly ResultRow[];
	readonly provenance: Provenance;
	readonly resolved: Record<string, unknown> | null;
	/** The reference first. */
	readonly arms: readonly Arm[];
	/** Names of the files in evaluation/, as paths relative to the run folder. */
	readonly pictures: ReadonlySet<string>;
	/** What should be there and is not: one sentence each. */
	readonly missing: string[];
}

/** Throws NOT_FOUND when the folder itself does not exist. */
export async function readRun(folder: string): Promise<RunContents> {
	const names = await readdir(folder).catch(() => {
		throw new RtilError('NOT_FOUND', `Expected a run folder at ${folder}`, 'List the runs with: rtil runs');
	});
	const missing: string[] = [];
	const { rows, provenance } = await readResults(folder, names.includes(runFiles.results), missing);
	const resolved = names.includes(runFiles.resolved)
		? await readJson(folder, runFiles.resolved, resolvedSchema, missing)
		: null;
	if (!names.includes(runFiles.resolved))
		missing.push('resolved.json is missing: the settings are not known.');
	const evaluation = await list(path.join(folder, 'evaluation'));
	const known = armNames(rows, provenance, resolved, await list(path.join(folder, 'arms')));
	const reference = provenance.reference ?? configuredArms(resolved)[0] ?? referenceArm(known);
	const ordered = [...new Set([reference, ...known])].filter((name) => known.includes(name));
	const arms: Arm[] = [];
	for (const [colour, name] of ordered.entries())
		arms.push(await readArm(folder, name, colour, provenance, missing));
	if (rows.length > 0)
		for (const { name, label } of arms)
			if (!rows.some((row) => row.arm === name)) missing.push(`${label} has no evaluated images.`);
	return {
		folder,
		name: provenance.run ?? resolved?.name ?? path.basename(path.resolve(folder)),
		rows,
		provenance,
		resolved,
		arms,
		pictures: new Set(evaluation.filter((name) => name.endsWith('.png')).map((name) => `evaluation/${name}`)),
		missing,
	};
}

async function readResults(
	folder: string,
	exists: boolean,
	missing: string[],
): Promise<{ rows: ResultRow[]; provenance: Provenance }> {
	if (!exists) {
		missing.push('results.json is missing: nothing was evaluated, or the run is not done.');
		return { rows: [], provenance: {} };
	}
	const json = await readJson(folder, runFiles.results, resolvedSchema, missing);
	if (!json) return { rows: [], provenance: {} };
	const given = Array.isArray(json.rows) ? json.rows : [];
	const rows = given.flatMap((row) => rowSchema.safeParse(row).data ?? []);
	if (rows.length < given.length)
		missing.push(`${given.length - rows.length} of ${given.length} rows of results.json are not readable.`);
	const provenance = provenanceSchema.safeParse(json.provenance ?? {});
	if (!provenance.success)
		missing.push(`The provenance in results.json is not readable: ${firstIssue(provenance.error)}.`);
	return { rows, provenance: provenance.data ?? {} };
}

async function readJson<T extends z.ZodType>(
	folder: string,
	file: string,
	schema: T,
	missing: string[],
): Promise<z.infer<T> | null> {
	try {
		const parsed = schema.safeParse(JSON.parse(await readFile(path.join(folder, file), 'utf8')));
		if (parsed.success) return parsed.data;
		missing.push(`${file} is not readable: ${firstIssue(parsed.error)}.`);
	} catch (error) {
		missing.push(`${file} is not readable: ${(error as Error).message}.`);
	}
	return null;
}

function firstIssue(error: z.ZodError): string {
	const issue = error.issues[0];
	return issue ? `${issue.path.join('.') || 'its content'}: ${issue.message}` : 'its content';
}

/** Names of the arms in the experiment; its first one is the reference. */
function configuredArms(resolved: Record<string, unknown> | null): string[] {
	const configured = Array.isArray(resolved?.arms) ? resolved.arms : [];
	return configured.flatMap((arm) => {
		const name = (arm as { name?: unknown } | null)?.name;
		return typeof name === 'string' ? [name] : [];
	});
}

function armNames(
	rows: readonly ResultRow[],
	provenance: Provenance,
	resolved: Record<string, unknown> | null,
	folders: readonly string[],
): string[] {
	const told = [
		...configuredArms(resolved),
		...(provenance.arms ?? []).map((arm) => arm.name),
		...rows.map((row) => row.arm),
	];
	const files = new Set(told.map(runFiles.samples));
	return [...new Set([...told, ...folders.filter((name) => !files.has(runFiles.samples(name)))])];
}

async function readArm(
	folder: string,
	name: string,
	colour: number,
	provenance: Provenance,
	missing: string[],
): Promise<Arm> {
	const own = provenance.arms?.find((arm) => arm.name === name) ?? { name };
	const label = own.label ?? (name === 'rtil' ? 'RTIL' : name);
	const samples = (await list(path.join(folder, runFiles.samples(name))))
		.filter((file) => /^\d+\.png$/.test(file))
		.map((file) => ({ step: Number.parseInt(file, 10), file: `${runFiles.samples(name)}/${file}` }))
		.sort((a, b) => a.step - b.step);
	const text = await readFile(path.join(folder, runFiles.metrics(name)), 'utf8').catch(() => '');
	const lines = text.split('\n').filter((line) => line.trim() !== '');
	const metrics = lines.flatMap((line) => metricsLineSchema.safeParse(parseLine(line)).data ?? []);
	if (lines.length === 0) missing.push(`No training metrics of ${label}.`);
	// A run that is cut off ends in half a line: that is no loss worth a word.
	else if (metrics.length < lines.length - 1)
		missing.push(
			`${lines.length - metrics.length} of ${lines.length} training metrics of ${label} are not readable.`,
		);
	if (samples.length === 0) missing.push(`No samples of ${label}.`);
	if (own.state && own.state !== 'complete')
		missing.push(`${label} is ${own.state}${own.reason ? `: ${own.reason}` : '.'}`);
	return { name, label, colour, provenance: own, metrics: metrics.sort((a, b) => a.step - b.step), samples };
}

function parseLine(line: string): unknown {
	try {
		return JSON.parse(line);
	} catch {
		return undefined;
	}
}

async function list(folder: string): Promise<string[]> {
	return (await readdir(folder).catch(() => [] as string[])).filter((name) => !name.startsWith('.')).sort();
}
