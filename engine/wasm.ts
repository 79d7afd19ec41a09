// The wasm engine: tfjs-backend-wasm made fit for training. It starts its threads in Node (wasm-threads.ts), adds the
// kernels that training needs (wasm-kernels.ts), and turns an allocation that failed, which the backend would carry on
// with silently, into an error. Nothing but npm is needed: this is the floor that always works.
import { createRequire } from 'node:module';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { expected, RtilError } from '../errors/index.ts';
import { registerTrainingKernels } from './wasm-kernels.ts';
import { withNodeThreads } from './wasm-threads.ts';

export interface WasmOptions {
	/** Threads inside convolutions and matrix products, 1 to 8; more than 8 are taken as 8. */
	threads: number;
}

/** Largest block that the backend's memory manager gives reliably; beyond, offsets come out wrong. */
const LARGEST_BLOCK = 2 ** 31 - 1;

/** The part of the backend's object that this file reaches into. */
interface WasmBackend extends tf.KernelBackend {
	wasm: { _malloc(bytes: number): number };
}

/**
 * Makes wasm the engine of this process.
 *
 * @returns the threads in use: 1 when Node's worker threads could not be had
 * @throws INVALID_INPUT for threads below 1, ENVIRONMENT when WebAssembly with SIMD is missing
 */
export async function openWasm({ threads }: WasmOptions): Promise<{ threads: number }> {
	if (!Number.isInteger(threads) || threads < 1)
		throw expected('a whole number of at least 1', 'threads', threads);
	if (!tf.engine().backendNames().includes('wasm') || !(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'))) {
		throw new RtilError(
			'ENVIRONMENT',
			'This Node.js has no WebAssembly with SIMD',
			'Use Node.js 20.19 or newer',
		);
	}
	registerStockGradients();
	await withoutProcessListeners(async () => {
		if (threads > 1 && (await startsThreaded(threads))) return;
		wasm.setThreadsCount(1);
		await tf.setBackend('wasm');
	});
	refuseFailedAllocations(tf.backend() as WasmBackend);
	registerTrainingKernels();
	return { threads: wasm.getThreadsCount() };
}

/**
 * tfjs-core's Node bundle comes without gradients; the union package registers them. It is the one that tfjs-node
 * brings, so that both see the same core.
 */
function registerStockGradients(): void {
	const require = createRequire(import.meta.url);
	createRequire(require.resolve('@tensorflow/tfjs-node-gpu/package.json'))('@tensorflow/tfjs');
}

async function startsThreaded(threads: number): Promise<boolean> {
	tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', true);
	wasm.setThreadsCount(threads);
	const started = await withNodeThreads(threads, () => tf.setBackend('wasm')).catch(() => false);
	if (!started) tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
	return started;
}

/**
 * The backend's start-up code takes over `uncaughtException` and `unhandledRejection`, and on disposal removes
 * everybody's listeners with its own: errors are this project's own business.
 */
async function withoutProcessListeners(start: () => Promise<void>): Promise<void> {
	const events = ['uncaughtException', 'unhandledRejection'] as const;
	const before = events.map((event) => process.listeners(event as 'uncaughtException'));
	try {
		await start();
	} finally {
		events.forEach((event, i) => {
			for (const listener of process.listeners(event as 'uncaughtException')) {
				if (!before[i]!.includes(listener)) process.off(event, listener);
			}
		});
	}
}

const guarded = new WeakSet<object>();

/** The backend does not look whether memory was given: a tensor at address 0 reads zeros. */
function refuseFailedAllocations(backend: WasmBackend): void {
	const module = backend.wasm;
	if (guarded.has(module)) return;
	guarded.add(module);
	let allocate = module._malloc;
	const allocateOrThrow = (bytes: number): number => {
		const address = bytes > LARGEST_BLOCK ? 0 : allocate(bytes);
		if (address !== 0 || bytes === 0) return address;
		const asked = (bytes / 2 ** 20).toFixed(0);
		const held = (tf.memory().numBytes / 2 ** 20).toFixed(0);
		throw new RtilError(
			'EXHAUSTED',
			`The wasm engine has no room for a tensor of ${asked} MiB beside ${held} MiB (its limit is 4 GiB)`,
			'Use a smaller batch, resolution or width, or the native engine (npm run setup)',
		);
	};
	Object.defineProperty(module, '_malloc', {
		get: () => allocateOrThrow,
		// The module puts the compiled function there when it is called first.
		set: (compiled: typeof allocate) => {
			allocate = compiled;
		},
	});
}
