// libtensorflow behind tfjs: loads the addon, once a process, with the environment it needs.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { RtilError } from '../errors/index.ts';

/** One attribute of a TensorFlow operation, as the addon takes it. */
export interface OpAttribute {
	name: string;
	type: number;
	value: unknown;
}

/** What the addon returns of a tensor it made: a handle number, a shape, a TensorFlow data type. */
export interface TensorHandle {
	id: number;
	shape: number[];
	dtype: number;
}

/** The calls of the addon that this room makes (binding/tfjs_binding.cc of tfjs-node). */
export interface Binding {
	createTensor(shape: readonly number[], dtype: number, values: ArrayBufferView): number;
	deleteTensor(id: number): void;
	tensorDataSync(id: number): Float32Array;
	executeOp(op: string, attributes: OpAttribute[], inputIds: number[], outputs: number): TensorHandle[];
	loadSavedModel(folder: string, tags: string): number;
	deleteSavedModel(id: number): void;
	runSavedModel(id: number, inputIds: number[], inputNames: string, outputNames: string): TensorHandle[];
	isUsingGpuDevice(): boolean;
	readonly TF_Version: string;
	readonly TF_FLOAT: number;
	readonly TF_INT32: number;
	readonly TF_BOOL: number;
	readonly TF_ATTR_STRING: number;
	readonly TF_ATTR_INT: number;
	readonly TF_ATTR_FLOAT: number;
	readonly TF_ATTR_BOOL: number;
	readonly TF_ATTR_TYPE: number;
	readonly TF_ATTR_SHAPE: number;
}

/** The part of tfjs-node's backend through which every one of its kernels goes. */
export interface NativeBackend extends tf.KernelBackend {
	binding: Binding;
	isUsingGpuDevice: boolean;
	executeSingleOutput(op: string, attributes: OpAttribute[], inputs: tf.TensorInfo[]): tf.Tensor;
	executeMultipleOutputs(
		op: string,
		attributes: OpAttribute[],
		inputs: tf.TensorInfo[],
		outputs: number,
	): tf.Tensor[];
}

export interface NativeOptions {
	/** Threads inside one operation; default: all cores. */
	threads?: number;
	/** Hide every GPU from TensorFlow. */
	cpuOnly?: boolean;
}

const addonPackage = '@tensorflow/tfjs-node-gpu';
const require = createRequire(import.meta.url);

/** Path of the compiled addon if set-up has put one there. */
export function addonPath(): string | undefined {
	try {
		const file = require.resolve(`${addonPackage}/lib/napi-v8/tfjs_binding.node`);
		readFileSync(file, { flag: 'r' });
		return file;
	} catch {
		return undefined;
	}
}

let loaded: NativeBackend | undefined;

/** Loads libtensorflow and makes it the current tfjs backend; throws ENVIRONMENT when it is not there. */
export async function openNative(options: NativeOptions = {}): Promise<NativeBackend> {
	if (!loaded) {
		prepareEnvironment(options);
		if (!addonPath()) {
			throw new RtilError('ENVIRONMENT', 'The native engine is not installed', 'Run: npm run setup');
		}
		// Node 23 removed these; tfjs-node 4.22 still calls them.
		const legacy = util as unknown as Record<string, unknown>;
		legacy.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
		legacy.isArray ??= Array.isArray;
		try {
			// tfjs-node sets this property back to the tfjs notice on Node; the notice is not for our users.
			tf.env().set('IS_NODE', true);
			require(addonPackage);
		} catch (cause) {
			const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
			throw new RtilError(
				'ENVIRONMENT',
				`The native engine does not load: ${reason}`,
				'Run: npm run setup -- --force',
				{
					cause,
				},
			);
		}
		const backend = tf.backend() as NativeBackend;
		requireKnownVersion(backend.binding.TF_Version);
		loaded = backend;
	}
	await tf.setBackend('tensorflow');
	return loaded;
}

/** The addon is built for TensorFlow's C API from 2.9 on; throws ENVIRONMENT for anything else. */
export function requireKnownVersion(version: string): void {
	const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
	if (major === '2' && Number(minor) >= 9) return;
	throw new RtilError(
		'ENVIRONMENT',
		`Expected libtensorflow 2.9 or newer, below 3, but received version ${version || 'unknown'}`,
		'Unset RTIL_LIBTENSORFLOW and run: npm run setup -- --force',
	);
}

function prepareEnvironment({ threads, cpuOnly }: NativeOptions): void {
	const count = String(threads ?? availableParallelism());
	const defaults: Record<string, string> = {
		TF_CPP_MIN_LOG_LEVEL: '2',
		// Said aloud, or TensorFlow announces it on stderr.
		TF_ENABLE_ONEDNN_OPTS: '1',
		TF_FORCE_GPU_ALLOW_GROWTH: 'true',
		TF_NUM_INTRAOP_THREADS: count,
		TF_NUM_INTEROP_THREADS: count,
		OMP_NUM_THREADS: count,
		...(cpuOnly ? { CUDA_VISIBLE_DEVICES: '' } : {}),
	};
	for (const [name, value] of Object.entries(defaults)) process.env[name] ??= value;
	if (threads !== undefined) process.env.TF_NUM_INTRAOP_THREADS = count;
}
