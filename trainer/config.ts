// What one arm of an experiment trains: the network, the family, the optimisation. Defaults beside their reason.
import { z } from 'zod';
import { rtilSchema } from '../models/index.ts';

const stylegan2Schema = z
	.strictObject({
		kind: z.literal('stylegan2').default('stylegan2'),
		resolution: z.int().describe('Side of the images: a power of two from 8 to 1024'),
		channels: z
			.array(z.int().min(1))
			.optional()
			.describe(
				'Feature maps at 4, 8, … up to the resolution; absent: min(maxChannels, channelBase / resolution)',
			),
		channelBase: z.int().min(1).default(2048).describe('Feature maps times resolution, before the cap'),
		maxChannels: z.int().min(1).default(128).describe('Cap on the feature maps'),
		zDim: z.int().min(1).default(128).describe('Dimension of z (the paper: 512)'),
		wDim: z.int().min(1).default(128).describe('Dimension of w (the paper: 512)'),
		mappingLayers: z.int().min(1).default(4).describe('Layers of the mapping network (the paper: 8)'),
	})
	.transform(({ channels, channelBase, maxChannels, ...rest }) => ({
		...rest,
		channels:
			channels ??
			Array.from({ length: Math.max(0, Math.round(Math.log2(rest.resolution)) - 1) }, (_, i) =>
				Math.min(maxChannels, Math.max(1, Math.floor(channelBase / (4 * 2 ** i)))),
			),
	}));

const trainingSchema = z.strictObject({
	batch: z.int().min(1).default(16).describe('Images a step; a multiple of 4'),
	learningRate: z
		.number()
		.positive()
		.default(0.002)
		.describe('Of G and D, before the correction for lazy steps'),
	beta2: z.number().min(0).lt(1).default(0.99).describe('Adam; β1 is 0 (Karras et al. 2020, appendix B)'),
	r1: z
		.strictObject({
			gamma: z.number().min(0).default(10).describe('Weight γ of the R1 penalty, used as γ/2'),
			every: z.int().min(1).default(16).describe('Lazily, every so many steps'),
		})
		.prefault({}),
	pathLength: z
		.strictObject({
			weight: z.number().min(0).default(2),
			every: z.int().min(1).default(4),
			decay: z.number().min(0).max(1).default(0.01).describe('Of the running mean length'),
			batchShrink: z.int().min(1).default(2).describe('The penalty uses batch / batchShrink latents'),
		})
		.prefault({}),
	mixing: z.number().min(0).max(1).default(0.9).describe('Probability of style mixing'),
	emaHalfLife: z
		.number()
		.positive()
		.default(10)
		.describe('Half-life of the weight average in thousands of images; at most 5 % of the images seen'),
	flips: z.boolean().default(true).describe('Mirror half of the images'),
});

export const armConfigSchema = z.strictObject({
	model: stylegan2Schema,
	rtil: rtilSchema.nullable().default(null).describe('Absent or null: vanilla training'),
	training: trainingSchema.prefault({}),
});

/** As resolved: every default filled in. */
export type ArmConfig = z.infer<typeof armConfigSchema>;
export type TrainingConfig = ArmConfig['training'];
