// rtil run FILE: submits an experiment and follows it.
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { printExperiment, showExperiment } from './experiment.ts';
import { declare, engineOption, jsonOption, natsOption, outOption } from './frame.ts';

interface RunOptions {
	nats?: string;
	engine?: string;
	out: string;
	name?: string;
	budget?: string;
	fresh?: boolean;
	dryRun?: boolean;
	json?: boolean;
}

export function runCommand(): Command {
	return declare(
		'run',
		'Submits an experiment file and follows it to its report. Without --nats it starts a cluster on this machine.\nThe same file again goes on where it stopped, or joins the run if it is under way.',
		[
			'rtil run examples/demo.yaml',
			'rtil run mine.yaml --dry-run',
			'rtil run mine.yaml --nats nats://gpu-box:4222',
		],
	)
		.argument('<file>', 'experiment file (YAML)')
		.addOption(natsOption())
		.addOption(engineOption())
		.addOption(outOption())
		.option('--name <run>', "name of the run (default: the experiment's)")
		.option('--budget <time>', 'time for training, in place of what the file says, such as 15m or 2h')
		.option('--fresh', 'start over under a new name')
		.option('--dry-run', 'print the experiment with every default and stop')
		.addOption(jsonOption())
		.action(async (file: string, { dryRun, budget, ...rest }: RunOptions) => {
			const { loadExperiment } = await import('../coordinator/index.ts');
			const experiment = await loadExperiment(file, budget ? { budget } : {});
			if (dryRun) return printExperiment(experiment, rest.json ?? false);
			const command = [`rtil run ${file}`, ...(budget ? [`--budget ${budget}`] : [])].join(' ');
			await showExperiment({ experiment, text: await readFile(file, 'utf8'), command, ...rest });
		});
}
