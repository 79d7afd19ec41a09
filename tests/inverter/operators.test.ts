import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { type HostTensor, type HostTensors, openEngine, stream } from '../../engine/index.ts';
import {
	decodeMeasurement,
	encodeMeasurement,
	joinMeasurements,
	measure,
	OperatorPrograms,
	operatorFor,
	operators,
	type ProblemSpec,
	parseProblem,
	pixels,
} from '../../inverter/problems/index.ts';
import { image, keys, table } from './operator-table.ts';

const engine = await openEngine();
const programs = new OperatorPrograms(engine);
test.after.always(() => programs.dispose());

const normals = (name: string, shape: number[]): HostTensor => ({
	shape,
	data: stream(11, name).normals(
		0,
		shape.reduce((product, side) => product * side, 1),
	),
});

const dot = (a: HostTensor, b: HostTensor): number =>
	a.data.reduce((sum, value, i) => sum + value * b.data[i]!, 0);
const size = (a: HostTensor): number => Math.sqrt(dot(a, a));
const worst = (a: HostTensor, b: HostTensor): number =>
	a.data.reduce((max, value, i) => Math.max(max, Math.abs(value - b.data[i]!)), 0);
const map = (a: HostTensor, f: (value: number, i: number) => number): HostTensor => ({
	shape: a.shape,
	data: a.data.map(f),
});
const imageShape = [keys.length, image.height, image.width, image.channels];

function setUp(json: object) {
	const spec = parseProblem(json);
	const operator = operatorFor(spec);
	const parameters = operator.parameters(spec as never, image, keys);
	const y = [keys.length, ...operator.measurementShape(spec as never, image)];
	return { spec, operator, parameters, y };
}

/** Gradient of ⟨A x, y⟩ in x, by the engine. */
function gradient(spec: ProblemSpec, parameters: HostTensors, x: HostTensor, y: HostTensor): HostTensor {
	const operator = operatorFor(spec);
	const shapes = Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape]));
	const program = engine.compile({
		name: 'gradient',
		state: {},
		functions: {
			run: {
				inputs: { ...shapes, '.x': x.shape, '.y': y.shape },
				run: (_state, inputs) => ({
					outputs: {
						g: tf.grad((at) => tf.sum(tf.mul(operator.apply(inputs, at as tf.Tensor4D), inputs['.y']!)))(
							inputs['.x']!,
						),
					},
				}),
			},
		},
	});
	const data = Object.fromEntries(Object.entries(parameters).map(([name, tensor]) => [name, tensor.data]));
	const { g } = program.call('run', { ...data, '.x': x.data, '.y': y.data });
	program.dispose();
	return g!;
}

test('the table has every operator', (t) => {
	const kinds = new Set(table.map(([json]) => (json as { kind: string }).kind));
	t.deepEqual([...kinds].sort(), operators.map((operator) => operator.kind).sort());
});

for (const [json, known] of table) {
	test(`the laws hold for ${JSON.stringify(json)}`, (t) => {
		const { spec, operator, parameters, y: shape } = setUp(json);
		const [a, b] = [normals('a', imageShape), normals('b', imageShape)];
		const y = normals('y', shape);
		const A = (x: HostTensor): HostTensor => programs.apply(spec, parameters, x);
		const Aa = A(a);
		t.deepEqual([...Aa.shape], shape);
		const scale = size(Aa) + 1e-6;

		// Linear: A(2a − 3b) = 2Aa − 3Ab.
		const Ab = A(b);
		const mixed = A(map(a, (value, i) => 2 * value - 3 * b.data[i]!));
		t.true(
			worst(
				mixed,
				map(Aa, (value, i) => 2 * value - 3 * Ab.data[i]!),
			) <
				1e-5 * scale,
			'linear',
		);

		// Adjoint: ⟨Aa, y⟩ = ⟨a, Aᵀy⟩, and it is what the engine's gradient gives.
		const Aty = programs.adjoint(spec, parameters, y, image);
		t.true(Math.abs(dot(Aa, y) - dot(a, Aty)) < 2e-6 * size(Aa) * size(y) + 1e-5, 'adjoint');
		t.true(worst(Aty, gradient(spec, parameters, a, y)) < 1e-5 * (size(Aty) + 1e-6), 'gradient');

		// Round trip of the description.
		const again = parseProblem(JSON.parse(JSON.stringify(spec)));
		t.deepEqual(again, spec);
		const recreated = operator.parameters(again as never, image, keys);
		t.deepEqual(recreated, parameters, 'description');

		// An image's measurement does not depend on its batch.
		const each = pixels(image);
		const second = { shape: [1, ...imageShape.slice(1)], data: a.data.slice(each) };
		const alone = measure(programs, spec, second, [keys[1]!]);
		const together = measure(programs, spec, a, keys);
		const part = { shape: alone.y.shape, data: together.y.data.slice(together.y.data.length / 2) };
		t.true(worst(alone.y, part) <= 1e-6 * scale, 'batch');
		if (alone.sigma) t.true(Math.abs(alone.sigma[0]! - together.sigma![1]!) <= 1e-6, 'sigma');

		// A file recreates the measurement, its operator and its noise.
		const files = keys.map((_, i) => encodeMeasurement(together, i));
		const { y: read, ...rest } = joinMeasurements(files.map((file) => decodeMeasurement(file)));
		t.is(worst(read, together.y), 0, 'values');
		t.deepEqual({ ...rest, y: null }, { ...together, y: null } as never, 'file');

		// ‖Ax‖ ≤ ‖A‖ ‖x‖.
		const norm = programs.norm(spec, parameters, image, keys.length, 60);
		t.true(size(Aa) <= 1.02 * norm * size(a), 'norm');
		if (known !== undefined) t.true(Math.abs(norm - known) < 0.02 * known, `norm ${norm}, known ${known}`);
	});
}

