// Inpainting: y = mask ⊙ x, one mask for all channels of a pixel.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { HostTensor } from '../../engine/index.ts';
import { stream } from '../../engine/index.ts';
import { expected } from '../../errors/index.ts';
import { namedMasks, unpackMask } from './masks.ts';
import { noiseField } from './noise.ts';
import { atLeast, type Operator, perImage } from './operator.ts';

const kind = z.literal('inpainting');
const side = z.int().min(1).max(4096);

const custom = z
	.strictObject({
		kind,
		mask: z.literal('custom').describe('A mask of your own, inside the description.'),
		height: side.describe('Of the mask, and so of the images.'),
		width: side,
		bits: z
			.base64()
			.describe('A bit a pixel, 1: observed; row by row, the highest bit of a byte first, in base64.'),
		...noiseField,
	})
	.superRefine(({ bits, ...size }, context) => {
		const mask = unpackMask(bits, size);
		const refuse = (message: string): void =>
			context.addIssue({ code: 'custom', path: ['bits'], message, continue: false });
		if (!mask) refuse(`expected base64 of ${Math.ceil((size.height * size.width) / 8)} bytes`);
		else if (!mask.includes(1)) refuse('expected a mask that leaves at least one pixel observed');
	});

const schema = z.discriminatedUnion('mask', [
	z.strictObject({
		kind,
		mask: z.literal('random').describe('Pixels at random, others for every image.'),
		ratio: z.number().positive().max(1).describe('Fraction of the pixels that are observed.'),
		...noiseField,
	}),
	z.strictObject({
		kind,
		mask: z
			.literal('centre')
			.describe('A central square of a third of height and width is missing: 1/9 of the image.'),
		...noiseField,
	}),
	z.strictObject({ kind, mask: z.literal('half').describe('The right half is missing.'), ...noiseField }),
	z.strictObject({
		kind,
		mask: z
			.literal('eyes')
			.describe(
				'The eye patch of aligned faces is missing: 0.40 to 0.56 of the height, 0.20 to 0.80 of the width.',
			),
		...noiseField,
	}),
	custom,
]);

type Inpainting = z.output<typeof schema>;

/** The mask of one problem, the same for every image; null: every image has its own. */
function sharedMask(spec: Inpainting, size: { height: number; width: number }): Float32Array | null {
	if (spec.mask === 'random') return null;
	return spec.mask === 'custom' ? unpackMask(spec.bits, spec) : namedMasks[spec.mask].make(size);
}

function level(spec: Inpainting): number {
	if (spec.mask === 'random') return spec.ratio;
	if (spec.mask !== 'custom') return namedMasks[spec.mask].observed;
	const mask = unpackMask(spec.bits, spec)!;
	return mask.reduce((sum, value) => sum + value, 0) / mask.length;
}

/** [N, H, W, 1] → [N, H, W, C]. */
function overChannels({ shape, data }: HostTensor, channels: number): HostTensor {
	const out = new Float32Array(data.length * channels);
	for (let i = 0; i < out.length; i++) out[i] = data[Math.floor(i / channels)]!;
	return { shape: [...shape.slice(0, 3), channels], data: out };
}

export const inpainting: Operator<typeof schema> = {
	kind: 'inpainting',
	summary:
		'missing pixels: random (ratio = observed fraction), the centred square of 1/9, the right half, the eyes, or a mask of your own',
	schema,
	examples: [
		{ kind: 'inpainting', mask: 'random', ratio: 0.25 },
		{ kind: 'inpainting', mask: 'eyes' },
		{ kind: 'inpainting', mask: 'custom', height: 2, width: 4, bits: 'pQ==' },
	],
	level,
	variant: ({ mask }) => (mask === 'random' ? undefined : mask),
	check(spec, image) {
		atLeast(2, 'inpainting', image);
		if (spec.mask === 'custom' && (spec.height !== image.height || spec.width !== image.width)) {
			const size = `${image.width} × ${image.height}`;
			throw expected(`a mask of ${size} pixels`, 'inpainting', `${spec.width} × ${spec.height}`);
		}
	},
	measurementShape: (_spec, { height, width, channels }) => [height, width, channels],
	parameters(spec, image, keys) {
		const { height, width, channels } = image;
		const total = height * width;
		const shared = sharedMask(spec, image);
		const mask = perImage(keys, [height, width, 1], ({ seed, image: name }) => {
			if (spec.mask !== 'random') return shared!;
			const observed = new Float32Array(total);
			const count = Math.max(1, Math.floor(spec.ratio * total + 1e-9));
			for (const i of stream(seed, `inpainting.pixels/${name}`).permutation(0, total).subarray(0, count)) {
				observed[i] = 1;
			}
			return observed;
		});
		return { mask: overChannels(mask, channels) };
	},
	support: ({ mask }) => mask!,
	inPlace: true,
	apply: ({ mask }, x) => tf.mul(x, mask!),
	adjoint: ({ mask }, y) => tf.mul(y, mask!) as tf.Tensor4D,
};
