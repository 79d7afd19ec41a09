// docs/problems.md: every kind of problem with its options, from the registry.
import { z } from 'zod';
import { operators, type ProblemKind, problemFileSchema } from '../inverter/index.ts';
import { branches, inShort, type JsonSchema, optionsTable, rangeOf, show, table } from './options.ts';

const HEAD = `# Problems

<!-- Made by \`npm run docs\` from the registry of problems (inverter/problems). -->

A problem says how an image is measured: y = A x + noise, with images in [−1, 1]. It is named by its \`kind\`. In an experiment file it is an entry of \`evaluation.problems\`; on a command line, \`--problem KIND:key=value,…\`, where a value in brackets or braces may hold commas. Unknown keys and values out of range are refused. The description, the seed and the name of an image recreate operator and noise exactly, and a measurement file carries all of them: \`rtil invert --measurement FILE\` needs nothing else. Tables and reports name a problem by kind, variant and noise, such as \`inpainting-eyes-sigma-0.1\`, and by a level: the observed fraction, the factor, the size or length of a kernel, the strength of the noise; an experiment may have one of each name and level.
`;

/** The page, as Markdown. */
export function problemsPage(): string {
	const overview = table(
		['kind', 'what is measured'],
		operators.map(({ kind, summary }) => [`[\`${kind}\`](#${kind})`, summary]),
	);
	return `${[HEAD.trim(), overview, ...operators.map(section), noiseSection()].join('\n\n')}\n`;
}

const jsonSchema = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;

const kindOf = ({ properties }: JsonSchema): unknown => properties?.kind?.const;

function section({ kind, summary, schema, examples }: ProblemKind): string {
	const files = branches(jsonSchema(problemFileSchema)).filter((branch) => kindOf(branch) === kind);
	const forms = [...branches(jsonSchema(schema)), ...files];
	const parts = forms.flatMap((form) => {
		const chosen = discriminator(form);
		const heading = chosen
			? `\`${chosen.name}: ${show(chosen.schema.const)}\`: ${chosen.schema.description}`
			: '';
		return [heading, optionsTable(form, ['kind', 'noise', ...(chosen ? [chosen.name] : [])])];
	});
	const lines = (examples as { kind: string }[]).map((example) => ({
		yaml: `- ${show(example)}`,
		words: `--problem '${inShort(example)}'`,
	}));
	return [
		`## ${kind}`,
		`${sentence(summary)}`,
		...parts,
		`Noise: ${noiseOf(forms[0]!)}`,
		fence(
			'yaml',
			lines.map(({ yaml }) => yaml),
		),
		fence(
			'sh',
			lines.map(({ words }) => words),
		),
	]
		.filter(Boolean)
		.join('\n\n');
}

/** The option whose one value tells a form from the others of its kind. */
function discriminator({ properties = {} }: JsonSchema): { name: string; schema: JsonSchema } | undefined {
	const found = Object.entries(properties).find(
		([name, { const: value }]) => name !== 'kind' && value !== undefined,
	);
	return found && { name: found[0], schema: found[1] };
}

function noiseOf({ properties = {}, required = [] }: JsonSchema): string {
	const { noise } = properties;
	if (!noise) return 'none.';
	return `${rangeOf(noise)} ([below](#noise)); ${required.includes('noise') ? 'required' : 'absent: none'}.`;
}

function noiseSection(): string {
	const schema = operators.find(({ kind }) => kind === 'identity')!.schema;
	const kinds = branches(jsonSchema(schema).properties!.noise!);
	const rows = kinds.flatMap((form) =>
		Object.entries(form.properties ?? {})
			.filter(([name]) => name !== 'kind')
			.map(([name, option]) => [rangeOf(form), `\`${name}\``, rangeOf(option), option.description ?? '']),
	);
	return [
		'## Noise',
		'Added where something is measured, in units of the measurement of an image in [−1, 1], drawn from the seed and the name of the image. The discrepancy principle, BM3D and TV are told its root mean square deviation for each image: as stated, resolved from the clean measurement (`snr`), or expected from the measured values (`poisson`).',
		table(['noise', 'option', 'values', 'meaning'], rows),
	].join('\n\n');
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`;

const fence = (language: string, lines: readonly string[]): string =>
	[`\`\`\`${language}`, ...lines, '```'].join('\n');
