// The program: its commands, in the order a newcomer needs them.
import { Command } from 'commander';
import { cancelCommand } from './cancel.ts';
import { checkpointsCommand } from './checkpoints.ts';
import { compareCommand } from './compare.ts';
import { dataCommand } from './data.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { exportCommand } from './export.ts';
import { report, withManners } from './frame.ts';
import { importCommand } from './import.ts';
import { invertCommand } from './invert.ts';
import { coordinatorCommand, inverterCommand, trainerCommand } from './roles.ts';
import { runCommand } from './run.ts';
import { runsCommand } from './runs.ts';
import { sampleCommand } from './sample.ts';
import { schemaCommand } from './schema.ts';
import { trainCommand } from './train.ts';
import { upCommand } from './up.ts';
import { watchCommand } from './watch.ts';
import { weightsCommand } from './weights.ts';

/** The `rtil` command with all its commands. */
export function makeProgram(): Command {
	const program = new Command('rtil')
		.description(
			'Trains generative priors with regularised intermediate layers (RTIL), inverts measurements with them, and\ncompares honestly.',
		)
		.option('--debug', 'show where an error comes from')
		.helpCommand('help [command]', 'help for a command');
	const groups: [string, Command[]][] = [
		['Start here:', [demoCommand(), doctorCommand()]],
		['Experiments:', [runCommand(), runsCommand(), watchCommand(), cancelCommand(), schemaCommand()]],
		['Cluster:', [upCommand(), coordinatorCommand(), trainerCommand(), inverterCommand()]],
		[
			'One step at a time:',
			[
				dataCommand(),
				trainCommand(),
				sampleCommand(),
				invertCommand(),
				compareCommand(),
				checkpointsCommand(),
				importCommand(),
				exportCommand(),
				weightsCommand(),
			],
		],
	];
	for (const [heading, commands] of groups) {
		for (const command of commands) program.addCommand(command.helpGroup(heading));
	}
	return withManners(program);
}

/** Runs the command line and returns the exit code: 0, 1 failed, 2 wrong use, 3 this machine, 130 interrupted. */
export async function main(argv: readonly string[]): Promise<number> {
	const debug = argv.includes('--debug');
	// --debug may stand anywhere.
	const words = argv.filter((word) => word !== '--debug');
	try {
		const program = makeProgram();
		if (words.length <= 2) program.help();
		await program.parseAsync(words);
		return Number(process.exitCode ?? 0);
	} catch (error) {
		return report(error, debug);
	}
}
