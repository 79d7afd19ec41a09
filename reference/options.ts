// Options of a JSON Schema as Markdown: a table of name, range, default and meaning.

/** What of JSON Schema our option schemas use. */
export interface JsonSchema {
	type?: string;
	const?: unknown;
	enum?: unknown[];
	default?: unknown;
	description?: string;
	minimum?: number;
	maximum?: number;
	exclusiveMinimum?: number;
	exclusiveMaximum?: number;
	properties?: Record<string, JsonSchema>;
	required?: string[];
	items?: JsonSchema;
	oneOf?: JsonSchema[];
	anyOf?: JsonSchema[];
}

/** The branches of a union, or the schema itself. */
export function branches(schema: JsonSchema): JsonSchema[] {
	const parts = schema.oneOf ?? schema.anyOf;
	return parts ? parts.flatMap(branches) : [schema];
}

/** A table of the properties but those left out; empty when none is left. */
export function optionsTable({ properties = {}, required = [] }: JsonSchema, leaveOut: string[]): string {
	const rows = Object.entries(properties)
		.filter(([name]) => !leaveOut.includes(name))
		.map(([name, option]) => [
			`\`${name}\``,
			rangeOf(option),
			option.default !== undefined
				? `\`${show(option.default)}\``
				: required.includes(name)
					? 'required'
					: '–',
			option.description ?? '',
		]);
	return rows.length > 0 ? table(['option', 'values', 'default', 'meaning'], rows) : '';
}

/** A Markdown table. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
	const line = (cells: readonly string[]): string =>
		`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
	return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Which values an option takes: `0 < x ≤ 1`, `whole, 2 … 32`, `box, area, bicubic`. */
export function rangeOf(schema: JsonSchema): string {
	if (schema.const !== undefined) return `\`${show(schema.const)}\``;
	if (schema.enum) return schema.enum.map((value) => `\`${show(value)}\``).join(', ');
	if (schema.oneOf ?? schema.anyOf) return [...new Set(branches(schema).map(rangeOf))].join(', ');
	switch (schema.type) {
		case 'boolean':
			return '`true`, `false`';
		case 'string':
			return 'text';
		case 'array':
			return `list: ${schema.items ? rangeOf(schema.items) : 'values'}`;
		case 'integer':
		case 'number':
			return interval(schema);
		default:
			return schema.properties?.kind ? rangeOf(schema.properties.kind) : 'group';
	}
}

function interval({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
	// The bounds of the type itself bound nothing.
	const isBound = (value: number | undefined): value is number =>
		value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
	const low = isBound(exclusiveMinimum) ? `${exclusiveMinimum} < ` : isBound(minimum) ? `${minimum} ≤ ` : '';
	const high = isBound(exclusiveMaximum) ? ` < ${exclusiveMaximum}` : isBound(maximum) ? ` ≤ ${maximum}` : '';
	const kind = type === 'integer' ? 'whole number' : 'number';
	return low || high ? `${kind}, ${low}x${high}` : kind;
}

/** A value as YAML on one line, as a command line takes it, too. */
export function show(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
	if (typeof value === 'object' && value !== null) {
		const fields = Object.entries(value).map(([name, field]) => `${name}: ${show(field)}`);
		return `{${fields.join(', ')}}`;
	}
	return typeof value === 'string' && !/^[A-Za-z][\w./-]*$/.test(value)
		? JSON.stringify(value)
		: String(value);
}

/** `kind:key=value,…`: a description as `--problem` and `--solver` take it. */
export function inShort({ kind, ...fields }: { kind: string; [field: string]: unknown }): string {
	const parts = Object.entries(fields).map(([name, value]) => `${name}=${show(value)}`);
	return parts.length > 0 ? `${kind}:${parts.join(',')}` : kind;
}
