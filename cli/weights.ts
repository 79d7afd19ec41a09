// rtil weights: the weights of perceptual distances and of Inception that this user has; rtil weights add: takes in more.
import { type Command, Option } from 'commander';
import type { WeightsManifest } from '../checkpoints/index.ts';
import { declare, jsonOption, print, printJson } from './frame.ts';
import { renderTable } from './table.ts';

export function weightsCommand(): Command {
	return declare(
		'weights',
		'Lists the weights of perceptual distances (LPIPS) and of Inception (FID, KID) that are known to this user; add\ntakes in more.',
		['rtil weights', 'rtil weights add squeezenet1_1.pth squeeze.pth'],
	)
		.addOption(jsonOption())
		.addCommand(addCommand())
		.action(async ({ json }: { json?: boolean }) => {
			const { knownWeights } = await import('../checkpoints/index.ts');
			const known = await knownWeights();
			if (json) return printJson(known);
			print(
				known.length > 0
					? weightsTable(known)
					: "No weights yet. Add torchvision's AlexNet, VGG16 or SqueezeNet 1.1 and LPIPS heads, or FID's Inception, with: rtil weights add FILE",
			);
		});
}

interface AddCommandOptions {
	lpips?: '0.0' | '0.1';
	json?: boolean;
}

function addCommand(): Command {
	return declare(
		'add',
		"Takes in .pth files: torchvision's AlexNet, VGG16 or SqueezeNet 1.1, LPIPS heads, and FID's Inception\n(pt_inception-2015-12-05). Nothing in them is run.",
		['rtil weights add alexnet-owt-7be5be79.pth', 'rtil weights add heads/alex.pth --lpips 0.0'],
	)
		.argument('<file...>', 'files as torch.save writes them')
		.addOption(
			new Option('--lpips <version>', 'version of heads that are not the published files').choices([
				'0.1',
				'0.0',
			]),
		)
		.addOption(jsonOption())
		.action(async (files: string[], _: AddCommandOptions, command: Command) => {
			const { addWeights } = await import('../checkpoints/index.ts');
			// --json is also an option of the command above, which takes it first.
			const { lpips, json } = command.optsWithGlobals<AddCommandOptions>();
			const added: WeightsManifest[] = [];
			for (const file of files) added.push(await addWeights(file, lpips ? { version: lpips } : {}));
			if (json) return printJson(added);
			print(weightsTable(added));
		});
}

function weightsTable(weights: readonly WeightsManifest[]): string {
	return renderTable<WeightsManifest>(
		[
			{ title: 'network', cell: ({ network }) => network },
			{ title: 'part', cell: ({ part }) => part },
			{
				title: 'version',
				cell: ({ version, versionBy }) =>
					version === null ? '–' : `${version}${versionBy === 'assumed' ? ' (assumed)' : ''}`,
			},
			{ title: 'from', cell: ({ source }) => source.name },
			{ title: 'sha256', cell: ({ source }) => source.sha256.slice(0, 12) },
			{ title: 'MiB', cell: ({ file }) => (file.bytes / 2 ** 20).toFixed(2), align: 'right' },
		],
		weights,
	);
}
