import type { HostTensor } from '../../engine/index.ts';

/** Rows of a tensor along its first axis, in the given order; a row may be taken more than once. */
export function takeRows({ shape, data }: HostTensor, indices: readonly number[]): HostTensor {
	const each = data.length / shape[0]!;
	const out = new Float32Array(indices.length * each);
	indices.forEach((row, i) => {
		out.set(data.subarray(row * each, (row + 1) * each), i * each);
	});
	return { shape: [indices.length, ...shape.slice(1)], data: out };
}
