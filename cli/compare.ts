// rtil compare CHECKPOINT…: priors on the same measurements of the same images.
import { writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { ComparisonOptions } from './comparison.ts';
import { declare, engineOption, interruptible, jsonOption, print, printJson, wholeNumber } from './frame.ts';
import { outcomeTable } from './outcome.ts';
import { showProgress } from './progress.ts';
import { realNumber, several } from './spec.ts';

interface Output {
	markdown?: string;
	json?: boolean;
}

export function compareCommand(): Command {
	return declare(
		'compare',
		'Inverts the same measurements with several checkpoints; the first is the reference.',
		[
			'rtil compare runs/demo/arms/vanilla runs/demo/arms/rtil',
			'rtil compare runs/a/arms/rtil runs/b/arms/rtil --test-data photos/ --problem compressed-sensing:ratio=0.1 --solver ilo',
			'rtil compare runs/demo/arms/vanilla runs/demo/arms/rtil --images 16 --problem all --solver all --rows rows.jsonl --markdown table.md',
		],
	)
		.argument('<checkpoint...>', 'folders of checkpoints or of arms')
		.option('--test-data <dir>', 'photographs to reconstruct (default: drawn faces)')
		.addOption(
			new Option(
				'--holdout <share>',
				'of that folder, only what a split with this holdout keeps from training (experiment: data.split)',
			).argParser(realNumber(0, 1)),
		)
		.addOption(new Option('--images <n>', 'how many').default(8).argParser(wholeNumber(1, 100_000)))
		.addOption(
			new Option(
				'--problem <spec>',
				'KIND:key=value,…; may be repeated; all: one of each kind (default: inpainting:mask=random,ratio=0.25)',
			).argParser(several),
		)
		.addOption(
			new Option(
				'--solver <spec>',
				'KIND:key=value,…; may be repeated; all: every one that serves (default: csgm and ilo)',
			).argParser(several),
		)
		.addOption(new Option('--seed <n>', 'of the measurements').default(0).argParser(wholeNumber(0)))
		.option('--rows <file>', 'keep results there (JSON lines): what the file has is not done again')
		.option('--markdown <file>', 'write the tables as Markdown')
		.addOption(engineOption())
		.option('--threads <n>', 'threads of the engine (default: all cores)', wholeNumber(1, 1024))
		.addOption(jsonOption())
		.action(async (folders: string[], options: ComparisonOptions & Output) => {
			const { compare } = await import('./comparison.ts');
			const { comparisonMarkdown } = await import('../report/index.ts');
			const progress = showProgress();
			await interruptible(async ({ signal }) => {
				try {
					const { reference, rows, summary } = await compare(folders, options, progress, signal);
					progress.stop();
					if (options.markdown) await writeFile(options.markdown, comparisonMarkdown(summary, { reference }));
					if (options.json) printJson({ rows, summary });
					else print(outcomeTable(summary));
				} finally {
					progress.stop();
				}
			});
		});
}
