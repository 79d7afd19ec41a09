// What all commands share: how they are declared, how they stop on Ctrl-C, and how they fail in one line.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ExitCode, RtilError } from '../errors/index.ts';
import { handleInterrupts, type Interrupt } from './interrupt.ts';

/** A command with its examples, shown at the end of its help. */
export function declare(name: string, description: string, examples: readonly string[]): Command {
	return new Command(name)
		.description(description)
		.allowExcessArguments(false)
		.addHelpText(
			'after',
			['', examples.length > 1 ? 'Examples:' : 'Example:', ...examples.map((e) => `  $ ${e}`)].join('\n'),
		);
}

/** Applies the frame's manners to a program and all its commands: errors in one line, thrown and not exiting. */
export function withManners(command: Command): Command {
	command.exitOverride().configureOutput({
		outputError: (text, write) =>
			write(
				`${text
					.replace(/^error: /, 'rtil: ')
					.trim()
					.replace(/\s*\n\s*/g, ' ')}\n`,
			),
	});
	for (const child of command.commands) withManners(child);
	return command;
}

/** Runs an action that Ctrl-C stops; what it throws reaches `report`. */
export async function interruptible<T>(work: (interrupt: Interrupt) => Promise<T>): Promise<T> {
	using interrupt = handleInterrupts((line) => process.stderr.write(`\n${line}\n`));
	return await work(interrupt);
}

/** Says what went wrong, in one line unless `debug`, and returns the exit code. */
export function report(error: unknown, debug: boolean): number {
	if (error instanceof CommanderError) {
		const helped = error.code === 'commander.helpDisplayed' || error.code === 'commander.version';
		return helped ? 0 : ExitCode.usage;
	}
	const known = error instanceof RtilError;
	const { message } = error instanceof Error ? error : new Error(String(error));
	const remedy = known && error.remedy ? `${/[.!?…]$/.test(message) ? '' : '.'} ${error.remedy}` : '';
	const hint = known || debug ? '' : ' (a defect of rtil; --debug shows where)';
	process.stderr.write(`rtil: ${message.split('\n', 1)[0]}${remedy}${hint}\n`);
	if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
	return known ? error.exitCode : ExitCode.failure;
}

/** `--nats URL` of commands that work with a cluster. */
export function natsOption(): Option {
	return new Option('--nats <url>', 'NATS server of the cluster, such as nats://host:4222').env('RTIL_NATS');
}

/** `--out DIR` of commands that read or write runs. */
export function outOption(): Option {
	return new Option('--out <dir>', 'folder of runs').default('runs');
}

/** `--engine NAME` of commands that compute. */
export function engineOption(): Option {
	return new Option('--engine <name>', 'tensor engine (default: the best this machine has)')
		.choices(['auto', 'gpu', 'native', 'wasm'])
		.env('RTIL_ENGINE');
}

export function jsonOption(): Option {
	return new Option('--json', 'print JSON, for scripts');
}

/** Parser of an option's whole number within bounds. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
	return (text) => {
		const value = Number(text);
		if (!/^\d+$/.test(text) || value < least || value > most) {
			throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
		}
		return value;
	};
}

/** Writes a result to stdout. */
export function print(text: string): void {
	process.stdout.write(`${text}\n`);
}

/** Writes a result to stdout as JSON. */
export function printJson(value: unknown): void {
	print(JSON.stringify(value, null, 2));
}
