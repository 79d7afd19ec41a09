// Chooses and opens an engine. One engine a process: tfjs and libtensorflow are process-wide.
import { availableParallelism } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { expected, RtilError } from '../errors/index.ts';
import { captureProgram } from './capture.ts';
import type { Engine, EngineName, EngineOptions } from './contract.ts';
import { debugProgram } from './debug.ts';
import { registerGradients } from './gradients.ts';
import { registerNativeKernels, registerWasmKernels } from './kernels.ts';
import { addonPath, openNative } from './native.ts';
import { eagerProgram } from './program.ts';

const names = ['auto', 'gpu', 'native', 'wasm'] as const;

/**
 * Opens the engine asked for, by default the best this machine has.
 *
 * @throws ENVIRONMENT when the engine asked for is not there, INVALID_INPUT for an unknown name
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
	const wanted = options.engine ?? (process.env.RTIL_ENGINE || 'auto');
	if (!names.includes(wanted as EngineName)) throw expected(`one of ${names.join(', ')}`, 'engine', wanted);
	const threads = options.threads ?? availableParallelism();
	const debugNans = options.debugNans ?? process.env.RTIL_DEBUG_NANS === '1';
	const eager = debugNans ? debugProgram : eagerProgram;

	if (wanted === 'wasm' || (wanted === 'auto' && !addonPath())) {
		const { openWasm } = await import('./wasm.ts');
		const opened = await openWasm({ threads });
		registerOnce('wasm');
		return { name: 'wasm', description: `wasm (${opened.threads} threads)`, compile: eager };
	}
	const backend = await openNative({ threads, cpuOnly: wanted === 'native' });
	const gpu = backend.isUsingGpuDevice;
	if (wanted === 'gpu' && !gpu) {
		throw new RtilError(
			'ENVIRONMENT',
			'The gpu engine is not there: TensorFlow finds no GPU that it can use',
			'Run: rtil doctor',
		);
	}
	registerOnce('native');
	const version = backend.binding.TF_Version;
	const name = gpu ? 'gpu' : 'native';
	return {
		name,
		description: `${name} (TensorFlow ${version}, ${threads} threads)`,
		compile: options.capture === false || debugNans ? eager : (spec) => captureProgram(backend, spec),
	};
}

const registered = new Set<string>();

function registerOnce(backend: 'native' | 'wasm'): void {
	if (registered.has(backend)) return;
	registered.add(backend);
	tf.env().set('PROD', true); // No consistency checks in a kernel's way.
	registerGradients();
	if (backend === 'native') registerNativeKernels();
	else registerWasmKernels();
}