test('compressed sensing keeps energy on average, and by m without the scale', (t) => {
	const many = Array.from({ length: 32 }, (_, i) => ({ seed: i, image: 'x' }));
	const x = normals('one', [1, image.height, image.width, image.channels]);
	const copies = { shape: [32, ...x.shape.slice(1)], data: new Float32Array(32 * x.data.length) };
	for (let i = 0; i < 32; i++) copies.data.set(x.data, i * x.data.length);
	const energy = (json: object): number => {
		const { y } = measure(programs, parseProblem(json), copies, many);
		return dot(y, y) / 32 / dot(x, x);
	};
	t.true(Math.abs(energy({ kind: 'compressed-sensing', ratio: 0.25 }) - 1) < 0.1);
	t.true(Math.abs(energy({ kind: 'compressed-sensing', ratio: 0.25, scale: 'published' }) / 72 - 1) < 0.1);
});

test('noise has the stated deviation where something is measured and is zero elsewhere', (t) => {
	const zero = { shape: imageShape, data: new Float32Array(keys.length * pixels(image)) };
	const spec = parseProblem({ kind: 'inpainting', mask: 'half', noise: { kind: 'gaussian', sigma: 0.5 } });
	const { y, support } = measure(programs, spec, zero, keys);
	const measured = y.data.filter((_, i) => support.data[i] === 1);
	t.true(Math.abs(Math.sqrt(measured.reduce((sum, v) => sum + v * v, 0) / measured.length) - 0.5) < 0.06);
	t.true(y.data.every((value, i) => support.data[i] === 1 || value === 0));
});

for (const [json, message] of [
	[
		{ kind: 'painting' },
		/^Expected one of compressed-sensing, .* for problem\.kind but received "painting"$/,
	],
	[
		{ kind: 'compressed-sensing', ratio: 1.5 },
		/^Expected a value of at most 1 for problem\.ratio but received 1\.5$/,
	],
	[{ kind: 'compressed-sensing', ratio: 0 }, /for problem\.ratio but received 0$/],
	[{ kind: 'inpainting', mask: 'random' }, /for problem\.ratio but received nothing$/],
	[{ kind: 'inpainting', mask: 'star' }, /for problem\.mask but received "star"$/],
	[{ kind: 'super-resolution', factor: 2, zoom: 3 }, /^Unknown key "zoom" in problem\.$/],
	[{ kind: 'denoising' }, /for problem\.noise but received nothing$/],
	[
		{ kind: 'identity', noise: { kind: 'gaussian', sigma: -1 } },
		/for problem\.noise\.sigma but received -1$/,
	],
] as const) {
	test(`is refused: ${JSON.stringify(json)}`, (t) => {
		t.throws(() => parseProblem(json), { message });
	});
}

test('a factor that does not divide the image is refused by the box filter only', (t) => {
	const x = normals('x', imageShape);
	const box = parseProblem({ kind: 'super-resolution', factor: 5 });
	t.throws(() => measure(programs, box, x, keys), { message: /a factor that divides 8 × 12/ });
	const area = parseProblem({ kind: 'super-resolution', factor: 5, filter: 'area' });
	t.deepEqual([...measure(programs, area, x, keys).y.shape], [2, 2, 1, 3]);
});

test('an image with a NaN is refused by name', (t) => {
	const x = normals('x', imageShape);
	x.data[pixels(image) + 5] = Number.NaN;
	t.throws(() => measure(programs, parseProblem({ kind: 'identity' }), x, keys), { message: /image b\.png/ });
});
