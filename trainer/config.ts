// What one arm of an experiment trains: the network, the family, the optimisation. Defaults beside their reason.
import { z } from 'zod';
import {
	type GlowArchitecture,
	modelPresets,
	type pgganArchitecture,
	rtilSchema,
	type stylegan2Architecture,
} from '../models/index.ts';
import { augmentSchema } from './ada.ts';

const count = z.int().min(1);

/** `channels` written out: a width for each resolution 4, 8, … up to that of the images. */
function widths(
	resolution: number,
	{ channels, channelBase, maxChannels }: { channels?: number[]; channelBase: number; maxChannels: number },
): number[] {
	const sides = Math.max(0, Math.round(Math.log2(resolution)) - 1);
	const width = (side: number): number => Math.min(maxChannels, Math.max(1, Math.floor(channelBase / side)));
	return channels ?? Array.from({ length: sides }, (_, i) => width(4 * 2 ** i));
}

const grown = {
	channels: z
		.array(count)
		.optional()
		.describe(
			'Feature maps at 4, 8, … up to the resolution; absent: min(maxChannels, channelBase / resolution)',
		),
	channelBase: count.default(2048).describe('Feature maps times resolution, before the cap'),
	maxChannels: count.default(128).describe('Cap on the feature maps'),
};

const side = z.int().describe('Side of the images: a power of two from 8 to 1024');

const stylegan2Model = z
	.strictObject({
		kind: z.literal('stylegan2'),
		resolution: side,
		...grown,
		zDim: count.default(128).describe('Dimension of z (the paper: 512)'),
		wDim: count.default(128).describe('Dimension of w (the paper: 512)'),
		mappingLayers: count.default(4).describe('Layers of the mapping network (the paper: 8)'),
	})
	.transform(
		({ channels, channelBase, maxChannels, ...rest }): z.output<typeof stylegan2Architecture> => ({
			...rest,
			channels: widths(rest.resolution, { ...(channels ? { channels } : {}), channelBase, maxChannels }),
		}),
	);

const pgganModel = z
	.strictObject({
		kind: z.literal('pggan'),
		resolution: side,
		dialect: z
			.enum(['karras', 'zoo', 'rtil'])
			.default('karras')
			.describe('Whose conventions: of the PGGAN authors, of the GAN zoo, of the RTIL code'),
		...grown,
		zDim: count.default(128).describe('Dimension of z (the papers: 512)'),
	})
	.transform(
		({ channels, channelBase, maxChannels, ...rest }): z.output<typeof pgganArchitecture> => ({
			...rest,
			channels: widths(rest.resolution, { ...(channels ? { channels } : {}), channelBase, maxChannels }),
		}),
	);

const glowModel = z
	.strictObject({
		kind: z.literal('glow'),
		resolution: z.int().min(2).describe('Side of the images: a multiple of 2^blocks'),
		blocks: count.default(3).describe('Blocks L (Oberlin and Verm at 64²: 4)'),
		steps: count.default(8).describe('Steps of flow K in a block (Oberlin and Verm: 32)'),
		coupling: z.enum(['additive', 'affine']).default('additive').describe('Oberlin and Verm: additive'),
		filters: count.default(128).describe('Feature maps inside a coupling (the paper: 512)'),
	})
	.transform((model): GlowArchitecture => model);

export const modelKinds = ['stylegan2', 'pggan', 'glow'] as const;

/** Fills in the kind, which is StyleGAN2 where none is said. */
function kinded<S extends z.ZodType>(schema: S) {
	return z.preprocess((given) => {
		const open = typeof given === 'object' && given !== null && !Array.isArray(given) && !('kind' in given);
		return open ? { kind: 'stylegan2', ...given } : given;
	}, schema);
}

/** `preset: NAME` stands for the options of a network of the papers; others given beside it override them. */
function preset(given: unknown, context: z.RefinementCtx): unknown {
	if (typeof given !== 'object' || given === null || !('preset' in given)) return given;
	const { preset: name, ...rest } = given;
	const values = Object.keys(modelPresets);
	if (typeof name === 'string' && Object.hasOwn(modelPresets, name))
		return { ...modelPresets[name], ...rest };
	context.addIssue({ code: 'invalid_value', values, path: ['preset'], input: name });
	return z.NEVER;
}

export const modelSchema = z.preprocess(
	preset,
	kinded(z.discriminatedUnion('kind', [stylegan2Model, pgganModel, glowModel])),
);

const average = (kimg: number) =>
	z
		.number()
		.positive()
		.default(kimg)
		.describe('Half-life of the weight average in thousands of images; at most 5 % of the images seen');

const flips = z.boolean().default(true).describe('Mirror half of the images');

