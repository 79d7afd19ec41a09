// rtil weights: the weights of perceptual distances, of Inception, of a face network and NIQE's statistics that this user
// has; rtil weights add: takes in more.
import { type Command, Option } from 'commander';
import type { AddWeightsOptions, WeightsManifest } from '../checkpoints/index.ts';
import { declare, jsonOption, print, printJson } from './frame.ts';
import { renderTable } from './table.ts';

export function weightsCommand(): Command {
	return declare(
		'weights',
		"Lists the weights of perceptual distances (LPIPS), of Inception (FID, KID), of a face network (identity) and NIQE's\nstatistics that are known to this user; add takes in more.",
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
					: "No weights yet. Add torchvision's AlexNet, VGG16 or SqueezeNet 1.1 and LPIPS heads, FID's Inception, a face network, or NIQE's statistics, with: rtil weights add FILE",
			);
		});
}

type FaceInput = NonNullable<AddWeightsOptions['face']>;

interface AddCommandOptions {
	lpips?: '0.0' | '0.1';
	faceRange?: FaceInput['range'];
	faceChannels?: FaceInput['channels'];
	faceCrop?: number;
	json?: boolean;
}

function addCommand(): Command {
	return declare(
		'add',
		"Takes in .pth and .safetensors files: torchvision's AlexNet, VGG16 or SqueezeNet 1.1, LPIPS heads, FID's Inception\n(pt_inception-2015-12-05) and face networks of insightface (iresnet); .onnx files of other face networks; and NIQE's\nniqe_pris_params.npz of BasicSR. Nothing in them is run.",
		[
			'rtil weights add alexnet-owt-7be5be79.pth',
			'rtil weights add heads/alex.pth --lpips 0.0',
			'rtil weights add w600k_r50.onnx --face-crop 0.75',
		],
	)
		.argument('<file...>', 'files of weights')
		.addOption(
			new Option('--lpips <version>', 'version of heads that are not the published files').choices([
				'0.1',
				'0.0',
			]),
		)
		.addOption(
			new Option(
				'--face-range <range>',
				'what a face network takes: [-1, 1], (v - 127.5) / 128, [0, 1] or 0 to 255 (default: bytes where an ONNX file normalises inside, else signed)',
			).choices(['signed', 'signed-128', 'unit', 'bytes']),
		)
		.addOption(new Option('--face-channels <order>', 'their order (default: rgb)').choices(['rgb', 'bgr']))
		.addOption(
			new Option('--face-crop <share>', 'side of the central part that it sees (default: 1)').argParser(
				Number,
			),
		)
		.addOption(jsonOption())
		.action(async (files: string[], _: AddCommandOptions, command: Command) => {
			const { addWeights } = await import('../checkpoints/index.ts');
			// --json is also an option of the command above, which takes it first.
			const { lpips, json, ...own } = command.optsWithGlobals<AddCommandOptions>();
			const face = {
				...(own.faceRange ? { range: own.faceRange } : {}),
				...(own.faceChannels ? { channels: own.faceChannels } : {}),
				...(own.faceCrop === undefined ? {} : { crop: own.faceCrop }),
			};
			const added: WeightsManifest[] = [];
			for (const file of files)
				added.push(await addWeights(file, { face, ...(lpips ? { version: lpips } : {}) }));
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
