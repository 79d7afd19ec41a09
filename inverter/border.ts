// Untrusted JSON → typed values, with one line that names the field.
import type { z } from 'zod';
import { expected, RtilError } from '../errors/index.ts';

/** Validates `json`; throws INVALID_INPUT that names the first offending field under `place`. */
export function parse<T extends z.ZodType>(schema: T, json: unknown, place: string): z.output<T> {
	const result = schema.safeParse(json);
	if (result.success) return result.data;
	const issue = result.error.issues[0]!;
	const path = [place, ...issue.path.map(String)].join('.');
	if (issue.code === 'unrecognized_keys') {
		const allowed = 'Remove it, or see `--help` for the keys that are known.';
		throw new RtilError(
			'INVALID_INPUT',
			`Unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')} in ${path}.`,
			allowed,
		);
	}
	const received = issue.path.reduce<unknown>(
		(value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
		json,
	);
	throw expected(wanted(issue), path, received);
}

function wanted(issue: z.core.$ZodIssue): string {
	switch (issue.code) {
		case 'invalid_value':
			return `one of ${issue.values.map(String).join(', ')}`;
		case 'invalid_type':
			return `${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
		case 'too_small':
			return `a value ${issue.inclusive ? 'of at least' : 'above'} ${issue.minimum}`;
		case 'too_big':
			return `a value ${issue.inclusive ? 'of at most' : 'below'} ${issue.maximum}`;
		case 'invalid_union':
			return issue.discriminator ? `a known ${issue.discriminator}` : 'another value';
		default:
			return issue.message.replace(/^Invalid input: expected /, '').replace(/^expected /, '');
	}
}
