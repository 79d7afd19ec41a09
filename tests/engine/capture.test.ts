// Captured programs: equal to eager ones, and clear where a function cannot be captured.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { type HostTensor, openEngine, type ProgramFunction, valueAndGradients } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import { compileSteps } from '../../trainer/index.ts';
import { difference, steps, tinyArm, tinyInputs, tinyState } from './tiny.ts';

const engine = await openEngine();
const eager = await openEngine({ capture: false });
/** On wasm there is nothing to capture. */
const captures = engine.name !== 'wasm';

const vector = (...data: number[]): HostTensor => ({ shape: [data.length], data: Float32Array.from(data) });

for (const rtil of [false, true]) {
	test(`captured steps equal eager ones to rounding: ${rtil ? 'a family of two' : 'vanilla'}`, (t) => {
		const arm = tinyArm(rtil);
		const state = tinyState(arm);
		const captured = compileSteps(engine, arm, state);
		const reference = compileSteps(eager, arm, state);
		for (const step of steps) {
			const inputs = tinyInputs(arm, step);
			const [a, b] = [captured.call(step, inputs), reference.call(step, inputs)];
			t.deepEqual(Object.keys(a), Object.keys(b));
			for (const [name, { shape, data }] of Object.entries(b)) {
				t.deepEqual(a[name]!.shape, shape);
				t.true(difference(a[name]!.data, data) < 1e-5, `${step} ${name}`);
			}
			const [after, wanted] = [captured.read(), reference.read()];
			for (const [name, { data }] of Object.entries(wanted)) {
				t.true(difference(after[name]!.data, data) < 1e-5, `${name} after ${step}`);
			}
			t.true(
				difference(
					after[step === 'd' || step === 'r1' ? 'd' : 'g']!.data,
					state[step === 'd' || step === 'r1' ? 'd' : 'g']!.data,
				) > 0,
			);
		}
		captured.dispose();
		reference.dispose();
	});
}

const bothEngines = [
	['captured', engine],
	['eager', eager],
] as const;

