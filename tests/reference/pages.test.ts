import { readFile } from 'node:fs/promises';
import test from 'ava';
import { parseSpec } from '../../cli/spec.ts';
import { operators, parseProblem } from '../../inverter/index.ts';
import { pages } from '../../reference/index.ts';
import { root } from '../cli/rtil.ts';

for (const [name, page] of Object.entries(pages)) {
	test(`docs/${name} is what \`npm run docs\` writes`, async (t) => {
		t.true((await readFile(`${root}docs/${name}`, 'utf8')) === page(), 'run: npm run docs');
	});
}

test('the page of problems has every kind with its options, and examples that a command line takes', (t) => {
	const page = pages['problems.md']!();
	for (const { kind, examples } of operators) {
		const [, section = ''] = page.split(`\n## ${kind}\n`);
		const shown = [...section.split('\n## ')[0]!.matchAll(/^--problem '(.*)'$/gm)].map(([, text]) => text!);
		t.deepEqual(
			shown.map((text) => parseProblem(parseSpec(text, '--problem'))),
			examples.map((example) => parseProblem(example)),
		);
	}
	for (const option of ['`ratio`', '`factor`', '`sigma`', '`angle`', '`decibels`', '`photons`', '`bits`']) {
		t.true(page.includes(`| ${option} |`), option);
	}
	t.true(page.includes('number, 0 < x ≤ 1'));
});
