// Inception without its weights, which cannot be shipped: sizes, and laws of its pools.
import test from 'ava';
import { elements, type HostTensors, openEngine } from '../../engine/index.ts';
import { openInception } from '../../metrics/index.ts';
import { inception } from '../../models/index.ts';

const engine = await openEngine();
const { shapes } = inception();

/** All zeros but what is given. */
function zerosBut(
	given: Readonly<Record<string, (data: Float32Array, shape: readonly number[]) => void>>,
): HostTensors {
	return Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => {
			const data = new Float32Array(elements(shape));
			given[name]?.(data, shape);
			return [name, { shape, data }];
		}),
	);
}

const grey = (count: number) => ({ shape: [count, 20, 24, 3], data: new Float32Array(count * 20 * 24 * 3) });

test('it has as many numbers as the published network without its classifier', (t) => {
	const biases = Object.entries(shapes).filter(([name]) => name.endsWith('.bias'));
	const sum = (entries: [string, readonly number[]][]) =>
		entries.reduce((total, [, shape]) => total + elements(shape), 0);
	// 21,785,568 with scales and shifts of batch normalisation apart: folded, the scales are gone.
	t.is(sum(Object.entries(shapes)) + sum(biases), 21_785_568);
	t.is(biases.length, 94);
	t.deepEqual(shapes['Mixed_6b.branch7x7dbl_3.weight'], [1, 7, 128, 128]);
	t.deepEqual(shapes['Mixed_7c.branch_pool.weight'], [1, 1, 2048, 192]);
});

test('averages leave out what lies over the edge: a constant stays one', async (t) => {
	// 7a gives 1 in its first 320 channels; the pooled branch of 7b averages them; 7c takes the first of those over.
	const params = zerosBut({
		'Mixed_7a.branch3x3_2.bias': (data) => data.fill(1),
		'Mixed_7b.branch_pool.weight': (data) => data.fill(1 / 320),
		'Mixed_7c.branch1x1.weight': (data, shape) => {
			data[(2048 - 192) * shape[3]!] = 1;
		},
	});
	// 5 × 5 pixels remain: with zeros over the edge counted, the mean would be far below 1.
	const network = await openInception(engine, params, { side: 203 });
	const { shape, data } = network.features(grey(1));
	t.deepEqual(shape, [1, 2048]);
	t.true(Math.abs((data[0] as number) - 1) < 1e-5, `${data[0]}`);
	t.true(
		Array.from(data)
			.slice(1)
			.every((value) => value === 0),
	);
	network.dispose();
});

test("an image's features depend on no other, and grey images are refused", async (t) => {
	let next = 0;
	const fill = (data: Float32Array) =>
		data.forEach((_, i) => {
			data[i] = 0.05 * Math.sin(next++);
		});
	const params = zerosBut(Object.fromEntries(Object.keys(shapes).map((name) => [name, fill])));
	const network = await openInception(engine, params, { side: 75 });
	const both = grey(2);
	both.data.forEach((_, i) => {
		both.data[i] = 1.2 * Math.cos(i);
	});
	const second = { shape: [1, 20, 24, 3], data: both.data.slice(both.data.length / 2) };
	const all = network.features(both);
	t.deepEqual(Array.from(all.data).slice(2048), Array.from(network.features(second).data));
	t.notDeepEqual(Array.from(all.data).slice(0, 2048), Array.from(all.data).slice(2048));
	const limited = { ...both, data: both.data.map((value) => Math.max(-1, Math.min(1, value))) };
	t.deepEqual(network.features(limited).data, all.data);
	t.throws(() => network.features({ shape: [1, 20, 24, 1], data: new Float32Array(480) }), {
		code: 'INVALID_INPUT',
		message: /colour images/,
	});
	t.throws(() => inception({ side: 64 }), { code: 'INVALID_INPUT', message: /from 75 for side/ });
	network.dispose();
});
