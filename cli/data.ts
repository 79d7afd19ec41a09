// rtil data faces | prepare: images for training, drawn or from photographs.
import path from 'node:path';
import { Command, Option } from 'commander';
import { expected } from '../errors/index.ts';
import { datasetCache } from './folders.ts';
import { declare, interruptible, jsonOption, print, printJson, wholeNumber } from './frame.ts';
import { showProgress } from './progress.ts';

export function dataCommand(): Command {
	return new Command('data')
		.description('Draws faces, or prepares photographs for training.')
		.addCommand(facesCommand())
		.addCommand(prepareCommand());
}

function facesCommand(): Command {
	return declare('faces', 'Draws faces into a folder, as PNG files.', [
		'rtil data faces faces/ --count 100 --resolution 64',
	])
		.argument('<dir>', 'folder to make')
		.addOption(new Option('--count <n>', 'how many').default(64).argParser(wholeNumber(1, 1_000_000)))
		.addOption(new Option('--resolution <pixels>', 'side').default(64).argParser(wholeNumber(4, 1024)))
		.addOption(new Option('--seed <n>', 'which faces').default(0).argParser(wholeNumber(0)))
		.action(async (dir: string, options: { count: number; resolution: number; seed: number }) => {
			const { generateFaces } = await import('../data/index.ts');
			await showing(async (signal, onProgress) => {
				await generateFaces({ dir, ...options, signal, onProgress });
				print(path.resolve(dir));
			});
		});
}

interface PrepareCommandOptions {
	resolution: number;
	channels: string;
	crop: 'centre' | 'none' | { left: number; top: number; width: number; height: number };
	cache: string;
	strict?: boolean;
	json?: boolean;
}

function prepareCommand(): Command {
	return declare(
		'prepare',
		'Decodes, crops and scales the photographs of a folder or archive once; what cannot be read is named.',
		['rtil data prepare photos/ --resolution 32', 'rtil data prepare photos.zip --resolution 64 --strict'],
	)
		.argument('<path>', 'folder, zip, tar or tar.gz')
		.addOption(new Option('--resolution <pixels>', 'side').default(32).argParser(wholeNumber(4, 1024)))
		.addOption(new Option('--channels <n>', 'colour or grey').choices(['3', '1']).default('3'))
		.addOption(
			new Option(
				'--crop <how>',
				'centre: the centre square; none: the whole, stretched; LEFT,TOP,WIDTH,HEIGHT: a box',
			)
				.argParser(cropOf)
				.default('centre'),
		)
		.addOption(
			new Option('--cache <dir>', 'where the prepared file goes').default(datasetCache(), "the user's cache"),
		)
		.option('--strict', 'fail when an image cannot be read')
		.addOption(jsonOption())
		.action(
			async (
				source: string,
				{ resolution, channels, crop, cache, strict = false, json }: PrepareCommandOptions,
			) => {
				const { dataSpec, prepareDataset } = await import('../data/index.ts');
				const spec = dataSpec.parse({
					kind: 'folder',
					path: path.resolve(source),
					resolution,
					channels: Number(channels),
					crop,
				});
				await showing(async (signal, onProgress) => {
					const { names, ...prepared } = await prepareDataset(spec, { cache, strict, signal, onProgress });
					if (json) return printJson({ ...prepared, names });
					for (const { name, reason } of prepared.skipped) print(`left out ${name}: ${reason}`);
					print(
						`${prepared.count} images, ${prepared.resolution} × ${prepared.resolution} × ${prepared.channels}`,
					);
					print(`fingerprint ${prepared.fingerprint}`);
					print(prepared.file);
				});
			},
		);
}

/** `centre`, `none`, or a box in pixels of the upright image. */
function cropOf(text: string): PrepareCommandOptions['crop'] {
	if (text === 'centre' || text === 'none') return text;
	const numbers = /^(\d+),(\d+),(\d+),(\d+)$/.exec(text)?.slice(1).map(Number);
	const [left, top, width, height] = numbers ?? [];
	if (left === undefined || top === undefined || !width || !height)
		throw expected('centre, none or LEFT,TOP,WIDTH,HEIGHT', '--crop', text);
	return { left, top, width, height };
}

async function showing(
	work: (
		signal: AbortSignal,
		onProgress: (progress: { done: number; total: number }) => void,
	) => Promise<void>,
): Promise<void> {
	const progress = showProgress();
	await interruptible(async ({ signal }) => {
		try {
			await work(signal, ({ done, total }) =>
				progress.update({ bar: 'images', value: done, total, note: '' }),
			);
		} finally {
			progress.stop();
		}
	});
}
