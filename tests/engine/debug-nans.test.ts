// Looking for the first number that went bad.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { openEngine, valueAndGradients } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import { compileSteps } from '../../trainer/index.ts';
import { tinyArm, tinyInputs, tinyState } from './tiny.ts';

const engine = await openEngine({ debugNans: true });

const program = engine.compile({
	name: 'model',
	state: { w: { shape: [2], data: Float32Array.of(4, 1) } },
	functions: {
		loss: {
			inputs: { x: [2] },
			run: ({ w }, { x }) => {
				const { value, gradients } = valueAndGradients(
					() => {
						const root = tf.sqrt(tf.sub(w!, x!));
						return tf.sum(tf.mul(root, tf.exp(x!))) as tf.Scalar;
					},
					{ w: w! },
				);
				return { outputs: { loss: value }, state: { w: tf.sub(w!, gradients.w!) } };
			},
		},
	},
});

test.serial('a step of finite numbers runs as ever', (t) => {
	t.true(Number.isFinite(program.call('loss', { x: Float32Array.of(0, 0) }).loss!.data[0]));
	program.write({ w: { shape: [2], data: Float32Array.of(4, 1) } });
});

test.serial('the first operation that gives NaN is named with what it was given', (t) => {
	t.throws(() => program.call('loss', { x: Float32Array.of(1, 3) }), {
		instanceOf: RtilError,
		code: 'DIVERGED',
		message:
			'In model.loss, the result of Sqrt has NaN at element 1 of [2]; it was given x [2] in [-2.00, 3.00]',
	});
});

test.serial('so is one that gives infinity in a gradient', (t) => {
	const error = t.throws(() => program.call('loss', { x: Float32Array.of(0, 1) }), { instanceOf: RtilError });
	t.regex(
		error!.message,
		/^In model\.loss, the result of \w+ has Infinity at element 1 of \[2\]; it was given /,
	);
});

test.serial('a bad input or state entry is named before anything runs', (t) => {
	t.throws(() => program.call('loss', { x: Float32Array.of(0, Number.NaN) }), {
		message: 'In model.loss, the input "x" has NaN at element 1 of [2]',
	});
	program.write({ w: { shape: [2], data: Float32Array.of(Number.NEGATIVE_INFINITY, 0) } });
	t.throws(() => program.call('loss', { x: Float32Array.of(0, 0) }), {
		message: 'In model.loss, the state "w" has -Infinity at element 0 of [2]',
	});
	program.write({ w: { shape: [2], data: Float32Array.of(4, 1) } });
	t.true(Number.isFinite(program.call('loss', { x: Float32Array.of(0, 0) }).loss!.data[0]), 'and it goes on');
});

test.serial('a training step is watched through all its operations', (t) => {
	const arm = tinyArm();
	const training = compileSteps(engine, arm, tinyState(arm));
	t.true(Number.isFinite(training.call('d', tinyInputs(arm, 'd')).loss!.data[0]));
	const g = training.read(['g']).g!;
	training.write({ g: { ...g, data: g.data.map((value) => value * 1e30) } });
	const error = t.throws(() => training.call('d', tinyInputs(arm, 'd')), { instanceOf: RtilError });
	t.regex(
		error!.message,
		/^In training\.d, the result of \w+ has (NaN|-?Infinity) at element \d+ of \[[\d,]+\]; it was given /,
	);
	training.dispose();
});
