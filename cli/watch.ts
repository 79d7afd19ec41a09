// rtil watch RUN: follows a run of a cluster from here, and keeps its folder here.
import path from 'node:path';
import type { Command } from 'commander';
import { RtilError } from '../errors/index.ts';
import { printOutcome, showSession } from './follow.ts';
import { declare, interruptible, natsOption, outOption, print } from './frame.ts';
import { connect } from './where.ts';

export function watchCommand(): Command {
	return declare(
		'watch',
		'Follows a run to its end and writes its folder and report. Ctrl-C stops watching; the run goes on.',
		['rtil watch demo', 'rtil watch demo --log', 'rtil watch faces --nats nats://gpu-box:4222'],
	)
		.argument('<run>', 'name of the run')
		.addOption(natsOption())
		.addOption(outOption())
		.option('--log', 'print what its jobs have logged so far, and stop')
		.action(async (run: string, options: { nats?: string; out: string; log?: boolean }) => {
			const { readLines, recordRun, runFileNames, runSpec, writeResults } = await import(
				'../coordinator/index.ts'
			);
			const dir = path.join(options.out, run);
			if (options.log) {
				type Line = { time: number; node: string; level: string; text: string };
				const lines = await readLines<Line>(path.join(dir, runFileNames.log));
				for (const { time, node, level, text } of lines)
					print(`${new Date(time).toISOString()} ${level} ${node} ${text}`);
				return;
			}
			const screen = showSession();
			await interruptible(async ({ signal }) => {
				const bus = await connect({ ...options, run }, signal);
				try {
					const spec = await runSpec(bus, run);
					const state = await recordRun(bus, { spec, dir, signal, on: screen.on });
					const results = await writeResults(bus, { spec, state, dir, command: `rtil watch ${run}` });
					screen.stop();
					printOutcome(results, path.join(dir, 'report.html'));
					if (state.status !== 'complete')
						throw new RtilError('JOB_FAILED', `Run ${run} ${state.status}: ${state.reason}`);
				} finally {
					screen.stop();
					await bus.close();
				}
			});
		});
}
