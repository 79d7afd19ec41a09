// rtil cancel RUN: asks a run to stop.
import type { Command } from 'commander';
import { declare, natsOption, outOption, print } from './frame.ts';
import { connect } from './where.ts';

export function cancelCommand(): Command {
	return declare(
		'cancel',
		'Stops a run: its jobs save what is worth saving and end. The same file again goes on from there.',
		['rtil cancel demo'],
	)
		.argument('<run>', 'name of the run')
		.addOption(natsOption())
		.addOption(outOption())
		.action(async (run: string, options: { nats?: string; out: string }) => {
			const { cancelRun } = await import('../coordinator/index.ts');
			const bus = await connect({ ...options, run });
			try {
				await cancelRun(bus, run);
				print(`Run ${run} is being cancelled; see how far it is with: rtil runs ${run}`);
			} finally {
				await bus.close();
			}
		});
}
