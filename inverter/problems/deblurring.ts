// Deblurring: uniform k × k and Gaussian kernels, which are separable, motion in a line, camera shake, and a kernel
// of one's own.
import { z } from 'zod';
import { adjointConvolution, applyConvolution, convolutionParameters } from './convolution.ts';
import { type Kernel, MOST_TAPS, motionKernel, shakeKernel } from './kernels.ts';
import { noiseField } from './noise.ts';
import { atLeast, type Operator } from './operator.ts';
import { adjointSeparable, applySeparable, filterMatrix } from './separable.ts';

const isOdd = (size: number): boolean => size % 2 === 1;

const oddSize = z.int().min(3).max(MOST_TAPS).refine(isOdd, 'expected an odd number of taps');

export const boundaryField = {
	boundary: z
		.enum(['reflect', 'symmetric', 'replicate', 'circular', 'zero'])
		.default('reflect')
		.describe(
			'What lies outside the image: mirrored without (reflect) or with the edge (symmetric), its edge, itself, or 0.',
		),
};

const common = { kind: z.literal('deblurring'), ...boundaryField, ...noiseField };

const taps = z
	.array(z.array(z.number()).min(1).max(MOST_TAPS))
	.min(1)
	.max(MOST_TAPS)
	.superRefine((rows, context) => {
		const refuse = (message: string): void => context.addIssue({ code: 'custom', message });
		if (rows.some((row) => row.length !== rows[0]!.length)) refuse('expected rows of equal length');
		else if (!isOdd(rows.length) || !isOdd(rows[0]!.length))
			refuse('expected odd numbers of rows and columns');
		else if (rows.flat().every((tap) => tap === 0)) refuse('expected taps that are not all zero');
	});

const schema = z.discriminatedUnion('kernel', [
	z.strictObject({
		kernel: z.literal('uniform').describe('The mean of size × size pixels.'),
		size: oddSize.default(7).describe('Taps a side, an odd number.'),
		...common,
	}),
	z.strictObject({
		kernel: z.literal('gaussian').describe('A Gaussian, its taps normalised to sum 1.'),
		sigma: z.number().min(0.1).max(15).describe('Standard deviation in pixels.'),
		size: oddSize.optional().describe('Taps a side, an odd number; absent: up to 4 σ.'),
		...common,
	}),
	z.strictObject({
		kernel: z.literal('motion').describe('Motion in a straight line.'),
		length: z.number().min(1).max(MOST_TAPS).describe('Pixels.'),
		angle: z
			.number()
			.min(-180)
			.max(180)
			.default(0)
			.describe('Degrees, counter-clockwise from the right; opposite directions blur alike.'),
		...common,
	}),
	z.strictObject({
		kernel: z
			.literal('shake')
			.describe('Camera shake: a path whose direction does a random walk, the same for every image.'),
		length: z.number().min(1).max(MOST_TAPS).describe('Of the path, in pixels.'),
		turn: z
			.number()
			.min(0)
			.max(180)
			.default(15)
			.describe('Standard deviation of the change of direction over one pixel, in degrees.'),
		seed: z.int().min(0).default(0).describe('Which path.'),
		...common,
	}),
	z.strictObject({
		kernel: z.literal('custom').describe('A kernel of your own: what a single bright pixel becomes.'),
		taps: taps.describe('Rows of numbers, odd in number and length, taken as they are.'),
		...common,
	}),
]);

type Deblurring = z.infer<typeof schema>;
type Separable = Extract<Deblurring, { kernel: 'uniform' | 'gaussian' }>;

/** Taps along one axis; they sum to 1. */
function blurTaps(spec: Separable): Float64Array {
	if (spec.kernel === 'uniform') return new Float64Array(spec.size).fill(1 / spec.size);
	const radius = spec.size ? (spec.size - 1) / 2 : Math.max(1, Math.trunc(4 * spec.sigma + 0.5));
	const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
		Math.exp(-((i - radius) ** 2) / (2 * spec.sigma ** 2)),
	);
	const total = weights.reduce((sum, weight) => sum + weight, 0);
	return weights.map((weight) => weight / total);
}

function kernelOf(spec: Exclude<Deblurring, Separable>): Kernel {
	if (spec.kernel === 'motion') return motionKernel(spec.length, spec.angle);
	return spec.kernel === 'shake' ? shakeKernel(spec.length, spec.turn, spec.seed) : spec.taps;
}

function level(spec: Deblurring): number {
	if (spec.kernel === 'gaussian') return spec.sigma;
	if (spec.kernel === 'motion' || spec.kernel === 'shake') return spec.length;
	return spec.kernel === 'uniform' ? spec.size : Math.max(spec.taps.length, spec.taps[0]!.length);
}

export const deblurring: Operator<typeof schema> = {
	kind: 'deblurring',
	summary:
		'a blur: uniform (size), Gaussian (sigma, in pixels), motion (length, angle), shake (length) or a kernel of your own',
	schema,
	examples: [
		{ kind: 'deblurring', kernel: 'uniform', size: 7 },
		{ kind: 'deblurring', kernel: 'gaussian', sigma: 1.5 },
		{ kind: 'deblurring', kernel: 'motion', length: 9, angle: 30 },
		{ kind: 'deblurring', kernel: 'shake', length: 20, seed: 1 },
		{
			kind: 'deblurring',
			kernel: 'custom',
			taps: [
				[0, 0.2, 0],
				[0.2, 0.2, 0.2],
				[0, 0.2, 0],
			],
		},
	],
	level,
	variant: ({ kernel }) => (kernel === 'uniform' ? undefined : kernel),
	check: (_spec, image) => atLeast(2, 'deblurring', image),
	measurementShape: (_spec, { height, width, channels }) => [height, width, channels],
	parameters(spec, image) {
		if (spec.kernel !== 'uniform' && spec.kernel !== 'gaussian') {
			return convolutionParameters(kernelOf(spec), image, spec.boundary);
		}
		const weights = blurTaps(spec);
		return {
			rows: filterMatrix(image.height, weights, spec.boundary),
			columns: filterMatrix(image.width, weights, spec.boundary),
		};
	},
	apply: (parameters, x) => (parameters.taps ? applyConvolution : applySeparable)(parameters, x),
	adjoint: (parameters, y) => (parameters.taps ? adjointConvolution : adjointSeparable)(parameters, y),
};
