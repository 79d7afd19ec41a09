// rtil import FILE: networks of other code bases → a checkpoint folder.
import path from 'node:path';
import { type Command, Option } from 'commander';
import type { ImportReport } from '../checkpoints/index.ts';
import { declare, jsonOption, print, printJson, wholeNumber } from './frame.ts';
import { renderTable } from './table.ts';

interface ImportCommandOptions {
	out?: string;
	name?: string;
	resolution?: number;
	keys?: boolean;
	json?: boolean;
}

export function importCommand(): Command {
	return declare(
		'import',
		'Makes a checkpoint of a PyTorch file: StyleGAN2 of rosinality (.pt) and of NVIDIA (.pkl), PGGAN, Glow.\nWeights only: nothing in the file is run.',
		[
			'rtil import 550000.pt --name ffhq --out ffhq',
			'rtil import ffhq-res256-mirror-paper256-noaug.pkl',
			'rtil import glow.pt --resolution 64 --keys',
		],
	)
		.argument('<file>', 'as torch.save writes it, or a pickle of stylegan2-ada-pytorch or stylegan3')
		.option('--out <dir>', 'folder of the checkpoint, new or empty (default: the name, here)')
		.option('--name <name>', "name of the arm (default: the file's, without its ending)")
		.addOption(
			new Option('--resolution <n>', 'side of the images, for a Glow, whose file does not tell').argParser(
				wholeNumber(2, 1024),
			),
		)
		.option('--keys', 'print every entry of the file and what it became')
		.addOption(jsonOption())
		.action(async (file: string, { out, name, resolution, keys, json }: ImportCommandOptions) => {
			const { importTorch } = await import('../checkpoints/index.ts');
			const arm = name ?? path.basename(file, path.extname(file));
			const report = await importTorch(file, {
				dir: out ?? arm,
				name: arm,
				...(resolution === undefined ? {} : { resolution }),
				onProgress: (line) => process.stderr.write(`${line}\n`),
			});
			if (json) return printJson(report);
			print(summary(report));
			if (keys) print(`\n${keyTable(report)}`);
		});
}

function summary({ layout, architecture, networks, left, notes, dir }: ImportReport): string {
	const { kind, ...sizes } = architecture.generator;
	const described = Object.entries(sizes).map(([key, value]) => `${key} ${value}`);
	const reasons = [...new Set(left.map(({ why }) => why))];
	return [
		`${layout}: ${kind}, ${described.join(', ')}`,
		'',
		renderTable<ImportReport['networks'][number]>(
			[
				{ title: 'group', cell: ({ group }) => group },
				{ title: 'from', cell: ({ from }) => from || 'the file' },
				{ title: 'tensors', cell: ({ tensors }) => String(tensors.length), align: 'right' },
				{ title: 'numbers', cell: ({ parameters }) => String(parameters), align: 'right' },
			],
			networks,
		),
		...(left.length > 0 ? ['', `Left out, ${left.length}:`] : []),
		...reasons.map(
			(why) => `  ${why}: ${someOf(left.filter((entry) => entry.why === why).map(({ name }) => name))}`,
		),
		...(notes.length > 0 ? ['', ...notes.map((note) => `Note: ${note}.`)] : []),
		'',
		path.resolve(dir),
	].join('\n');
}

/** Some names of many. */
function someOf(names: readonly string[]): string {
	const more = names.length - 3;
	return names.slice(0, 3).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function keyTable({ networks }: ImportReport): string {
	const rows = networks.flatMap(({ group, from, tensors }) =>
		tensors.map((tensor) => ({ ...tensor, from: from ? `${from}.${tensor.from}` : tensor.from, group })),
	);
	return renderTable<(typeof rows)[number]>(
		[
			{ title: 'entry', cell: ({ from }) => from },
			{ title: 'shape', cell: ({ shape }) => `[${shape}]` },
			{ title: 'became', cell: ({ group, to }) => `${group}/${to}` },
			{ title: 'shape', cell: ({ becomes }) => `[${becomes}]` },
		],
		rows,
	);
}
