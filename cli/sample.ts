// rtil sample CHECKPOINT: a grid of images that a prior makes.
import path from 'node:path';
import { type Command, Option } from 'commander';
import { declare, engineOption, print, wholeNumber } from './frame.ts';
import { realNumber } from './spec.ts';

interface SampleCommandOptions {
	to: string;
	count: number;
	seed: number;
	truncation: number;
	engine?: 'auto' | 'gpu' | 'native' | 'wasm';
}

export function sampleCommand(): Command {
	return declare('sample', 'Draws images from a checkpoint, as one grid.', [
		'rtil sample runs/demo/arms/rtil',
		'rtil sample runs/demo/arms/rtil --count 16 --truncation 0.7 --to faces.png',
	])
		.argument('<checkpoint>', 'folder of a checkpoint, of an arm, or of its checkpoints')
		.option('--to <file>', 'picture to write', 'samples.png')
		.addOption(new Option('--count <n>', 'how many').default(64).argParser(wholeNumber(1, 64)))
		.addOption(new Option('--seed <n>', 'which ones').default(0).argParser(wholeNumber(0)))
		.addOption(
			new Option(
				'--truncation <psi>',
				'draw latents towards their mean (of a Glow: the temperature); 1: not at all',
			)
				.default(1)
				.argParser(realNumber(0, 2)),
		)
		.addOption(engineOption())
		.action(async (folder: string, { to, engine, ...options }: SampleCommandOptions) => {
			const { writeWhole } = await import('../coordinator/index.ts');
			const { openEngine } = await import('../engine/index.ts');
			const { InversionSession, sample } = await import('../inverter/index.ts');
			const { findCheckpoint } = await import('./checkpoint.ts');
			const { dir } = await findCheckpoint(folder);
			const session = new InversionSession(await openEngine(engine ? { engine } : {}));
			const { png } = await sample(session, { checkpoint: { dir }, ...options });
			await writeWhole(to, png);
			print(path.resolve(to));
		});
}
