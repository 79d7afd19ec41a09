// Capture: a pure function of tensors, run once eagerly, becomes a native graph that is replayed in one call.
//
// Every kernel of tfjs-node goes through two methods of its backend with TensorFlow's own operation names and
// attributes. While a function runs, these calls are recorded: they are the graph. Declared inputs become placeholders,
// state becomes resource variables of the session, everything else born outside becomes a constant. Gradients need no
// care: they are the same calls. The graphs of all functions of a program live in one session and share its variables.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { RtilError } from '../errors/index.ts';
import type { HostTensors, Program, ProgramFunction, ProgramSpec, TensorMap } from './contract.ts';
import { operationFlops } from './flops.ts';
import { type Attribute, GraphBuilder, nodeOf, type Source, shapeAttribute } from './graph.ts';
import type { Binding, NativeBackend, OpAttribute } from './native.ts';
import { checkInputs, checkNewState, checkState } from './program.ts';

const DT_FLOAT = 1;
const DT_INT64 = 9;

/** TensorFlow operations that draw random numbers: replayed, they would not repeat what a resumed run needs. */
const randomOperation = /^(Random|Stateless|Multinomial|TruncatedNormal|ParameterizedTruncatedNormal)/;

/** The operation behind every placeholder; see `owned`. No kernel of tfjs uses it. */
const ownedBy = 'DeepCopy';

interface Variable {
	handle: Source;
	read: Source;
	/** Placeholder of a value from the host, and what to fetch so that it is stored. */
	write: Source;
	written: Source;
}

interface CapturedFunction {
	flops: number;
	inputs: Readonly<Record<string, readonly number[]>>;
	inputNames: string[];
	placeholders: string;
	outputNames: string[];
	outputShapes: (readonly number[])[];
	fetches: string;
}

/** Captures every function of `spec` and loads them into one session; see the header. */
export function captureProgram<F extends Record<string, ProgramFunction>>(
	backend: NativeBackend,
	spec: ProgramSpec<F>,
): Program<F> {
	const { binding } = backend;
	const graph = new GraphBuilder();
	const names = Object.keys(spec.state);

	graph.enter('state');
	const variables: Record<string, Variable> = {};
	for (const name of names) {
		const { shape } = spec.state[name]!;
		const handle = graph.add('VarHandleOp', [], {
			dtype: { type: DT_FLOAT },
			shape: shapeAttribute(shape),
			shared_name: { s: Buffer.from(name) },
			container: { s: Buffer.from('') },
		});
		const write = graph.placeholder(DT_FLOAT, shape);
		const assign = graph.add('AssignVariableOp', [handle, owned(graph, write)], {
			dtype: { type: DT_FLOAT },
		});
		const read = graph.add('ReadVariableOp', [handle], { dtype: { type: DT_FLOAT } });
		variables[name] = { handle, read, write, written: flag(graph, [assign]) };
	}

	const functions: Record<string, CapturedFunction> = {};
	for (const [name, fn] of Object.entries(spec.functions)) {
		graph.enter(name);
		functions[name] = captureFunction(backend, graph, spec, name, fn, variables);
	}

	const folder = mkdtempSync(path.join(tmpdir(), 'rtil-graph-'));
	let session: number;
	try {
		graph.save(folder);
		session = binding.loadSavedModel(folder, 'serve');
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}

	function run(
		inputs: { shape: readonly number[]; data: Float32Array }[],
		inputNames: string,
		outputs: string,
	): Float32Array[] {
		const ids = inputs.map(({ shape, data }) => binding.createTensor(shape, DT_FLOAT, data));
		try {
			const handles = binding.runSavedModel(session, ids, inputNames, outputs);
			return handles.map(({ id }) => {
				const data = binding.tensorDataSync(id);
				binding.deleteTensor(id);
				return data;
			});
		} catch (error) {
			throw explain(error, spec.name);
		} finally {
			for (const id of ids) binding.deleteTensor(id);
		}
	}

	function write(values: HostTensors): void {
		const written = Object.entries(values).map(([name, { data }]) => {
			checkState(spec, name, data);
			return { value: { shape: spec.state[name]!.shape, data }, variable: variables[name]! };
		});
		if (written.length === 0) return;
		run(
			written.map(({ value }) => value),
			written.map(({ variable }) => variable.write).join(','),
			written.map(({ variable }) => variable.written).join(','),
		);
	}
	write(spec.state);

	return {
		call(name, inputs) {
			const fn = functions[name]!;
			checkInputs(`${spec.name}.${name}`, fn.inputs, inputs);
			if (fn.fetches === '') return {};
			const values = run(
				fn.inputNames.map((input) => ({ shape: fn.inputs[input]!, data: inputs[input]! })),
				fn.placeholders,
				fn.fetches,
			);
			return Object.fromEntries(
				fn.outputNames.map((output, i) => [output, { shape: fn.outputShapes[i]!, data: values[i]! }]),
			);
		},
		read(wanted = names) {
			const values = run([], '', wanted.map((name) => variables[name]!.read).join(','));
			return Object.fromEntries(
				wanted.map((name, i) => [name, { shape: spec.state[name]!.shape, data: values[i]! }]),
			);
		},
		write,
		flops: (name) => functions[name]!.flops,
		dispose() {
			binding.deleteSavedModel(session);
		},
	};
}