for (const [kind, on] of bothEngines) {
	// An engine that kept the caller's memory would also have to give it back, on a thread that may not touch Node's.
	test(`${kind}: what a program was given is not what it keeps`, (t) => {
		// TensorFlow borrows only memory that happens to be aligned: many arrays, of many sizes.
		const sizes = Array.from({ length: 32 }, (_, k) => 300 + 16 * k);
		const entries = (value: number) =>
			sizes.map((n, k) => [`s${k}`, new Float32Array(n).fill(value)] as const);
		const state = (value: number) =>
			Object.fromEntries(entries(value).map(([name, data]) => [name, { shape: [data.length], data }]));
		const initial = state(1);
		const program = on.compile({
			name: 'keeper',
			state: initial,
			functions: {
				store: {
					inputs: Object.fromEntries(sizes.map((n, k) => [`s${k}`, [n]])),
					run: (_, inputs) => ({ outputs: {}, state: inputs }),
				},
			},
		});
		const holds = (value: number, when: string): void => {
			for (const [name, { data }] of Object.entries(program.read())) {
				t.true(
					data.every((x) => x === value),
					`${name} ${when}`,
				);
			}
		};
		for (const { data } of Object.values(initial)) data.fill(7);
		holds(1, 'compiled');
		const written = state(2);
		program.write(written);
		for (const { data } of Object.values(written)) data.fill(7);
		holds(2, 'written');
		const inputs = Object.fromEntries(entries(3));
		program.call('store', inputs);
		for (const data of Object.values(inputs)) data.fill(7);
		holds(3, 'stored by a function');
		program.dispose();
	});

	test(`${kind}: state entries can be exchanged, and outputs show what they were before`, (t) => {
		const program = on.compile({
			name: 'exchange',
			state: { a: vector(1, 2), b: vector(3, 4), c: vector(5) },
			functions: {
				swap: { inputs: {}, run: ({ a, b }) => ({ outputs: { first: a! }, state: { a: b!, b: a! } }) },
				add: {
					inputs: { x: [2] },
					run: ({ a }, { x }) => ({ outputs: { sum: tf.add(a!, x!), x: x! }, state: { a: tf.add(a!, x!) } }),
				},
			},
		});
		t.deepEqual([...program.call('swap', {}).first!.data], [1, 2]);
		t.deepEqual([...program.read(['a']).a!.data], [3, 4]);
		const { sum, x } = program.call('add', { x: Float32Array.of(10, 20) });
		t.deepEqual(
			[[...sum!.data], [...x!.data]],
			[
				[13, 24],
				[10, 20],
			],
		);
		program.write({ b: vector(7, 8) });
		t.deepEqual(
			Object.entries(program.read()).map(([name, { shape, data }]) => [name, shape, [...data]]),
			[
				['a', [2], [13, 24]],
				['b', [2], [7, 8]],
				['c', [1], [5]],
			],
		);
		program.dispose();
	});

	test(`${kind}: arrays that go in and come out belong to the caller`, (t) => {
		const initial = vector(1, 2);
		const program = on.compile({
			name: 'arrays',
			state: { a: initial },
			functions: { get: { inputs: { x: [2] }, run: ({ a }, { x }) => ({ outputs: { a: tf.add(a!, x!) } }) } },
		});
		initial.data.fill(9);
		const x = Float32Array.of(1, 1);
		const { a } = program.call('get', { x });
		x.fill(100);
		program.read().a!.data.fill(50);
		t.deepEqual([...a!.data], [2, 3]);
		t.deepEqual([...program.call('get', { x: Float32Array.of(0, 0) }).a!.data], [1, 2]);
		program.dispose();
	});

	test(`${kind}: a missing, misshapen or unknown input is named`, (t) => {
		const program = on.compile({
			name: 'inputs',
			state: { a: vector(1, 2) },
			functions: { id: { inputs: { x: [2, 3] }, run: (_, { x }) => ({ outputs: { x: x! } }) } },
		});
		const messages: [Record<string, Float32Array>, string][] = [
			[{}, 'Expected 6 floats [2,3] for input "x" of inputs.id but received nothing'],
			[{ x: new Float32Array(5) }, 'Expected 6 floats [2,3] for input "x" of inputs.id but received 5'],
			[
				{ x: new Float32Array(6), y: new Float32Array(1) },
				'Expected one of x for an input of inputs.id but received "y"',
			],
		];
		for (const [inputs, message] of messages)
			t.throws(() => program.call('id', inputs), { instanceOf: RtilError, message });
		t.throws(() => program.write({ a: vector(1) }), {
			message: 'Expected 2 floats [2] for state "a" of inputs but received 1',
		});
		t.throws(() => program.write({ b: vector(1) }), {
			message: 'Expected one of a for a state entry of inputs but received "b"',
		});
		program.dispose();
	});

	test(`${kind}: new state of another shape or name is refused`, (t) => {
		const program = (state: Record<string, tf.Tensor>): ProgramFunction => ({
			inputs: {},
			run: () => ({ outputs: {}, state }),
		});
		const call = (fn: ProgramFunction): void => {
			on.compile({ name: 'state', state: { a: vector(1, 2) }, functions: { fn } }).call('fn', {});
		};
		t.throws(() => call(program({ a: tf.ones([3]) })), {
			message: 'Expected shape [2] for the new state "a" of state.fn but received [3]',
		});
		t.throws(() => call(program({ b: tf.ones([2]) })), {
			message: 'Expected the name of a state entry for the new state of state.fn but received "b"',
		});
	});
}

test('two programs keep their state apart, also of equal names', (t) => {
	const make = (value: number) =>
		engine.compile({
			name: 'counter',
			state: { n: vector(value) },
			functions: {
				count: { inputs: {}, run: ({ n }) => ({ outputs: { n: n! }, state: { n: tf.add(n!, 1) } }) },
			},
		});
	const [a, b] = [make(0), make(100)];
	a.call('count', {});
	b.call('count', {});
	a.call('count', {});
	t.deepEqual([a.read().n!.data[0], b.read().n!.data[0]], [2, 101]);
	a.dispose();
	b.call('count', {});
	t.is(b.read().n!.data[0], 102);
	b.dispose();
});

