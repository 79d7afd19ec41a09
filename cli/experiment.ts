// What `rtil demo` and `rtil run` share: an experiment on the screen, from its file to the table and the report.
import type { Experiment } from '../coordinator/index.ts';
import { datasetCache } from './folders.ts';
import { printOutcome, showSession } from './follow.ts';
import { interruptible, print, printJson } from './frame.ts';

export interface ExperimentCommand {
	experiment: Experiment;
	text: string;
	out: string;
	/** The command line that repeats it. */
	command: string;
	name?: string;
	fresh?: boolean;
	nats?: string;
	engine?: string;
	json?: boolean;
}

/** Runs an experiment and shows it. */
export async function showExperiment(options: ExperimentCommand): Promise<void> {
	const { readResults, runSession } = await import('../coordinator/index.ts');
	const { json, ...rest } = options;
	const began = performance.now();
	const screen = showSession();
	await interruptible(async ({ signal, onForce }) => {
		try {
			const on = {
				...screen.on,
				cluster: (cluster: Parameters<NonNullable<typeof screen.on.cluster>>[0]) => {
					onForce(() => cluster.kill());
					screen.on.cluster?.(cluster);
				},
			};
			const outcome = await runSession({ ...rest, cache: datasetCache(), signal, on });
			screen.stop();
			const results = await readResults(outcome.dir);
			if (json)
				printJson({
					run: outcome.run,
					dir: outcome.dir,
					report: outcome.report,
					summary: results?.summary ?? [],
				});
			else printOutcome(results, outcome.report, (performance.now() - began) / 1000);
		} finally {
			screen.stop();
		}
	});
}

/** The resolved experiment as YAML, for `--dry-run`. */
export async function printExperiment(experiment: Experiment, json: boolean): Promise<void> {
	if (json) return printJson(experiment);
	const { stringify } = await import('yaml');
	print(stringify(experiment, { aliasDuplicateObjects: false }).trimEnd());
}
