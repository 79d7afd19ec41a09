import test from 'ava';
import type { Command } from 'commander';
import { makeProgram } from '../../cli/program.ts';

const commands = (command: Command, path: string[] = []): [string[], Command][] =>
	command.commands.flatMap((child) => {
		const own = [...path, child.name()];
		return child.name() === 'help' ? [] : [[own, child] as [string[], Command], ...commands(child, own)];
	});

test('the program lists every command of the issue', (t) => {
	const names = makeProgram()
		.commands.map((command) => command.name())
		.sort();
	t.deepEqual(
		names,
		'cancel checkpoints compare coordinator data demo doctor export import inverter invert run runs sample schema train trainer up watch weights'
			.split(' ')
			.sort(),
	);
});

for (const [path, command] of commands(makeProgram())) {
	test(`rtil ${path.join(' ')} --help says what it does, each option, and an example`, (t) => {
		let text = '';
		command.configureOutput({ writeOut: (part) => (text += part) });
		command.outputHelp();
		t.true(command.description().length > 20);
		for (const option of command.options) t.true(option.description.length > 3, option.flags);
		if (command.commands.length === 0) t.regex(text, new RegExp(`\\$ rtil ${path.join(' ')}`));
	});
}
