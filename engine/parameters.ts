// Named parameters as one flat vector: one optimiser update, one average, one variable instead of a hundred.
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor, HostTensors, TensorMap } from './contract.ts';
import { elements } from './program.ts';

/** How named tensors lie in a flat vector, in the order of `shapes`. */
export interface ParameterLayout {
	readonly shapes: Readonly<Record<string, readonly number[]>>;
	/** Length of the flat vector. */
	readonly size: number;
	/** Views of a flat tensor [size] by name. */
	unpack(flat: tf.Tensor): TensorMap;
	/** The flat tensor of named ones. */
	pack(tensors: TensorMap): tf.Tensor;
	toHost(flat: HostTensor): HostTensors;
	fromHost(tensors: HostTensors): HostTensor;
}

export function parameterLayout(shapes: Readonly<Record<string, readonly number[]>>): ParameterLayout {
	const names = Object.keys(shapes);
	const sizes = names.map((name) => elements(shapes[name]!));
	const offsets: number[] = [];
	let size = 0;
	for (const count of sizes) {
		offsets.push(size);
		size += count;
	}
	return {
		shapes,
		size,
		unpack(flat) {
			const parts = names.length === 1 ? [flat] : tf.split(flat, sizes);
			return Object.fromEntries(names.map((name, i) => [name, tf.reshape(parts[i]!, [...shapes[name]!])]));
		},
		pack(tensors) {
			const parts = names.map((name) => tf.reshape(tensors[name]!, [-1]));
			return parts.length === 1 ? parts[0]! : tf.concat(parts);
		},
		toHost({ data }) {
			return Object.fromEntries(
				names.map((name, i) => [
					name,
					{ shape: shapes[name]!, data: data.slice(offsets[i]!, offsets[i]! + sizes[i]!) },
				]),
			);
		},
		fromHost(tensors) {
			const data = new Float32Array(size);
			names.forEach((name, i) => {
				data.set(tensors[name]!.data, offsets[i]!);
			});
			return { shape: [size], data };
		},
	};
}
