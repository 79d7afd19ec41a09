import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { elements, type HostTensors, openEngine, stream, valueAndGradients } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import { type Lpips, lpips, perceptualNetworks } from '../../models/index.ts';
import { load } from './networks.ts';

const engine = await openEngine();

/** Weights of a plausible size, biases 0, heads ≥ 0. */
function drawn({ shapes }: Lpips, seed = 1): HostTensors {
	return Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => {
			const n = elements(shape);
			const gain = shape.length === 4 ? Math.sqrt(2 / elements(shape.slice(0, 3))) : 0.1;
			const data = stream(seed, name).normals(0, n);
			return [
				name,
				{
					shape,
					data: name.endsWith('.bias')
						? new Float32Array(n)
						: data.map((v) => (shape.length === 4 ? v : Math.abs(v)) * gain),
				},
			];
		}),
	);
}

const pictures = (seed: number, n: number, size: number): Float32Array =>
	stream(seed, 'pictures')
		.uniforms(0, n * size * size * 3)
		.map((u) => 2 * u - 1);

test('the gradient is finite where features are all zero, and where images are equal', (t) => {
	// Without normalisation and biases, a black region has features of zero.
	const metric = lpips({ network: 'squeeze', version: '0.0' });
	const params = load(drawn(metric));
	const picture = pictures(3, 1, 32);
	picture.fill(0, 0, 16 * 32 * 3);
	const a = tf.tensor(picture, [1, 32, 32, 3]);
	for (const b of [tf.tensor(pictures(4, 1, 32), [1, 32, 32, 3]), tf.clone(a), tf.zerosLike(a)]) {
		const { value, gradients } = valueAndGradients(() => tf.sum(metric.distance(params, a, b)) as tf.Scalar, {
			a,
		});
		t.true(Number.isFinite(value.dataSync()[0]));
		t.true(gradients.a.dataSync().every(Number.isFinite));
	}
	t.is(metric.features(params, a)[0]!.dataSync()[0], 0);
});

for (const network of perceptualNetworks) {
	test(`${network} takes images from its smallest size on and refuses smaller and grey ones`, (t) => {
		const metric = lpips({ network });
		const params = Object.fromEntries(
			Object.entries(metric.shapes).map(([name, shape]) => [name, tf.fill([...shape], 0.01)]),
		);
		const least = metric.smallest;
		const image = (size: number, channels = 3) => tf.fill([1, size, size, channels], 0.5);
		t.deepEqual(metric.distance(params, image(least), tf.neg(image(least))).shape, [1]);
		for (const wrong of [image(least - 1), image(least, 1)]) {
			const error = t.throws(() => metric.distance(params, wrong, wrong), { instanceOf: RtilError });
			t.is(error.code, 'INVALID_INPUT');
			t.true(error.message.includes(`at least ${least}`));
		}
		tf.dispose(params);
	});
}

test('a captured program gives the same loss and gradient, with the features of the target made once', (t) => {
	const metric = lpips({ network: 'squeeze' });
	const weights = drawn(metric);
	const [x, y] = [pictures(5, 2, 32), pictures(6, 2, 32)];
	const shape = [2, 32, 32, 3];
	const program = engine.compile({
		name: 'perceptual loss',
		state: weights,
		functions: {
			step: {
				inputs: { x: shape, y: shape },
				run: (params, inputs) => {
					const target = metric.features(params, inputs.y!);
					const { value, gradients } = valueAndGradients(
						() =>
							tf.sum(metric.contributions(params, metric.features(params, inputs.x!), target)) as tf.Scalar,
						{ x: inputs.x! },
					);
					return { outputs: { value, gradient: gradients.x } };
				},
			},
		},
	});
	const { value, gradient } = program.call('step', { x, y });
	program.dispose();
	const params = load(weights);
	const [a, b] = [tf.tensor(x, shape), tf.tensor(y, shape)];
	const eager = valueAndGradients(() => tf.sum(metric.distance(params, a, b)) as tf.Scalar, { a });
	t.true(Math.abs(value!.data[0]! - eager.value.dataSync()[0]!) < 1e-5 * value!.data[0]!);
	const most = tf.max(tf.abs(eager.gradients.a)).dataSync()[0]!;
	const off = tf.max(tf.abs(tf.sub(eager.gradients.a, tf.tensor(gradient!.data, shape)))).dataSync()[0]!;
	t.true(most > 0 && off < 1e-4 * most, `${off} of ${most}`);
});

test('distances of a batch are those of its images, to rounding', (t) => {
	const metric = lpips({ network: 'squeeze' });
	const params = load(drawn(metric));
	const [a, b] = [7, 8].map((seed) => tf.tensor4d(pictures(seed, 3, 32), [3, 32, 32, 3])) as [
		tf.Tensor4D,
		tf.Tensor4D,
	];
	const together = metric.distance(params, a, b).dataSync();
	for (let i = 0; i < 3; i++) {
		const one = (x: tf.Tensor4D) => tf.slice(x, [i, 0, 0, 0], [1, -1, -1, -1]);
		const alone = metric.distance(params, one(a), one(b)).dataSync()[0]!;
		t.true(Math.abs(alone - together[i]!) < 1e-5 * alone);
	}
});
