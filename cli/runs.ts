// rtil runs: every run of the cluster, or of a folder.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import type { RunState } from '../coordinator/index.ts';
import { declare, jsonOption, natsOption, outOption, print, printJson } from './frame.ts';
import { clockTime, renderTable } from './table.ts';
import { connect, findCluster } from './where.ts';

export function runsCommand(): Command {
	return declare(
		'runs',
		'Lists runs: of the cluster, and of the folder of runs. With a name, the jobs of that run.',
		['rtil runs', 'rtil runs demo', 'rtil runs --nats nats://gpu-box:4222 --json'],
	)
		.argument('[run]', 'show the jobs of this run')
		.addOption(natsOption())
		.addOption(outOption())
		.addOption(jsonOption())
		.action(async (run: string | undefined, options: { nats?: string; out: string; json?: boolean }) => {
			const states = await statesOf(options);
			if (run === undefined) return options.json ? printJson(states) : print(runsTable(states));
			const state = states.find((candidate) => candidate.run === run);
			if (!state) {
				const { RtilError } = await import('../errors/index.ts');
				throw new RtilError(
					'NOT_FOUND',
					`Expected the name of a run but received "${run}"`,
					'List them with: rtil runs',
				);
			}
			if (options.json) return printJson(state);
			print(`${runsTable([state])}\n\n${jobsTable(state)}`);
		});
}

/** States of the folder's runs, and over them those of the cluster, which are newer. */
async function statesOf({ nats, out }: { nats?: string; out: string }): Promise<RunState[]> {
	const { listRuns, readState } = await import('../coordinator/index.ts');
	const states = new Map<string, RunState>();
	if (!nats) {
		for (const folder of await readdir(out).catch(() => [])) {
			const state = await readState(path.join(out, folder));
			if (state) states.set(folder, state);
		}
	}
	const where = { out, ...(nats ? { nats } : {}) };
	if (await findCluster(where)) {
		const bus = await connect(where);
		try {
			for (const state of await listRuns(bus)) states.set(state.run, state);
		} finally {
			await bus.close();
		}
	}
	return [...states.values()].sort((a, b) => a.submittedAt.localeCompare(b.submittedAt));
}

function runsTable(states: readonly RunState[]): string {
	if (states.length === 0) return 'No runs yet. Start one with: rtil demo';
	return renderTable<RunState>(
		[
			{ title: 'run', cell: ({ run }) => run },
			{ title: 'status', cell: ({ status }) => status },
			{
				title: 'jobs',
				cell: ({ jobs }) => `${jobs.filter(({ state }) => state === 'done').length}/${jobs.length}`,
				align: 'right',
			},
			{ title: 'submitted', cell: ({ submittedAt }) => submittedAt.slice(0, 16).replace('T', ' ') },
			{ title: 'took', cell: took, align: 'right' },
			{ title: 'reason', cell: ({ reason }) => reason },
		],
		states,
	);
}

function jobsTable({ jobs }: RunState): string {
	return renderTable(
		[
			{ title: 'job', cell: ({ title }) => title },
			{ title: 'state', cell: ({ state }) => state },
			{ title: 'attempts', cell: ({ attempts }) => String(attempts), align: 'right' },
			{ title: 'node', cell: ({ node }) => node },
			{ title: 'reason', cell: ({ reason }) => reason },
		],
		jobs,
	);
}

function took({ submittedAt, endedAt }: RunState): string {
	return endedAt ? clockTime((Date.parse(endedAt) - Date.parse(submittedAt)) / 1000) : '';
}
