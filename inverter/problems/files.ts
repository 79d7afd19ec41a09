// Masks and kernels that a person names as files, in an experiment file or on a command line. They are read here, at the
// border, into the form that stands inside the description; nothing further in knows of files.
import path from 'node:path';
import { z } from 'zod';
import { decodeImage, type Image } from '../../data/index.ts';
import { expected } from '../../errors/index.ts';
import { parse } from '../border.ts';
import { boundaryField } from './deblurring.ts';
import { packMask } from './masks.ts';
import { noiseField } from './noise.ts';

const file = z.string().min(1).describe('An image file, relative to the file or folder it is named in.');

const maskFile = z.strictObject({
	kind: z.literal('inpainting'),
	mask: z
		.literal('file')
		.describe(
			'A mask of your own: white pixels are observed, black ones are missing; of the size of the images.',
		),
	path: file,
	...noiseField,
});

const kernelFile = z.strictObject({
	kind: z.literal('deblurring'),
	kernel: z
		.literal('file')
		.describe('A kernel of your own as a grey image with odd sides; its taps are normalised to sum 1.'),
	path: file,
	...boundaryField,
	...noiseField,
});

/** What may stand for a problem before its files are read, beside `problemSchema`. */
export const problemFileSchema = z.union([maskFile, kernelFile]);

/**
 * The description with the mask or kernel of a named file inside it, also in the steps of a composition; anything else,
 * valid or not, comes back as it is.
 *
 * @param folder that paths are relative to
 * @throws NOT_FOUND, CORRUPT (no image), INVALID_INPUT (a black kernel, an unknown key)
 */
export async function withProblemFiles(json: unknown, folder: string, place = 'problem'): Promise<unknown> {
	if (typeof json !== 'object' || json === null) return json;
	const { kind, mask, kernel, steps } = json as Record<string, unknown>;
	if (kind === 'inpainting' && mask === 'file') {
		const { path: name, ...rest } = parse(maskFile, json, place);
		const { height, width, data } = await readGrey(folder, name);
		const bits = packMask(data.map((value) => Number(value > 0)));
		return { ...rest, mask: 'custom', height, width, bits };
	}
	if (kind === 'deblurring' && kernel === 'file') {
		const { path: name, ...rest } = parse(kernelFile, json, place);
		return { ...rest, kernel: 'custom', taps: tapsOf(await readGrey(folder, name), name) };
	}
	if (kind !== 'composition' || !Array.isArray(steps)) return json;
	const read = steps.map((step, i) => withProblemFiles(step, folder, `${place}.steps.${i}`));
	return { ...json, steps: await Promise.all(read) };
}

const readGrey = (folder: string, name: string): Promise<Image> =>
	decodeImage(path.resolve(folder, name), { channels: 1 });

/** Rows of taps, black 0, that sum to 1. */
function tapsOf({ height, width, data }: Image, name: string): number[][] {
	const light = Array.from(data, (value) => Math.round((value + 1) * 127.5));
	const total = light.reduce((sum, value) => sum + value, 0);
	if (total === 0) throw expected('an image that is not all black', 'the kernel', name);
	return Array.from({ length: height }, (_, row) =>
		light.slice(row * width, (row + 1) * width).map((value) => value / total),
	);
}
