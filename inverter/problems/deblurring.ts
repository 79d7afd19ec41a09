// Deblurring with separable kernels: uniform k × k and Gaussian.
import { z } from 'zod';
import { atLeast, noiseField, type Operator } from './operator.ts';
import { adjointSeparable, applySeparable, filterMatrix } from './separable.ts';

const oddSize = z
	.int()
	.min(3)
	.max(63)
	.refine((size) => size % 2 === 1, 'expected an odd number of taps');

const common = {
	kind: z.literal('deblurring'),
	/** What lies outside the image: mirrored without (reflect) or with the edge (symmetric), its edge, itself, or 0. */
	boundary: z.enum(['reflect', 'symmetric', 'replicate', 'circular', 'zero']).default('reflect'),
	...noiseField,
};

const schema = z.discriminatedUnion('kernel', [
	z.strictObject({ kernel: z.literal('uniform'), size: oddSize.default(7), ...common }),
	z.strictObject({
		kernel: z.literal('gaussian'),
		/** Pixels. */
		sigma: z.number().min(0.1).max(15),
		/** Taps a side; default: up to 4 σ. */
		size: oddSize.optional(),
		...common,
	}),
]);

type Deblurring = z.infer<typeof schema>;

/** Taps that sum to 1. */
export function blurTaps(spec: Deblurring): Float64Array {
	if (spec.kernel === 'uniform') return new Float64Array(spec.size).fill(1 / spec.size);
	const radius = spec.size ? (spec.size - 1) / 2 : Math.max(1, Math.trunc(4 * spec.sigma + 0.5));
	const taps = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
		Math.exp(-((i - radius) ** 2) / (2 * spec.sigma ** 2)),
	);
	const total = taps.reduce((sum, tap) => sum + tap, 0);
	return taps.map((tap) => tap / total);
}

export const deblurring: Operator<typeof schema> = {
	kind: 'deblurring',
	summary: 'uniform (size) or Gaussian (sigma, in pixels) blur',
	schema,
	level: (spec) => (spec.kernel === 'uniform' ? spec.size : spec.sigma),
	check: (_spec, image) => atLeast(2, 'deblurring', image),
	measurementShape: (_spec, { height, width, channels }) => [height, width, channels],
	parameters(spec, { height, width }) {
		const taps = blurTaps(spec);
		return {
			rows: filterMatrix(height, taps, spec.boundary),
			columns: filterMatrix(width, taps, spec.boundary),
		};
	},
	apply: applySeparable,
	adjoint: adjointSeparable,
};
