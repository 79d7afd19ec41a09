// Operators on the engine: A x, Aᵀ y and ‖A‖ on host tensors. One captured program per kind and shape, whatever the
// mask, filter or strength.
import type * as tf from '@tensorflow/tfjs-core';
import type {
	Engine,
	HostTensor,
	HostTensors,
	Program,
	ProgramFunction,
	TensorMap,
} from '../../engine/index.ts';
import { stream } from '../../engine/index.ts';
import { type ImageShape, pixels } from './operator.ts';
import { operatorFor, type ProblemSpec } from './registry.ts';

type Calls = Record<'apply' | 'adjoint', ProgramFunction>;

const dataOf = (tensors: HostTensors): Record<string, Float32Array> =>
	Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));

function norm(values: Float32Array): number {
	let total = 0;
	for (const value of values) total += value * value;
	return Math.sqrt(total);
}

/** Forward operators of one engine; `dispose` frees their programs. */
export class OperatorPrograms {
	readonly #engine: Engine;
	readonly #programs = new Map<string, Program<Calls>>();

	constructor(engine: Engine) {
		this.#engine = engine;
	}

	/** A x for a batch [N, H, W, C]. */
	apply(spec: ProblemSpec, parameters: HostTensors, x: HostTensor): HostTensor {
		const [N, height, width, channels] = x.shape as [number, number, number, number];
		const program = this.#program(spec, { height, width, channels }, N, parameters);
		return program.call('apply', { ...dataOf(parameters), '.x': x.data })['.y']!;
	}

	/** Aᵀ y for a batch [N, …]. */
	adjoint(spec: ProblemSpec, parameters: HostTensors, y: HostTensor, image: ImageShape): HostTensor {
		const program = this.#program(spec, image, y.shape[0]!, parameters);
		return program.call('adjoint', { ...dataOf(parameters), '.y': y.data })['.x']!;
	}

	/** ‖A‖, the largest singular value over the batch, by power iteration on AᵀA from a fixed start; from below. */
	norm(
		spec: ProblemSpec,
		parameters: HostTensors,
		image: ImageShape,
		batch: number,
		iterations = 30,
	): number {
		const { height, width, channels } = image;
		let x: HostTensor = {
			shape: [batch, height, width, channels],
			data: stream(0, 'power-iteration').normals(0, batch * pixels(image)),
		};
		let eigenvalue = 0;
		for (let i = 0; i < iterations; i++) {
			const length = norm(x.data);
			if (length === 0) return 0;
			x = { shape: x.shape, data: x.data.map((value) => value / length) };
			x = this.adjoint(spec, parameters, this.apply(spec, parameters, x), image);
			eigenvalue = norm(x.data);
		}
		return Math.sqrt(eigenvalue);
	}

	dispose(): void {
		for (const program of this.#programs.values()) program.dispose();
		this.#programs.clear();
	}

	#program(spec: ProblemSpec, image: ImageShape, batch: number, parameters: HostTensors): Program<Calls> {
		const operator = operatorFor(spec);
		const shapes = Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape]));
		const y = [batch, ...operator.measurementShape(spec, image)];
		const key = JSON.stringify([spec.kind, batch, image, y, shapes]);
		const found = this.#programs.get(key);
		if (found) return found;
		const pick = (inputs: TensorMap): TensorMap =>
			Object.fromEntries(Object.keys(shapes).map((name) => [name, inputs[name]!]));
		const program = this.#engine.compile<Calls>({
			name: `operator ${spec.kind}`,
			state: {},
			functions: {
				apply: {
					inputs: { ...shapes, '.x': [batch, image.height, image.width, image.channels] },
					run: (_state, inputs) => ({
						outputs: { '.y': operator.apply(pick(inputs), inputs['.x'] as tf.Tensor4D) },
					}),
				},
				adjoint: {
					inputs: { ...shapes, '.y': y },
					run: (_state, inputs) => ({
						outputs: { '.x': operator.adjoint(pick(inputs), inputs['.y']!, image) },
					}),
				},
			},
		});
		this.#programs.set(key, program);
		return program;
	}
}
