// Engines agree on every operator, each engine in a process of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { openEngine } from '../../engine/index.ts';

async function numbersOn(engine: string): Promise<Record<string, Float32Array>> {
	const child = fork(fileURLToPath(new URL('./operators-on-engine.js', import.meta.url)), [engine], {
		serialization: 'advanced',
	});
	const [first] = await Promise.race([
		once(child, 'message'),
		once(child, 'exit').then(([code]) => Promise.reject(new Error(`${engine} ended with ${code}`))),
	]);
	return first as Record<string, Float32Array>;
}

test('every operator and its adjoint on wasm equal those on the best engine here', async (t) => {
	const { name } = await openEngine();
	if (name === 'wasm') t.log('only wasm is here: compared with itself');
	const [wasm, best] = await Promise.all([numbersOn('wasm'), numbersOn(name)]);
	t.deepEqual(Object.keys(wasm), Object.keys(best));
	for (const [key, wanted] of Object.entries(best)) {
		const size = Math.sqrt(wanted.reduce((sum, value) => sum + value * value, 0));
		const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - wasm[key]![i]!)), 0);
		t.true(worst <= 2e-6 * size, `${key}: ${worst} of ${size}`);
	}
});
