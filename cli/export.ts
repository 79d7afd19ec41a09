// rtil export CHECKPOINT --to pytorch: a checkpoint → a file for the code base that has such networks.
import path from 'node:path';
import { type Command, Option } from 'commander';
import { declare, jsonOption, print, printJson } from './frame.ts';

interface ExportCommandOptions {
	to: 'pytorch';
	out?: string;
	json?: boolean;
}

export function exportCommand(): Command {
	return declare(
		'export',
		'Writes a checkpoint as a .pt file: StyleGAN2 and Glow for the code of rosinality, PGGAN for that of its dialect.',
		['rtil export runs/demo/arms/rtil --to pytorch', 'rtil export ffhq --to pytorch --out ffhq.pt'],
	)
		.argument('<checkpoint>', 'folder of a checkpoint, of an arm, or of its checkpoints')
		.addOption(new Option('--to <format>', 'for what').choices(['pytorch']).default('pytorch'))
		.option('--out <file>', 'file to write (default: the arm and the step, here)')
		.addOption(jsonOption())
		.action(async (folder: string, { out, json }: ExportCommandOptions) => {
			const { exportTorch } = await import('../checkpoints/index.ts');
			const { findCheckpoint } = await import('./checkpoint.ts');
			const { dir, manifest } = await findCheckpoint(folder);
			const file = out ?? `${manifest.arm}-${manifest.step}.pt`;
			const written = await exportTorch(dir, file);
			if (json) return printJson({ file: path.resolve(file), ...written });
			print(
				[
					`For ${written.layout}: ${written.keys.slice(0, 6).join(', ')}${written.keys.length > 6 ? ', …' : ''}`,
					...written.notes.map((note) => `Note: ${note}.`),
					`${path.resolve(file)} (${(written.size / 2 ** 20).toFixed(1)} MiB)`,
				].join('\n'),
			);
		});
}
