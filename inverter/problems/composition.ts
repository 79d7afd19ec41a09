// Operators one after the other: A = A_k … A₂ A₁, noise at the end. Every step but the last must leave an image.
import type * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { HostTensors } from '../../engine/index.ts';
import { expected } from '../../errors/index.ts';
import { colorization } from './colorization.ts';
import { compressedSensing } from './compressed-sensing.ts';
import { deblurring } from './deblurring.ts';
import { identity } from './identity.ts';
import { inpainting } from './inpainting.ts';
import { noiseField } from './noise.ts';
import { type ImageShape, nameOf, type Operator } from './operator.ts';
import { superResolution } from './super-resolution.ts';

const members = [compressedSensing, inpainting, superResolution, deblurring, colorization, identity];

const step = z
	.discriminatedUnion('kind', [
		compressedSensing.schema,
		inpainting.schema,
		superResolution.schema,
		deblurring.schema,
		colorization.schema,
		identity.schema,
	])
	.refine(({ noise }) => noise === undefined, {
		path: ['noise'],
		message: 'expected no noise of a step, but `noise` of the whole composition',
	});

const schema = z
	.strictObject({
		kind: z.literal('composition'),
		steps: z.array(step).min(1).max(8).describe('Problems without noise, applied in this order.'),
		...noiseField,
	})
	.refine(
		({ steps, noise }) =>
			noise?.kind !== 'poisson' || steps.every(({ kind }) => kind !== compressedSensing.kind),
		{
			path: ['noise'],
			message: 'expected Gaussian noise after compressed sensing: there are no negative photons',
		},
	);

type Composition = z.output<typeof schema>;
type Step = Composition['steps'][number];

const memberFor = ({ kind }: Step): Operator =>
	members.find((member) => member.kind === kind) as unknown as Operator;

/** The parameters of one step, by its own names. */
function parametersOf<T>(all: Readonly<Record<string, T>>, prefix: string): Record<string, T> {
	return Object.fromEntries(
		Object.entries(all)
			.filter(([name]) => name.startsWith(prefix))
			.map(([name, value]) => [name.slice(prefix.length), value]),
	);
}

/** What each step is given; throws INVALID_INPUT at the first that cannot take it. */
function shapesOf(steps: readonly Step[], image: ImageShape): ImageShape[] {
	const shapes = [image];
	for (const [index, spec] of steps.entries()) {
		const [member, given] = [memberFor(spec), shapes[index]!];
		member.check?.(spec, given);
		if (index === steps.length - 1) break;
		const [height, width, channels] = member.measurementShape(spec, given);
		if (channels === undefined) {
			throw expected('a step that leaves an image', `steps.${index}, which is not the last,`, spec.kind);
		}
		shapes.push({ height: height!, width: width!, channels });
	}
	return shapes;
}

/** The strength of its last step. */
const level = ({ steps }: Composition): number => {
	const last = steps[steps.length - 1]!;
	return memberFor(last).level(last);
};

const about = {
	kind: 'composition',
	summary: 'several problems applied in order, such as a blur and then a reduction, with noise at the end',
	schema,
	examples: [
		{
			kind: 'composition',
			steps: [
				{ kind: 'deblurring', kernel: 'gaussian', sigma: 1 },
				{ kind: 'super-resolution', factor: 2 },
			],
			noise: { kind: 'gaussian', sigma: 0.05 },
		},
	] satisfies z.input<typeof schema>[],
};

/**
 * The operator of one composition. Names of its parameters carry place and kind of their step, so that compositions of
 * other steps are told apart by them, as the contract asks.
 */
export function composed({ steps }: Composition): Operator {
	const stages = steps.map((spec, index) => ({
		member: memberFor(spec),
		spec,
		prefix: `${index}.${spec.kind}.`,
	}));
	const last = stages[stages.length - 1]!;
	return {
		...about,
		level,
		variant: () => stages.map(({ member, spec }) => nameOf(member, spec)).join('-'),
		check: (_spec, image) => void shapesOf(steps, image),
		measurementShape: (_spec, image) =>
			last.member.measurementShape(last.spec, shapesOf(steps, image)[stages.length - 1]!),
		parameters(_spec, image, keys) {
			const shapes = shapesOf(steps, image);
			const all: HostTensors = {};
			for (const [index, { member, spec, prefix }] of stages.entries()) {
				// Two steps of a kind are drawn apart.
				const own = keys.map((key) => ({ ...key, image: `${index}/${key.image}` }));
				const parameters = member.parameters(spec, shapes[index]!, own);
				for (const [name, value] of Object.entries(parameters)) all[prefix + name] = value;
			}
			return all;
		},
		support: (parameters) => last.member.support?.(parametersOf(parameters, last.prefix)),
		apply: (parameters, x) =>
			stages.reduce<tf.Tensor>(
				(value, { member, prefix }) => member.apply(parametersOf(parameters, prefix), value as tf.Tensor4D),
				x,
			),
		adjoint(parameters, y, image) {
			const shapes = shapesOf(steps, image);
			return stages.reduceRight<tf.Tensor>(
				(value, { member, prefix }, index) =>
					member.adjoint(parametersOf(parameters, prefix), value, shapes[index]!),
				y,
			) as tf.Tensor4D;
		},
	} as Operator;
}

/** What the registry lists; `composed` makes the operator. */
export const composition = { ...about, level };
