// rtil demo: the whole pipeline on this machine, from drawn faces or your photographs to a report.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { printExperiment, showExperiment } from './experiment.ts';
import { packageFile } from './folders.ts';
import { declare, engineOption, jsonOption, outOption } from './frame.ts';

interface DemoOptions {
	data?: string;
	testData?: string;
	budget?: string;
	engine?: string;
	out: string;
	name?: string;
	fresh?: boolean;
	dryRun?: boolean;
	json?: boolean;
}

export function demoCommand(): Command {
	return declare(
		'demo',
		'Trains a vanilla and an RTIL prior side by side, inverts measurements with both, and writes a report.\nStopped in between, the same command goes on where it stopped.',
		[
			'rtil demo',
			'rtil demo --data photos/train --test-data photos/test',
			'rtil demo --budget 2h --name long',
		],
	)
		.option('--data <dir>', 'train on the photographs of a folder or archive (default: drawn faces)')
		.option('--test-data <dir>', 'reconstruct these photographs (default: a tenth of --data)')
		.option('--budget <time>', 'time for training both arms, such as 15m or 2h')
		.addOption(engineOption())
		.addOption(outOption())
		.option('--name <run>', 'name of the run (default: demo)')
		.option('--fresh', 'start over under a new name')
		.option('--dry-run', 'print the experiment with every default and stop')
		.addOption(jsonOption())
		.action(async ({ data, testData, budget, dryRun, ...rest }: DemoOptions) => {
			const { loadExperiment } = await import('../coordinator/index.ts');
			const file = fileURLToPath(packageFile('examples/demo.yaml'));
			const overrides = {
				...(data ? { data } : {}),
				...(testData ? { testData } : {}),
				...(budget ? { budget } : {}),
			};
			const experiment = await loadExperiment(file, overrides);
			if (dryRun) return printExperiment(experiment, rest.json ?? false);
			const given = Object.entries({ data, 'test-data': testData, budget }).flatMap(([k, v]) =>
				v ? [`--${k} ${v}`] : [],
			);
			const command = ['rtil demo', ...given].join(' ');
			await showExperiment({ experiment, text: await readFile(file, 'utf8'), command, ...rest });
		});
}
