// Threads of the wasm engine in Node. The threaded module of tfjs-backend-wasm was written for browsers: it starts its
// workers from `blob:` addresses, which Node's worker threads cannot load, and takes half the processors at most
// (tfjs#3830, #4972). While it starts, this file hands it workers made from the same source text, and the processor
// count that gives the wanted number of threads; then everything is as before.
import { createRequire } from 'node:module';
import os from 'node:os';
import workerThreads from 'node:worker_threads';

const require = createRequire(import.meta.url);
const folder = '@tensorflow/tfjs-backend-wasm/wasm-out/';

/** What the main thread sends a worker first; `urlOrBlob` is the module that the worker is to load. */
interface LoadMessage {
	cmd: 'load';
	urlOrBlob: unknown;
}

const isLoad = (message: unknown): message is LoadMessage =>
	typeof message === 'object' && message !== null && (message as LoadMessage).cmd === 'load';

function workerClass(source: string, moduleFile: string): typeof workerThreads.Worker {
	return class extends workerThreads.Worker {
		constructor(_address: string | URL) {
			super(source, { eval: true });
			this.unref();
		}

		/** The pool's threads wait for work for ever: they must not keep the process. */
		override ref(): void {}

		override postMessage(message: unknown, transfer?: readonly workerThreads.Transferable[]): void {
			super.postMessage(isLoad(message) ? { ...message, urlOrBlob: moduleFile } : message, transfer);
		}
	};
}

/** Runs `start`, which starts the backend, so that it gets `threads` threads; throws what `start` throws. */
export async function withNodeThreads<T>(threads: number, start: () => Promise<T>): Promise<T> {
	const { wasmWorkerContents } = require(`${folder}tfjs-backend-wasm-threaded-simd.worker.js`);
	// The text is kept as a template literal whose escapes have been read once already.
	const source = (wasmWorkerContents as string).replaceAll('\n', '\\n');
	const moduleFile = require.resolve(`${folder}tfjs-backend-wasm-threaded-simd.js`);
	const { Worker } = workerThreads;
	const { cpus } = os;
	const globalWorker = Object.getOwnPropertyDescriptor(globalThis, 'Worker');
	workerThreads.Worker = workerClass(source, moduleFile);
	os.cpus = () => Array.from({ length: 2 * threads }, () => cpus()[0]!);
	try {
		return await start();
	} finally {
		workerThreads.Worker = Worker;
		os.cpus = cpus;
		if (globalWorker) Object.defineProperty(globalThis, 'Worker', globalWorker);
		else delete (globalThis as { Worker?: unknown }).Worker;
	}
}