const stylegan2Training = z.strictObject({
	kind: z.literal('stylegan2'),
	batch: count.default(16).describe('Images a step; a multiple of 4'),
	learningRate: z
		.number()
		.positive()
		.default(0.002)
		.describe('Of G and D, before the correction for lazy steps'),
	beta2: z.number().min(0).lt(1).default(0.99).describe('Adam; β1 is 0 (Karras et al. 2020, appendix B)'),
	r1: z
		.strictObject({
			gamma: z.number().min(0).default(10).describe('Weight γ of the R1 penalty, used as γ/2'),
			every: count.default(16).describe('Lazily, every so many steps'),
		})
		.prefault({}),
	pathLength: z
		.strictObject({
			weight: z.number().min(0).default(2),
			every: count.default(4),
			decay: z.number().min(0).max(1).default(0.01).describe('Of the running mean length'),
			batchShrink: count.default(2).describe('The penalty uses batch / batchShrink latents'),
		})
		.prefault({}),
	mixing: z.number().min(0).max(1).default(0.9).describe('Probability of style mixing'),
	emaHalfLife: average(10),
	flips,
	augment: augmentSchema.nullable().default(null),
});

const pgganTraining = z.strictObject({
	kind: z.literal('pggan'),
	batch: z
		.union([count, z.array(count).min(1)])
		.default(16)
		.describe('Images a step; one number, or one for each resolution 4, 8, …; multiples of 4'),
	learningRate: z
		.number()
		.positive()
		.default(0.001)
		.describe('Of G and D (Karras et al. 2018, appendix A.1)'),
	beta2: z.number().min(0).lt(1).default(0.99).describe('Adam; β1 is 0'),
	growing: z
		.strictObject({
			from: z.int().min(4).default(4).describe('Side of the images that training begins with'),
			fade: z
				.number()
				.positive()
				.default(600)
				.describe('Thousands of images while a new block fades in (Karras et al.: 600)'),
			stable: z
				.number()
				.positive()
				.default(600)
				.describe('Thousands of images at each resolution after that; the last one goes on to the end'),
			resetOptimizer: z.boolean().default(true).describe('Fresh moments of Adam at each new resolution'),
		})
		.prefault({}),
	penalty: z
		.strictObject({
			weight: z.number().min(0).default(10).describe('λ of the gradient penalty (Gulrajani et al. 2017)'),
			drift: z.number().min(0).default(0.001).describe('ε of the mean of D(x)²'),
		})
		.prefault({}),
	emaHalfLife: average(10),
	flips,
});

const glowTraining = z.strictObject({
	kind: z.literal('glow'),
	batch: count.default(16).describe('Images a step'),
	learningRate: z.number().positive().default(0.001),
	beta1: z.number().min(0).lt(1).default(0.9),
	beta2: z.number().min(0).lt(1).default(0.999),
	warmup: z.int().min(0).default(500).describe('Steps over which the rate rises from 0'),
	clip: z.number().positive().default(100).describe('Longest gradient; a longer one is scaled down to it'),
	bits: z.int().min(1).max(8).default(8).describe('Bits of a channel that images are reduced to'),
	temperature: z.number().positive().max(2).default(0.7).describe('Of the grids of samples'),
	emaHalfLife: average(10),
	flips,
});

export const trainingSchema = kinded(
	z.discriminatedUnion('kind', [stylegan2Training, pgganTraining, glowTraining]),
);

export const armConfigSchema = z.strictObject({
	model: modelSchema,
	rtil: rtilSchema.nullable().default(null).describe('Absent or null: vanilla training'),
	training: trainingSchema.prefault({}),
});

/** What becomes of an arm whose losses or parameters are no numbers any more. */
export const onDivergenceSchema = z
	.union([
		z.literal('stop'),
		z.strictObject({ rollback: z.int().min(1).max(100).describe('How often at most, in one arm') }),
	])
	.default('stop')
	.describe('stop: the arm fails; rollback: it goes on from its last checkpoint with other draws');

export type OnDivergence = z.infer<typeof onDivergenceSchema>;

/** As resolved: every default filled in. */
export type ArmConfig = z.infer<typeof armConfigSchema>;
export type TrainingConfig = ArmConfig['training'];

/** The configuration of an arm of one kind. */
export type ArmOf<Kind extends (typeof modelKinds)[number]> = Omit<ArmConfig, 'model' | 'training'> & {
	model: Extract<ArmConfig['model'], { kind: Kind }>;
	training: Extract<TrainingConfig, { kind: Kind }>;
};

/** Real images a step shows: in the last stage, where a PGGAN grows. */
export function imagesPerStep({ batch }: TrainingConfig): number {
	return Array.isArray(batch) ? batch.at(-1)! : batch;
}
