// Values on a command line: a problem or a solver in short (`inpainting:mask=random,ratio=0.25`) or as a YAML mapping. A
// value is YAML, too, so that lists and groups can stand in brackets: `noise={kind: poisson, photons: 30}`.
import { InvalidArgumentError } from 'commander';
import { parse } from 'yaml';
import { RtilError } from '../errors/index.ts';

/** `kind`, `kind:key=value,key=value`, or `{kind: …}`; throws INVALID_INPUT. */
export function parseSpec(text: string, option: string): Record<string, unknown> {
	const refuse = (cause?: unknown): RtilError =>
		new RtilError(
			'INVALID_INPUT',
			`Expected KIND, KIND:key=value,… or {kind: …} for ${option} but received "${text}"`,
			'',
			{ cause },
		);
	if (text.trimStart().startsWith('{')) {
		let value: unknown;
		try {
			value = parse(text);
		} catch (error) {
			throw refuse(error);
		}
		if (typeof value !== 'object' || value === null) throw refuse();
		return value as Record<string, unknown>;
	}
	const [, kind, fields = ''] = /^([a-z][a-z0-9-]*)(?::(.*))?$/s.exec(text) ?? [];
	if (!kind) throw refuse();
	const spec: Record<string, unknown> = { kind };
	for (const field of splitFields(fields)) {
		const at = field.indexOf('=');
		if (at < 1) throw refuse();
		const value = field.slice(at + 1);
		try {
			spec[field.slice(0, at).trim()] = parse(value);
		} catch (error) {
			throw refuse(error);
		}
	}
	return spec;
}

/** Parts between commas; those inside brackets, braces or quotes divide nothing. */
function splitFields(text: string): string[] {
	const fields = [''];
	let depth = 0;
	let quote = '';
	for (const letter of text) {
		if (quote) quote = letter === quote ? '' : quote;
		else if (letter === '"' || letter === "'") quote = letter;
		else if ('[{'.includes(letter)) depth++;
		else if (']}'.includes(letter)) depth--;
		if (letter === ',' && depth === 0 && !quote) fields.push('');
		else fields[fields.length - 1] += letter;
	}
	return fields.filter((field) => field.trim() !== '');
}

/** Collects an option that may be given several times. */
export function several(text: string, before: string[] = []): string[] {
	return [...before, text];
}

/** Parser of an option's number within bounds. */
export function realNumber(least: number, most: number): (text: string) => number {
	return (text) => {
		const value = Number(text);
		if (text.trim() === '' || !(value >= least && value <= most)) {
			throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
		}
		return value;
	};
}
