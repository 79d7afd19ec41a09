// Inpainting: y = mask ⊙ x, one mask for all channels of a pixel.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { HostTensor } from '../../engine/index.ts';
import { stream } from '../../engine/index.ts';
import { atLeast, type ImageShape, noiseField, type Operator, perImage } from './operator.ts';

const kind = z.literal('inpainting');

const schema = z.discriminatedUnion('mask', [
	z.strictObject({
		kind,
		mask: z.literal('random'),
		/** Fraction of pixels that are observed. */
		ratio: z.number().positive().max(1),
		...noiseField,
	}),
	/** The central square of a third of the height and width is missing: 1/9 of the image. */
	z.strictObject({ kind, mask: z.literal('centre'), ...noiseField }),
	/** The right half is missing. */
	z.strictObject({ kind, mask: z.literal('half'), ...noiseField }),
]);

function box(
	{ height, width }: ImageShape,
	top: number,
	left: number,
	rows: number,
	columns: number,
): Float32Array {
	const mask = new Float32Array(height * width).fill(1);
	for (let y = top; y < top + rows; y++) mask.fill(0, y * width + left, y * width + left + columns);
	return mask;
}

/** Side of the hole: a third, rounded. */
const third = (side: number): number => Math.round(side / 3);

function fixedMask(mask: 'centre' | 'half', image: ImageShape): Float32Array {
	const { height, width } = image;
	if (mask === 'half') return box(image, 0, Math.ceil(width / 2), height, Math.floor(width / 2));
	const [rows, columns] = [third(height), third(width)];
	return box(image, Math.floor((height - rows) / 2), Math.floor((width - columns) / 2), rows, columns);
}

/** [N, H, W, 1] → [N, H, W, C]. */
function overChannels({ shape, data }: HostTensor, channels: number): HostTensor {
	const out = new Float32Array(data.length * channels);
	for (let i = 0; i < out.length; i++) out[i] = data[Math.floor(i / channels)]!;
	return { shape: [...shape.slice(0, 3), channels], data: out };
}

export const inpainting: Operator<typeof schema> = {
	kind: 'inpainting',
	summary: 'missing pixels: random (ratio = observed fraction), the centred square of 1/9, or the right half',
	schema,
	level: (spec) => (spec.mask === 'random' ? spec.ratio : spec.mask === 'half' ? 0.5 : 8 / 9),
	check: (_spec, image) => atLeast(2, 'inpainting', image),
	measurementShape: (_spec, { height, width, channels }) => [height, width, channels],
	parameters(spec, image, keys) {
		const { height, width, channels } = image;
		const total = height * width;
		const mask = perImage(keys, [height, width, 1], ({ seed, image: name }) => {
			if (spec.mask !== 'random') return fixedMask(spec.mask, image);
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
	apply: ({ mask }, x) => tf.mul(x, mask!),
	adjoint: ({ mask }, y) => tf.mul(y, mask!) as tf.Tensor4D,
};
