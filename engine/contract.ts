// What the rest of the project sees of a tensor engine. The implementations are private to this room.
import type * as tf from '@tensorflow/tfjs-core';

/** gpu and native are libtensorflow (CUDA, CPU); wasm needs nothing but npm and is the floor that always works. */
export type EngineName = 'gpu' | 'native' | 'wasm';

/** Named tensors on the engine. */
export type TensorMap = Record<string, tf.Tensor>;

/** A float32 tensor in host memory; row-major. */
export interface HostTensor {
	shape: readonly number[];
	data: Float32Array;
}

/** Named tensors in host memory: what checkpoints hold and what crosses process borders. */
export type HostTensors = Record<string, HostTensor>;

/**
 * One function of a program: pure in its state and inputs. It may not read values back, draw random numbers or keep
 * tensors: everything it needs comes in, everything it makes goes out.
 */
export interface ProgramFunction {
	/** Shape of each input, float32. */
	readonly inputs: Readonly<Record<string, readonly number[]>>;
	/** Outputs are returned to the caller; `state` holds the new values of the state entries that change. */
	run(state: TensorMap, inputs: TensorMap): { outputs: TensorMap; state?: TensorMap };
}

export interface ProgramSpec<F extends Record<string, ProgramFunction>> {
	/** For messages and profiles. */
	readonly name: string;
	/** Initial values of the state (parameters, optimiser slots, averages); resident on the device between calls. */
	readonly state: HostTensors;
	readonly functions: F;
}

/**
 * Functions over resident state. On gpu and native they are captured as one native graph each and replayed in one
 * call; on wasm, or with `capture: false`, they run eagerly. Results agree to float rounding.
 */
export interface Program<F extends Record<string, ProgramFunction>> {
	/** Runs a function; throws INVALID_INPUT when an input is missing or of another shape. */
	call(name: keyof F & string, inputs: Record<string, Float32Array>): HostTensors;
	/** Copies of the named state entries (default: all). */
	read(names?: readonly string[]): HostTensors;
	/** Overwrites state entries; shapes must agree. */
	write(values: HostTensors): void;
	/** Floating-point operations of one call in convolutions and matrix products; undefined when not captured. */
	flops(name: keyof F & string): number | undefined;
	/** Frees everything the program holds. */
	dispose(): void;
}

export interface Engine {
	readonly name: EngineName;
	/** One line for people: `native (TensorFlow 2.21.0, 2 threads)`. */
	readonly description: string;
	compile<F extends Record<string, ProgramFunction>>(spec: ProgramSpec<F>): Program<F>;
}

export interface EngineOptions {
	/** Default: `RTIL_ENGINE`, else the best this machine has. */
	engine?: EngineName | 'auto';
	/** Threads inside one operation; default: all cores. Fixed once an engine is open. */
	threads?: number;
	/** Capture functions as native graphs (default) or run them eagerly (reference, debugging). */
	capture?: boolean;
	/**
	 * Run eagerly, look at the result of every operation, and throw DIVERGED naming the first that is not finite: much
	 * slower. Default: `RTIL_DEBUG_NANS` is 1.
	 */
	debugNans?: boolean;
}
