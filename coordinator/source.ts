// A YAML file whose values are checked by a zod schema, and whose faults are told in one line each: the file with
// line and column, the path of the value, what is allowed there, what was found, and the nearest allowed word.
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { RtilError, show } from '../errors/index.ts';

type Path = readonly PropertyKey[];
type JsonSchema = z.core.JSONSchema.JSONSchema;

/** A parsed YAML text that still knows where each value stands. */
export interface Source {
	/** The name to show: a path as the user gave it. */
	readonly name: string;
	readonly text: string;
	/** The plain value (JSON types only). */
	readonly value: unknown;
	/** `demo.yaml:12:3` for the value at a path, or for its nearest ancestor that is in the file. */
	place(path: Path, part?: 'key' | 'value'): string;
}

/** Parses YAML 1.2 (so also JSON); throws INVALID_INPUT with the place when the text is not YAML. */
export function parseSource(text: string, name: string): Source {
	const lines = new LineCounter();
	const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
	const at = (offset: number): string => {
		const { line, col } = lines.linePos(offset);
		return `${name}:${line}:${col}`;
	};
	const fault = document.errors[0];
	if (fault) {
		throw new RtilError('INVALID_INPUT', `${at(fault.pos[0])}: not valid YAML: ${firstLine(fault.message)}`);
	}
	let value: unknown;
	try {
		// Bounds alias expansion, so that a small file cannot become a large value.
		value = document.toJS({ maxAliasCount: 100 });
	} catch (cause) {
		throw new RtilError('INVALID_INPUT', `${name}: ${firstLine(String((cause as Error).message))}`, '', {
			cause,
		});
	}
	return { name, text, value, place: (path, part = 'value') => at(offsetOf(document, path, part)) };
}

/**
 * Checks a value against a schema; throws INVALID_INPUT that names the first fault (an unknown key before all
 * others: it is usually the reason of a missing one) and says how many more there are.
 */
export function checkSource<S extends z.ZodType>(
	schema: S,
	source: Source,
	value: unknown,
	/** What may stand in the file, for suggestions, if that is more than the schema of the value. */
	fileSchema: () => JsonSchema = () => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
): z.output<S> {
	const result = schema.safeParse(value);
	if (result.success) return result.data;
	const issues = result.error.issues.flatMap((issue) => flatten(issue, value));
	issues.sort((a, b) => rank(a) - rank(b));
	const first = issues[0]!;
	const line = explain(first, value, fileSchema(), source);
	const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
	throw new RtilError('INVALID_INPUT', `${line}${more}`);
}

/** `arms[0].model.kind`, as a person would write the path. */
export function showPath(path: Path): string {
	let text = '';
	for (const part of path) {
		if (typeof part === 'number') text += `[${part}]`;
		else text += text ? `.${String(part)}` : String(part);
	}
	return text || 'the file';
}

/** The word of a list that a person most likely meant, or undefined when none is near. */
export function nearest(word: string, words: readonly string[]): string | undefined {
	let best: string | undefined;
	let least = Math.max(2, Math.floor(word.length / 3)) + 1;
	for (const candidate of words) {
		const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
		if (distance < least) {
			best = candidate;
			least = distance;
		}
	}
	return best;
}

/** Edit distance with swaps of neighbours (Damerau's restricted form): insert, delete, replace, swap cost 1 each. */
function editDistance(a: string, b: string): number {
	const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
	for (let i = 1; i <= a.length; i++) {
		const row = [i];
		for (let j = 1; j <= b.length; j++) {
			const change = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
			let cost = Math.min(change, rows[i - 1]![j]! + 1, row[j - 1]! + 1);
			if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
				cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
			}
			row.push(cost);
		}
		rows.push(row);
	}
	return rows[a.length]![b.length]!;
}

type Issue = z.core.$ZodIssue;

/** A union's fault is told as the fault of the branch that came nearest; others stay as they are. */
function flatten(issue: Issue, root: unknown): Issue[] {
	if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
	const branches = issue.errors.map((errors) =>
		errors.map((e) => ({ ...e, path: [...issue.path, ...e.path] })),
	);
	// The branch whose type fits the value complains deeper inside; the others complain at the value itself.
	const inside = branches.filter((b) =>
		b.some((e) => e.path.length > issue.path.length || e.code !== 'invalid_type'),
	);
	const chosen = inside.sort((a, b) => a.length - b.length)[0];
	if (chosen) return chosen.flatMap((e) => flatten(e as Issue, root));
	return [issue];
}

function rank(issue: Issue): number {
	return issue.code === 'unrecognized_keys' ? 0 : 1;
}

function explain(issue: Issue, root: unknown, schema: JsonSchema, source: Source): string {
	if (issue.code === 'unrecognized_keys') {
		const key = issue.keys[0]!;
		const path = [...issue.path, key];
		const allowed = Object.keys(schemaAt(schema, issue.path, root)?.properties ?? {});
		const where = issue.path.length ? ` in ${showPath(issue.path)}` : '';
		return `${source.place(path, 'key')}: unknown key "${key}"${where}; ${hint(key, allowed)}`;
	}
	const received = valueAt(root, issue.path);
	const place = source.place(issue.path);
	const name = showPath(issue.path);
	if (received === undefined) {
		return `${place}: ${name} is missing: expected ${allowedBy(issue)}`;
	}
	const suggestion =
		typeof received === 'string'
			? nearest(
					received,
					wordsOf(issue).filter((w) => typeof w === 'string'),
				)
			: undefined;
	const mean = suggestion ? `; did you mean "${suggestion}"?` : '';
	return `${place}: expected ${allowedBy(issue)} for ${name} but received ${show(received)}${mean}`;
}

