// What a person says about a data set, validated.
import { z } from 'zod';

/** Side of the prepared images in pixels. */
const resolution = z.int().min(4).max(1024);

/** A part of the images kept back for measuring: chosen by a hash of the name, so it stays when images are added. */
const split = z.strictObject({
	/** Fraction held back, in (0, 1). */
	holdout: z.number().gt(0).lt(1),
	part: z.enum(['train', 'holdout']),
});

/** Faces drawn by the project itself; face i depends on the seed and i only. */
export const facesSpec = z.strictObject({
	kind: z.literal('faces'),
	/** How many are drawn, before a split. */
	count: z.int().min(1).max(1_000_000),
	resolution,
	seed: z.int().min(0).default(0),
	split: split.optional(),
});

/** Photographs: a folder with any folders inside, or a zip, tar or tar.gz archive. */
export const folderSpec = z.strictObject({
	kind: z.literal('folder'),
	path: z.string().min(1),
	resolution,
	/** 3: RGB, 1: grey. */
	channels: z.literal([1, 3]).default(3),
	/** What is kept of an image that is not square: its centre, all of it (stretched), or a given box in pixels. */
	crop: z
		.union([
			z.enum(['centre', 'none']),
			z.strictObject({
				left: z.int().min(0),
				top: z.int().min(0),
				width: z.int().min(1),
				height: z.int().min(1),
			}),
		])
		.default('centre'),
	/** The resampling kernel. A JPEG is first reduced by its decoder (by 2, 4 or 8), never below the wanted size. */
	filter: z.enum(['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3']).default('lanczos3'),
	split: split.optional(),
});

export const dataSpec = z.discriminatedUnion('kind', [facesSpec, folderSpec]);

export type DataSpec = z.infer<typeof dataSpec>;
export type FolderSpec = z.infer<typeof folderSpec>;
export type FacesSpec = z.infer<typeof facesSpec>;
