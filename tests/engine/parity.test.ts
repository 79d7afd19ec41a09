// Engines agree: the same steps from the same numbers, each engine in a process of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { openEngine } from '../../engine/index.ts';
import type { Numbers } from './parity-step.ts';
import { difference } from './tiny.ts';

async function stepsOn(engine: string): Promise<Numbers> {
	const child = fork(fileURLToPath(new URL('./parity-step.js', import.meta.url)), [engine], {
		serialization: 'advanced',
	});
	const [first] = await Promise.race([
		once(child, 'message'),
		once(child, 'exit').then(([code]) => Promise.reject(new Error(`${engine} ended with ${code}`))),
	]);
	return first as Numbers;
}

const wasmNumbers = stepsOn('wasm');

test('training steps and circular convolutions on wasm equal those on the best engine here', async (t) => {
	const { name } = await openEngine();
	if (name === 'wasm') t.log('only wasm is here: compared with itself');
	const best = await stepsOn(name);
	const wasm = await wasmNumbers;
	t.deepEqual(Object.keys(wasm), Object.keys(best));
	let [worst, where] = [0, ''];
	for (const [key, wanted] of Object.entries(best)) {
		const off = difference(wasm[key]!, wanted);
		if (!(off <= worst)) [worst, where] = [off, key];
	}
	t.log(`largest difference ${worst.toExponential(1)}, of ${where}`);
	t.true(worst < 1e-4);
});

test('on wasm, circular correlation is the adjoint of circular convolution', async (t) => {
	const numbers = await wasmNumbers;
	const dot = (a: Float32Array, b: Float32Array): number =>
		a.reduce((sum, value, i) => sum + value * b[i]!, 0);
	for (const n of [12, 15, 192]) {
		for (const kernel of ['shared', 'own']) {
			const left = dot(numbers[`convolution ${n} ${kernel}`]!, numbers[`y ${n}`]!);
			const right = dot(numbers[`x ${n}`]!, numbers[`correlation ${n} ${kernel}`]!);
			t.true(Math.abs(left - right) < 1e-4 * n, `${n} ${kernel}`);
		}
	}
});
