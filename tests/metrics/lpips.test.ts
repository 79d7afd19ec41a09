import test from 'ava';
import { openEngine, stream } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import { type Images, openLpips } from '../../metrics/index.ts';
import { drawnWeights } from '../checkpoints/weights-files.ts';

const engine = await openEngine();
const metric = await openLpips(engine, {
	network: 'squeeze',
	version: '0.1',
	params: drawnWeights('squeeze'),
});
test.after(() => metric.dispose());

function drawn(seed: number, n = 2, size = 32, channels = 3): Images & { data: Float32Array } {
	const data = stream(seed, 'images')
		.uniforms(0, n * size * size * channels)
		.map((u) => 2 * u - 1);
	return { shape: [n, size, size, channels], data };
}

test('network, version and range are stated', (t) => {
	t.like(metric, {
		network: 'squeeze',
		version: '0.1',
		range: [-1, 1],
		label: 'LPIPS (SqueezeNet 1.1, v0.1)',
	});
});

test('equal images are exactly 0 apart, others more, symmetrically', (t) => {
	const [a, b] = [drawn(1), drawn(2)];
	t.deepEqual([...metric.measure(a, a)], [0, 0]);
	const there = metric.measure(a, b);
	t.true(there.every((value) => value > 0));
	t.deepEqual(metric.measure(b, a), there);
});

test('the value of an image does not depend on the others, and sizes may change', (t) => {
	const [a, b] = [drawn(1), drawn(2)];
	const both = metric.measure(a, b);
	const second = ({ data }: Images): Images => ({ shape: [1, 32, 32, 3], data: data.subarray(32 * 32 * 3) });
	t.is(metric.measure(second(a), second(b))[0], both[1]);
	t.is(metric.measure(drawn(1, 1, 24), drawn(2, 1, 24)).length, 1);
	t.deepEqual(metric.measure(a, b), both);
});

test('what cannot be shown does not count, unless asked', (t) => {
	const a = drawn(1);
	const loud: Images = { shape: a.shape, data: a.data.map((value) => (value > 0 ? value + 1 : value - 1)) };
	const edge: Images = { shape: a.shape, data: a.data.map((value) => (value > 0 ? 1 : -1)) };
	t.deepEqual(metric.measure(a, loud), metric.measure(a, edge));
	t.notDeepEqual(metric.measure(a, loud, { clip: false }), metric.measure(a, edge));
});

test('grey, small and unequal images are refused', (t) => {
	for (const wrong of [drawn(1, 1, 32, 1), drawn(1, 1, 16)]) {
		const error = t.throws(() => metric.measure(wrong, wrong), { instanceOf: RtilError });
		t.is(error.code, 'INVALID_INPUT');
	}
	t.throws(() => metric.measure(drawn(1, 1), drawn(1, 2)), { message: /one shape/ });
});
