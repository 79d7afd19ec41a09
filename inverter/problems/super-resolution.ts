// Super-resolution: y is a smaller copy of x, both sides divided by a whole factor.
import { z } from 'zod';
import { resizeMatrix } from '../../engine/index.ts';
import { expected } from '../../errors/index.ts';
import { noiseField } from './noise.ts';
import { atLeast, type Operator } from './operator.ts';
import { adjointSeparable, applySeparable } from './separable.ts';

const schema = z.strictObject({
	kind: z.literal('super-resolution'),
	factor: z.int().min(2).max(32).describe('By how much each side is reduced.'),
	filter: z
		.enum(['box', 'area', 'bicubic'])
		.default('box')
		.describe(
			'box: mean of factor × factor pixels, sides must be multiples of it; area: the same for any side; bicubic: antialiased, a = −0.5.',
		),
	...noiseField,
});

const reduced = (side: number, factor: number): number => Math.floor(side / factor);

export const superResolution: Operator<typeof schema> = {
	kind: 'super-resolution',
	summary: 'a copy reduced ×2 … ×32 by box average, area or antialiased bicubic; factor = by how much',
	schema,
	examples: [
		{ kind: 'super-resolution', factor: 4 },
		{ kind: 'super-resolution', factor: 4, filter: 'bicubic' },
	],
	level: ({ factor }) => factor,
	variant: ({ filter }) => (filter === 'box' ? undefined : filter),
	check({ factor, filter }, image) {
		atLeast(factor, 'super-resolution', image);
		const { height, width } = image;
		if (filter === 'box' && (height % factor || width % factor)) {
			throw expected(
				`a factor that divides ${width} × ${height}`,
				'super-resolution factor',
				factor,
				'Use `filter: area` for other sizes.',
			);
		}
	},
	measurementShape: ({ factor }, { height, width, channels }) => [
		reduced(height, factor),
		reduced(width, factor),
		channels,
	],
	parameters({ factor, filter }, { height, width }) {
		const kernel = filter === 'bicubic' ? 'bicubic' : 'area';
		return {
			rows: resizeMatrix(height, reduced(height, factor), kernel),
			columns: resizeMatrix(width, reduced(width, factor), kernel),
		};
	},
	apply: applySeparable,
	adjoint: adjointSeparable,
};