test('a function without state and one without outputs', (t) => {
	const program = engine.compile({
		name: 'bare',
		state: {},
		functions: {
			double: { inputs: { x: [2] }, run: (_, { x }) => ({ outputs: { y: tf.mul(x!, 2) } }) },
			nothing: { inputs: { x: [2] }, run: () => ({ outputs: {} }) },
		},
	});
	t.deepEqual([...program.call('double', { x: Float32Array.of(1, 2) }).y!.data], [2, 4]);
	t.deepEqual(program.call('nothing', { x: Float32Array.of(1, 2) }), {});
	program.dispose();
});

const uncapturable: [string, ProgramFunction['run'], RegExp][] = [
	[
		'reads a value back',
		(_, { x }) => ({ outputs: { y: tf.mul(x!, tf.square(x!).dataSync()[0]!) } }),
		/^bad\.f cannot be captured: it reads back a value \(the result of Square\)$/,
	],
	[
		'reads an input back',
		(_, { x }) => ({ outputs: { y: tf.scalar(x!.dataSync()[0]!) } }),
		/^bad\.f cannot be captured: it reads back a value \(an input\)$/,
	],
	[
		'draws with Math.random',
		(_, { x }) => ({ outputs: { y: tf.mul(x!, Math.random()) } }),
		/^bad\.f cannot be captured: it draws random numbers \(Math\.random\)$/,
	],
	[
		'draws normals',
		(_, { x }) => ({ outputs: { y: tf.add(x!, tf.randomNormal([2])) } }),
		/^bad\.f cannot be captured: it draws random numbers/,
	],
	[
		'draws in TensorFlow',
		(_, { x }) => ({ outputs: { y: tf.cast(tf.multinomial(x as tf.Tensor1D, 2, 1), 'float32') } }),
		/^bad\.f cannot be captured: it draws random numbers/,
	],
];

for (const [what, run, message] of uncapturable) {
	test(`a function that ${what} is refused when it is captured, and leaves no trace`, (t) => {
		if (!captures) return t.pass('this engine runs functions as they are');
		const before = tf.memory().numTensors;
		const { random } = Math;
		t.throws(
			() =>
				engine.compile({
					name: 'bad',
					state: { a: vector(1) },
					functions: { f: { inputs: { x: [2] }, run } },
				}),
			{ instanceOf: RtilError, message },
		);
		t.is(tf.memory().numTensors, before);
		t.is(Math.random, random);
		const x = tf.tensor1d([1, 2]);
		const { gradients } = valueAndGradients(() => tf.sum(tf.square(x)) as tf.Scalar, { x });
		t.deepEqual([...gradients.x!.dataSync()], [2, 4]);
	});
}

test('an error inside a gradient leaves capturing usable', (t) => {
	const run: ProgramFunction['run'] = (_, { x }) => {
		const { gradients } = valueAndGradients(
			() => {
				const y = tf.square(x!);
				if (y.size > 0) throw new Error('on purpose');
				return tf.sum(y) as tf.Scalar;
			},
			{ x: x! },
		);
		return { outputs: gradients };
	};
	t.throws(
		() => {
			engine
				.compile({ name: 'throws', state: {}, functions: { f: { inputs: { x: [2] }, run } } })
				.call('f', { x: Float32Array.of(1, 2) });
		},
		{ message: 'on purpose' },
	);
	const program = engine.compile({
		name: 'after',
		state: {},
		functions: {
			f: {
				inputs: { x: [2] },
				run: (_, { x }) => ({
					outputs: valueAndGradients(() => tf.sum(tf.square(x!)) as tf.Scalar, { x: x! }).gradients,
				}),
			},
		},
	});
	t.deepEqual([...program.call('f', { x: Float32Array.of(1, 2) }).x!.data], [2, 4]);
	program.dispose();
});

test('a large constant and an integer one are captured by value', (t) => {
	const table = Float32Array.from({ length: 1000 }, (_, i) => i);
	const program = engine.compile({
		name: 'constants',
		state: {},
		functions: {
			pick: {
				inputs: { x: [1] },
				run: (_, { x }) => ({
					outputs: { y: tf.add(tf.gather(tf.tensor1d(table), tf.tensor1d([7, 999], 'int32')), x!) },
				}),
			},
		},
	});
	t.deepEqual([...program.call('pick', { x: Float32Array.of(0.5) }).y!.data], [7.5, 999.5]);
	program.dispose();
});
