// docs/solver-options.md: every solver with its presets, from the registry.
import { optionsSchema, solvers } from '../inverter/index.ts';
import { type JsonSchema, rangeOf, show, table } from './options.ts';

const HEAD = `# Options of the solvers

<!-- Made by \`npm run docs\` from the registry of solvers (inverter/solvers). -->

A solver is named by its \`kind\`; a \`preset\` gives all its options, and options beside it override single ones. In an experiment file it is an entry of \`evaluation.solvers\`; on a command line, \`--solver KIND:preset=NAME,key=value,…\`. The first preset is the default. What each option means, with units and sources, stands beside it in the solver's file. Measured results are in [solvers.md](solvers.md).
`;

const serves = { gan: 'a GAN', glow: 'a Glow', nothing: 'no prior' };

/** The page, as Markdown. */
export function solversPage(): string {
	const overview = table(
		['kind', 'what it does', 'needs'],
		solvers.map(({ kind, summary, needs = 'gan' }) => [`[\`${kind}\`](#${kind})`, summary, serves[needs]]),
	);
	return `${[HEAD.trim(), overview, ...solvers.map(section)].join('\n\n')}\n`;
}

function section(solver: (typeof solvers)[number]): string {
	const { kind, summary, presets } = solver;
	const { properties = {} } = optionsSchema(solver) as JsonSchema;
	const names = Object.keys(presets);
	const rows = Object.entries(properties).map(([name, option]) => [
		`\`${name}\``,
		rangeOf(option),
		...names.map((preset) => {
			const value = presets[preset]?.[name];
			return value === undefined ? '–' : `\`${show(value)}\``;
		}),
	]);
	const options = rows.length > 0 ? [table(['option', 'values', ...names], rows)] : ['No options.'];
	return [`## ${kind}`, `${summary}.`, ...options].join('\n\n');
}
