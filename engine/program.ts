// Programs run eagerly: the reference for capture, and what engines without native graphs do.
import * as tf from '@tensorflow/tfjs-core';
import { expected } from '../errors/index.ts';
import type { HostTensors, Program, ProgramFunction, ProgramSpec, TensorMap } from './contract.ts';

export function elements(shape: readonly number[]): number {
	return shape.reduce((product, size) => product * size, 1);
}

/** Throws INVALID_INPUT unless `inputs` has exactly the declared names and sizes. */
export function checkInputs(
	where: string,
	declared: Readonly<Record<string, readonly number[]>>,
	inputs: Record<string, Float32Array>,
): void {
	for (const [name, shape] of Object.entries(declared)) {
		const data = inputs[name];
		if (!(data instanceof Float32Array) || data.length !== elements(shape)) {
			throw expected(`${elements(shape)} floats [${shape}]`, `input "${name}" of ${where}`, data?.length);
		}
	}
	for (const name of Object.keys(inputs)) {
		if (!(name in declared))
			throw expected(`one of ${Object.keys(declared).join(', ')}`, `an input of ${where}`, name);
	}
}

/** Throws INVALID_INPUT unless `data` fits the state entry called `name`. */
export function checkState(
	spec: ProgramSpec<Record<string, ProgramFunction>>,
	name: string,
	data: Float32Array,
): void {
	const shape = spec.state[name]?.shape;
	if (!shape)
		throw expected(`one of ${Object.keys(spec.state).join(', ')}`, `a state entry of ${spec.name}`, name);
	if (data.length !== elements(shape)) {
		throw expected(`${elements(shape)} floats [${shape}]`, `state "${name}" of ${spec.name}`, data.length);
	}
}

/** Throws INVALID_INPUT unless `tensor` can become the value of the state entry called `name`. */
export function checkNewState(
	spec: ProgramSpec<Record<string, ProgramFunction>>,
	where: string,
	name: string,
	tensor: tf.Tensor,
): void {
	const shape = spec.state[name]?.shape;
	if (!shape) throw expected('the name of a state entry', `the new state of ${where}`, name);
	if (tensor.shape.join() !== shape.join()) {
		throw expected(`shape [${shape}]`, `the new state "${name}" of ${where}`, tensor.shape);
	}
}

/** A program whose functions run operation by operation on the current tfjs backend. */
export function eagerProgram<F extends Record<string, ProgramFunction>>(spec: ProgramSpec<F>): Program<F> {
	const state: TensorMap = {};
	const replace = (name: string, tensor: tf.Tensor): void => {
		state[name]?.dispose();
		state[name] = tf.keep(tensor);
	};
	const write = (values: HostTensors): void => {
		for (const [name, { data }] of Object.entries(values)) {
			checkState(spec, name, data);
			replace(name, tf.tensor(data.slice(), [...spec.state[name]!.shape], 'float32'));
		}
	};
	write(spec.state);
	return {
		call(name, inputs) {
			const fn = spec.functions[name]!;
			checkInputs(`${spec.name}.${name}`, fn.inputs, inputs);
			return tf.tidy(() => {
				const tensors = Object.fromEntries(
					Object.entries(fn.inputs).map(([key, shape]) => [
						key,
						tf.tensor(inputs[key]!.slice(), [...shape], 'float32'),
					]),
				);
				const result = fn.run(state, tensors);
				const outputs = Object.entries(result.outputs).map(([key, tensor]) => [
					key,
					{ shape: tensor.shape, data: tensor.dataSync() as Float32Array },
				]);
				// Clones, all before the first replacement: a function may hand back state entries, even exchanged.
				const next = Object.entries(result.state ?? {}).map(([key, tensor]) => {
					checkNewState(spec, `${spec.name}.${name}`, key, tensor);
					return [key, tf.clone(tensor)] as const;
				});
				for (const [key, tensor] of next) replace(key, tensor);
				return Object.fromEntries(outputs);
			});
		},
		read(names = Object.keys(spec.state)) {
			return Object.fromEntries(
				names.map((name) => [
					name,
					{ shape: spec.state[name]!.shape, data: state[name]!.dataSync().slice() as Float32Array },
				]),
			);
		},
		write,
		flops: () => undefined,
		dispose() {
			for (const tensor of Object.values(state)) tensor.dispose();
		},
	};
}
