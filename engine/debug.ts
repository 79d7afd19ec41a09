// Looking for the first number that went bad: programs run operation by operation, and every result is read back.
import * as tf from '@tensorflow/tfjs-core';
import { RtilError } from '../errors/index.ts';
import type { Program, ProgramFunction, ProgramSpec, TensorMap } from './contract.ts';
import { eagerProgram } from './program.ts';

/**
 * A program that runs eagerly and stops at the first operation whose result has a NaN or an infinity.
 *
 * Its calls throw DIVERGED, naming the function, the operation, the element, and the shapes of what went in; a bad input
 * or state entry is named before anything runs.
 */
export function debugProgram<F extends Record<string, ProgramFunction>>(spec: ProgramSpec<F>): Program<F> {
	const functions = Object.fromEntries(
		Object.entries(spec.functions).map(([name, fn]) => [name, watched(`${spec.name}.${name}`, fn)]),
	) as unknown as F;
	return eagerProgram({ ...spec, functions });
}

function watched(where: string, fn: ProgramFunction): ProgramFunction {
	return {
		inputs: fn.inputs,
		run(state, inputs) {
			for (const [kind, tensors] of [
				['input', inputs],
				['state', state],
			] as const) {
				for (const [name, tensor] of Object.entries(tensors)) {
					const bad = firstBad(tensor);
					if (bad) throw new RtilError('DIVERGED', `In ${where}, the ${kind} "${name}" ${bad}`);
				}
			}
			return watchKernels(where, () => fn.run(state, inputs));
		},
	};
}

/** Runs `f` and checks what every kernel gives; kernels made of kernels are checked from the inside out. */
function watchKernels<T>(where: string, f: () => T): T {
	const engine = tf.engine();
	const { runKernel } = engine;
	engine.runKernel = ((name: string, inputs: tf.NamedTensorMap, attrs?: tf.NamedAttrMap) => {
		const result = runKernel.call(engine, name, inputs, attrs) as tf.Tensor | tf.Tensor[];
		for (const tensor of [result].flat()) {
			const bad = firstBad(tensor);
			if (bad) throw diverged(where, name, bad, inputs);
		}
		return result;
	}) as typeof runKernel;
	try {
		return f();
	} finally {
		engine.runKernel = runKernel;
	}
}

function diverged(where: string, kernel: string, bad: string, inputs: TensorMap): RtilError {
	const given = Object.entries(inputs)
		.flatMap(([name, value]) =>
			[value]
				.flat()
				.map((tensor) => `${name} [${(tensor as tf.Tensor).shape}] ${range(tensor as tf.Tensor)}`),
		)
		.join(', ');
	return new RtilError('DIVERGED', `In ${where}, the result of ${kernel} ${bad}; it was given ${given}`);
}

/** `has NaN at element 3 of [2, 2]`, or undefined where all numbers are finite. */
function firstBad(tensor: tf.Tensor): string | undefined {
	if (tensor?.dtype !== 'float32') return undefined;
	const values = tensor.dataSync();
	for (let i = 0; i < values.length; i++) {
		if (!Number.isFinite(values[i]!)) return `has ${values[i]} at element ${i} of [${tensor.shape}]`;
	}
	return undefined;
}

function range(tensor: tf.Tensor): string {
	if (tensor.dtype !== 'float32' || tensor.size === 0) return tensor.dtype;
	let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
	for (const value of tensor.dataSync()) {
		low = Math.min(low, value);
		high = Math.max(high, value);
	}
	return `in [${low.toPrecision(3)}, ${high.toPrecision(3)}]`;
}