/**
 * A copy of what is fed, in TensorFlow's own memory. A feed may be the caller's array itself, lent for the call; a variable
 * that kept it would give it back later, on a thread of TensorFlow's, and only the main thread may touch what is Node's.
 */
const owned = (graph: GraphBuilder, placeholder: Source): Source =>
	graph.add(ownedBy, [placeholder], { T: { type: DT_FLOAT } });

/** A constant that exists once `after` have run: what has no output cannot be fetched, this can. */
function flag(graph: GraphBuilder, after: readonly Source[]): Source {
	const value = { tensor: { dtype: DT_FLOAT, tensorShape: { dim: [] }, tensorContent: new Uint8Array(4) } };
	return graph.add('Const', [], { dtype: { type: DT_FLOAT }, value }, after);
}

function captureFunction(
	backend: NativeBackend,
	graph: GraphBuilder,
	spec: ProgramSpec<Record<string, ProgramFunction>>,
	name: string,
	fn: ProgramFunction,
	variables: Record<string, { handle: Source }>,
): CapturedFunction {
	const where = `${spec.name}.${name}`;
	tf.engine().startScope(where);
	try {
		const sources = new Map<object, Source>();
		const reads: Record<string, Source> = {};
		const state: TensorMap = {};
		for (const [key, { shape, data }] of Object.entries(spec.state)) {
			const tensor = tf.tensor(data.slice(), [...shape], 'float32');
			const read = graph.add('ReadVariableOp', [variables[key]!.handle], { dtype: { type: DT_FLOAT } });
			sources.set(tensor.dataId, read);
			reads[key] = read;
			state[key] = tensor;
		}
		const inputs: TensorMap = {};
		const placeholders: Source[] = [];
		for (const [key, shape] of Object.entries(fn.inputs)) {
			const tensor = tf.fill([...shape], 0.5);
			const placeholder = graph.placeholder(DT_FLOAT, shape);
			sources.set(tensor.dataId, owned(graph, placeholder));
			placeholders.push(placeholder);
			inputs[key] = tensor;
		}

		const recorder = record(backend, graph, sources, where);
		let result: ReturnType<ProgramFunction['run']>;
		try {
			result = fn.run(state, inputs);
		} finally {
			recorder.stop();
		}

		const outputs = Object.entries(result.outputs);
		const assigns = Object.entries(result.state ?? {}).map(([key, tensor]) => {
			checkNewState(spec, where, key, tensor);
			// The old value is read before the new one is stored.
			return graph.add(
				'AssignVariableOp',
				[variables[key]!.handle, recorder.sourceOf(tensor)],
				{ dtype: { type: DT_FLOAT } },
				[reads[key]!],
			);
		});
		// By way of an identity: a session refuses to fetch what is fed to it.
		const fetches = outputs.map(([, tensor]) =>
			graph.add('Identity', [recorder.sourceOf(tensor)], {
				T: { type: dataType(backend.binding, tensor.dtype) },
			}),
		);
		if (assigns.length > 0) fetches.push(flag(graph, assigns));
		return {
			inputs: fn.inputs,
			inputNames: Object.keys(fn.inputs),
			placeholders: placeholders.join(','),
			outputNames: outputs.map(([key]) => key),
			outputShapes: outputs.map(([, tensor]) => tensor.shape),
			fetches: fetches.join(','),
			flops: recorder.flops(),
		};
	} finally {
		tf.engine().endScope();
	}
}

interface Recorder {
	sourceOf(tensor: tf.TensorInfo): Source;
	/** Of the operations recorded so far. */
	flops(): number;
	stop(): void;
}