function hint(key: string, allowed: readonly string[]): string {
	const list = allowed.length ? `allowed: ${allowed.join(', ')}` : 'none is allowed here';
	const near = nearest(key, allowed);
	return near ? `did you mean "${near}"? (${list})` : list;
}

function wordsOf(issue: Issue): string[] {
	if (issue.code === 'invalid_value') return issue.values.map(String);
	if (issue.code === 'invalid_union' && 'options' in issue) return (issue.options as unknown[]).map(String);
	return [];
}

const article: Record<string, string> = {
	int: 'a whole number',
	number: 'a number',
	string: 'a text',
	boolean: 'true or false',
	array: 'a list',
	object: 'a group of keys',
	record: 'a group of keys',
};

/** What a schema allows where it complained, as the object of "expected …". */
function allowedBy(issue: Issue): string {
	switch (issue.code) {
		case 'invalid_type':
			return article[issue.expected] ?? issue.expected;
		case 'invalid_value':
			return oneOf(issue.values.map((v) => JSON.stringify(v)));
		case 'too_small':
			return bound(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum);
		case 'too_big':
			return bound(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum);
		case 'not_multiple_of':
			return `a multiple of ${issue.divisor}`;
		case 'invalid_union': {
			const words = wordsOf(issue);
			if (words.length) return oneOf(words.map((w) => JSON.stringify(w)));
			return oneOf(issue.errors.flatMap((errors) => errors.slice(0, 1).map((e) => allowedBy(e as Issue))));
		}
		case 'invalid_key':
			return issue.issues[0] ? allowedBy(issue.issues[0]) : 'a valid key';
		default:
			return issue.message.replace(/^expected /, '');
	}
}

function bound(origin: string, relation: string, limit: number | bigint): string {
	if (origin === 'array' || origin === 'set')
		return `a list of ${relation} ${limit} ${limit === 1 ? 'entry' : 'entries'}`;
	if (origin === 'string') return `a text of ${relation} ${limit} characters`;
	return `a number ${relation} ${limit}`;
}

function oneOf(words: readonly string[]): string {
	const distinct = [...new Set(words)];
	return distinct.length === 1 ? distinct[0]! : `one of ${distinct.join(', ')}`;
}

function valueAt(root: unknown, path: Path): unknown {
	let value = root;
	for (const part of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
	return value;
}

/** The JSON Schema in force at a path, where a union is followed along the branch whose fixed words the value has. */
function schemaAt(schema: JsonSchema, path: Path, root: unknown): JsonSchema | undefined {
	let here: JsonSchema | undefined = schema;
	let value = root;
	for (const part of [...path, undefined]) {
		if (here) here = branchFor(here, value);
		if (part === undefined || !here) break;
		const next: unknown =
			typeof part === 'number' ? here.items : (here.properties?.[String(part)] ?? here.additionalProperties);
		here = typeof next === 'object' ? (next as JsonSchema) : undefined;
		value = (value as Record<PropertyKey, unknown> | undefined)?.[part];
	}
	return here;
}

function branchFor(schema: JsonSchema, value: unknown): JsonSchema | undefined {
	const leaves = leavesOf(schema).filter((leaf) => leaf === schema || leaf.properties);
	return leaves.sort((a, b) => agreement(b, value) - agreement(a, value))[0];
}

function leavesOf(schema: JsonSchema): JsonSchema[] {
	const branches = (schema.oneOf ?? schema.anyOf) as JsonSchema[] | undefined;
	return branches ? branches.flatMap(leavesOf) : [schema];
}

/** How many fixed words of the schema the value has, less those it contradicts. */
function agreement(schema: JsonSchema, value: unknown): number {
	if (typeof value !== 'object' || value === null) return 0;
	let score = 0;
	for (const [key, property] of Object.entries(schema.properties ?? {})) {
		if (typeof property !== 'object' || property.const === undefined) continue;
		const given = (value as Record<string, unknown>)[key];
		if (given !== undefined) score += given === property.const ? 1 : -1;
	}
	return score;
}

/** Walks down as far as the file goes; a value that is not in the file is placed at the key of its parent. */
function offsetOf(document: Document, path: Path, part: 'key' | 'value'): number {
	let node: unknown = document.contents;
	let parent = startOf(node) ?? 0;
	let offset = parent;
	for (const [index, step] of path.entries()) {
		if (isAlias(node)) node = node.resolve(document);
		if (isMap(node)) {
			const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
			if (!pair) return parent;
			parent = startOf(pair.key) ?? parent;
			node = pair.value;
			offset = index === path.length - 1 && part === 'key' ? parent : (startOf(node) ?? parent);
		} else if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
			node = node.items[step];
			parent = offset = startOf(node) ?? parent;
		} else {
			return parent;
		}
	}
	return offset;
}

function startOf(node: unknown): number | undefined {
	return isNode(node) ? node.range?.[0] : undefined;
}

function firstLine(text: string): string {
	return text.split('\n', 1)[0]!;
}
