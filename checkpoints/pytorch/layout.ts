// Between PyTorch's tensor layouts and ours: a parameter's shape there, and which of its axes each of ours is.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;

/** How a parameter lies in PyTorch. */
export interface TorchLayout {
	/** The shape stored there. */
	stored: readonly number[];
	/** That shape as our axes need it: flattened axes taken apart, axes of one element dropped. Absent: as stored. */
	size?: readonly number[];
	/** Axis i of ours, taken apart likewise, is this axis of `size`; ~axis where its order is turned around. */
	axes: readonly number[];
}

/** Parameters in our layout from a state dictionary; throws MISMATCH, naming the entry that is missing or misshapen. */
export function fromLayout(
	state: HostTensors,
	shapes: Shapes,
	layoutOf: (name: string, shape: readonly number[]) => TorchLayout,
): HostTensors {
	return Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => {
			const { stored, size = stored, axes } = layoutOf(name, shape);
			const source = state[name];
			if (!source) throw new RtilError('MISMATCH', `The state dictionary lacks ${name}`);
			if (`${source.shape}` !== `${stored}`) {
				throw new RtilError(
					'MISMATCH',
					`${name} has shape [${source.shape}] in the state dictionary, not [${stored}]`,
				);
			}
			return [name, { shape, data: permute(source.data, size, axes) }];
		}),
	);
}

/** A state dictionary from parameters in our layout: the inverse. */
export function toLayout(
	params: HostTensors,
	layoutOf: (name: string, shape: readonly number[]) => TorchLayout,
): HostTensors {
	return Object.fromEntries(
		Object.entries(params).map(([name, { shape, data }]) => {
			const { stored, size = stored, axes } = layoutOf(name, shape);
			const plain = axes.map((axis) => (axis < 0 ? ~axis : axis));
			const back = plain.map((_, i) => (axes[plain.indexOf(i)]! < 0 ? ~plain.indexOf(i) : plain.indexOf(i)));
			return [
				name,
				{
					shape: stored,
					data: permute(
						data,
						plain.map((axis) => size[axis]!),
						back,
					),
				},
			];
		}),
	);
}

/** Convolution filter [O, I, kh, kw] for ours of [kh, kw, I, O]. */
export function filterLayout(shape: readonly number[]): TorchLayout {
	const [h, w, i, o] = shape as [number, number, number, number];
	return { stored: [o, i, h, w], axes: [2, 3, 1, 0] };
}

/** Axis `i` of the result is axis `axes[i]` of the tensor; `~a` is axis a, backwards. */
export function permute(data: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
	const strides = shape.map((_, i) => shape.slice(i + 1).reduce((n, side) => n * side, 1));
	const plain = axes.map((axis) => (axis < 0 ? ~axis : axis));
	const sides = plain.map((axis) => shape[axis]!);
	const steps = plain.map((axis, i) => (axes[i]! < 0 ? -strides[axis]! : strides[axis]!));
	const index = axes.map(() => 0);
	const out = new Float32Array(data.length);
	let at = axes.reduce((sum, axis, i) => (axis < 0 ? sum - steps[i]! * (sides[i]! - 1) : sum), 0);
	for (let i = 0; i < out.length; i++) {
		out[i] = data[at]!;
		for (let d = sides.length - 1; d >= 0; d--) {
			at += steps[d]!;
			if (++index[d]! < sides[d]!) break;
			at -= steps[d]! * sides[d]!;
			index[d] = 0;
		}
	}
	return out;
}