/** Turns on recording of every operation the backend executes; `stop` restores it. */
function record(
	backend: NativeBackend,
	graph: GraphBuilder,
	sources: Map<object, Source>,
	where: string,
): Recorder {
	const { binding } = backend;
	const single = backend.executeSingleOutput;
	const multiple = backend.executeMultipleOutputs;
	const { read, readSync } = backend;
	const { random } = Math;
	let flops = 0;

	function sourceOf(tensor: tf.TensorInfo): Source {
		// tfjs-node passes 64-bit scalars as pairs of 32-bit words.
		const words = (tensor as { valueArray?: Int32Array }).valueArray;
		if (words) return graph.constant(DT_INT64, [], bytesOf(words));
		const known = sources.get(tensor.dataId);
		if (known) return known;
		const values = readSync.call(backend, tensor.dataId) as Float32Array | Int32Array | Uint8Array;
		const source = graph.constant(dataType(binding, tensor.dtype), tensor.shape, bytesOf(values));
		sources.set(tensor.dataId, source);
		return source;
	}

	function note(op: string, attributes: OpAttribute[], inputs: tf.TensorInfo[], results: tf.Tensor[]): void {
		if (randomOperation.test(op))
			throw cannotCapture(where, `draws random numbers (${op})`, 'Pass them in as an input');
		const attr = Object.fromEntries(
			attributes.map((attribute) => [attribute.name, encode(binding, attribute)]),
		);
		const node = graph.add(op, inputs.map(sourceOf), attr);
		flops += operationFlops(
			op,
			inputs.map(({ shape }) => shape),
			results[0]!.shape,
		);
		results.forEach((result, i) => {
			sources.set(result.dataId, i === 0 ? node : `${node}:${i}`);
		});
	}

	function refuseRead(dataId: object): never {
		const source = sources.get(dataId);
		const op = source ? graph.nodes.find((node) => node.name === nodeOf(source))?.op : undefined;
		throw cannotCapture(
			where,
			`reads back a value (${op === ownedBy ? 'an input' : `the result of ${op}`})`,
			'Return it as an output',
		);
	}

	backend.executeSingleOutput = (op, attributes, inputs) => {
		const result = single.call(backend, op, attributes, inputs);
		note(op, attributes, inputs, [result]);
		return result;
	};
	backend.executeMultipleOutputs = (op, attributes, inputs, count) => {
		const results = multiple.call(backend, op, attributes, inputs, count);
		note(op, attributes, inputs, results);
		return results;
	};
	backend.readSync = (dataId) => (sources.has(dataId) ? refuseRead(dataId) : readSync.call(backend, dataId));
	backend.read = (dataId) => (sources.has(dataId) ? refuseRead(dataId) : read.call(backend, dataId));
	Math.random = () => {
		throw cannotCapture(where, 'draws random numbers (Math.random)', 'Pass them in as an input');
	};
	return {
		sourceOf,
		flops: () => flops,
		stop() {
			Math.random = random;
			Object.assign(backend, {
				executeSingleOutput: single,
				executeMultipleOutputs: multiple,
				read,
				readSync,
			});
		},
	};
}

function cannotCapture(where: string, what: string, remedy: string): RtilError {
	return new RtilError('INVALID_INPUT', `${where} cannot be captured: it ${what}`, remedy);
}

function dataType(binding: Binding, dtype: tf.DataType): number {
	if (dtype === 'float32') return binding.TF_FLOAT;
	if (dtype === 'int32') return binding.TF_INT32;
	if (dtype === 'bool') return binding.TF_BOOL;
	throw new Error(`A constant of type ${dtype} cannot be captured`);
}

function bytesOf(values: ArrayBufferView): Uint8Array {
	return new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
}

function encode(binding: Binding, { type, value }: OpAttribute): Attribute {
	const list = Array.isArray(value);
	switch (type) {
		case binding.TF_ATTR_STRING:
			return { s: Buffer.from(value as string) };
		case binding.TF_ATTR_INT:
			return list ? { list: { i: value as number[] } } : { i: value as number };
		case binding.TF_ATTR_FLOAT:
			return list ? { list: { f: value as number[] } } : { f: value as number };
		case binding.TF_ATTR_BOOL:
			return list ? { list: { b: value as boolean[] } } : { b: value as boolean };
		case binding.TF_ATTR_TYPE:
			return { type: value as number };
		case binding.TF_ATTR_SHAPE:
			return shapeAttribute(value as number[]);
		default:
			throw new Error(`An attribute of kind ${type} cannot be captured`);
	}
}

/** Turns TensorFlow's message into ours where a person can do something about it. */
function explain(error: unknown, program: string): unknown {
	const message = error instanceof Error ? error.message : String(error);
	const size = /OOM when allocating tensor with shape\s*\[([\d,]+)\]/.exec(message);
	if (!size) return error;
	return new RtilError(
		'EXHAUSTED',
		`Out of memory in ${program}: a tensor of shape [${size[1]}] does not fit`,
		'Lower the batch size or the number of channels',
		{ cause: error },
	);
}
