// The contract of a forward operator. Members are in the registry (registry.ts); tests/inverter/operators.test.ts holds
// every one of them to the same laws: linear, adjoint, gradient equals adjoint, recreated by its description, and one
// image's measurement independent of the batch.
import type * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import type { HostTensor, HostTensors, TensorMap } from '../../engine/index.ts';
import { expected } from '../../errors/index.ts';

export interface ImageShape {
	height: number;
	width: number;
	channels: number;
}

/** What fixes the random parts of one image's measurement: nothing else of its batch, order or machine does. */
export interface MeasurementKey {
	/** Whole number in [0, 2⁵³). */
	seed: number;
	/** Name of the image. */
	image: string;
}

/** A strict object, or a union of them, with the discriminator `kind`. */
export type ProblemSchema = z.core.$ZodTypeDiscriminable & z.ZodType<{ kind: string }>;

/**
 * A linear forward operator A. Everything that depends on the seed or on a strength (mask, signs, filter, resampling
 * matrices) is a tensor made by `parameters`; `apply` and `adjoint` depend on the names and shapes of these alone, so
 * that one captured program serves every problem whose parameters have the same.
 */
export interface Operator<Schema extends ProblemSchema = ProblemSchema, S = z.output<Schema>> {
	readonly kind: string;
	/** One line for people. */
	readonly summary: string;
	/** Accepts the description of a problem of this kind; unknown keys are refused. */
	readonly schema: Schema;
	/** Descriptions for the reference page; the first is the usual one. */
	readonly examples: readonly z.input<Schema>[];
	/** The strength that a table sorts by: observed fraction, factor, size, σ. */
	level(spec: S): number;
	/** The mask, kernel or filter, where it is not the usual one: tells problems of one kind apart. */
	variant?(spec: S): string | undefined;
	/** Throws INVALID_INPUT when the operator cannot act on images of this shape. */
	check?(spec: S, image: ImageShape): void;
	/** Shape of one image's measurement. */
	measurementShape(spec: S, image: ImageShape): number[];
	/** Per-image parameters lead with the batch, N = `keys.length`; the others are shared by it. */
	parameters(spec: S, image: ImageShape, keys: readonly MeasurementKey[]): HostTensors;
	/**
	 * Where the measurement is defined, [N, …]: 1 where measured, 0 elsewhere; absent or undefined: everywhere. `apply`
	 * gives 0 where nothing is measured.
	 */
	support?(parameters: HostTensors): HostTensor | undefined;
	/** y is x where `support` is 1: what is not measured are holes in the image. */
	readonly inPlace?: true;
	/** A x: [N, H, W, C] → [N, …measurement]. */
	apply(parameters: TensorMap, x: tf.Tensor4D): tf.Tensor;
	/** Aᵀ y: [N, …measurement] → [N, H, W, C]. */
	adjoint(parameters: TensorMap, y: tf.Tensor, image: ImageShape): tf.Tensor4D;
}

export const pixels = ({ height, width, channels }: ImageShape): number => height * width * channels;

/** A parameter of every image, stacked along the batch: [N, …shape]. */
export function perImage(
	keys: readonly MeasurementKey[],
	shape: readonly number[],
	make: (key: MeasurementKey) => Float32Array,
): HostTensor {
	const size = shape.reduce((product, side) => product * side, 1);
	const data = new Float32Array(keys.length * size);
	keys.forEach((key, i) => {
		data.set(make(key), i * size);
	});
	return { shape: [keys.length, ...shape], data };
}

/** Throws INVALID_INPUT unless an image is at least `side` pixels a side. */
export function atLeast(side: number, what: string, { height, width }: ImageShape): void {
	if (Math.min(height, width) < side) {
		throw expected(`an image of at least ${side} × ${side} pixels`, what, `${width} × ${height}`);
	}
}

/** Kind and variant: `inpainting-eyes`. */
export function nameOf<S>(
	{ kind, variant }: { kind: string; variant?(spec: S): string | undefined },
	spec: S,
): string {
	const apart = variant?.(spec);
	return apart ? `${kind}-${apart}` : kind;
}
