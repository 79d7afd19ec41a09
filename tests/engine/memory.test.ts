// A program leaves nothing behind: no tensor of tfjs, none of TensorFlow, no growing process.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import {
	openEngine,
	type Program,
	type ProgramFunction,
	valueAndGradients,
	vectorJacobian,
} from '../../engine/index.ts';
import { compileSteps } from '../../trainer/index.ts';
import { steps, tinyArm, tinyInputs, tinyState } from './tiny.ts';

const engine = await openEngine();
const eager = await openEngine({ capture: false });

/** Tensors that the addon holds, with or without tfjs knowing of them; 0 on wasm. */
function held(): number {
	const { binding } = tf.backend() as unknown as { binding?: { getNumOfTensors?(): number } };
	return binding?.getNumOfTensors?.() ?? 0;
}

/** A descent step with a gradient of a gradient, on state: a few dozen operations. */
const spec = {
	name: 'descent',
	state: { w: { shape: [8, 8], data: new Float32Array(64).fill(0.1) } },
	functions: {
		step: {
			inputs: { x: [4, 8] },
			run: ({ w }, { x }) => {
				const { value, gradients } = valueAndGradients(
					() => {
						const [slope] = vectorJacobian(() => tf.sum(tf.softplus(tf.matMul(x!, w!))), [x!]);
						return tf.sum(tf.square(slope!)) as tf.Scalar;
					},
					{ w: w! },
				);
				return { outputs: { loss: value }, state: { w: tf.sub(w!, tf.mul(gradients.w!, 1e-3)) } };
			},
		} satisfies ProgramFunction,
	},
};

/** Garbage that V8 has not come to yet is no growth. */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function measured(
	program: Program<typeof spec.functions>,
	calls: number,
): Promise<{ tensors: number; bytes: number }> {
	const x = new Float32Array(32).fill(0.5);
	const run = async (n: number): Promise<void> => {
		for (let i = 0; i < n; i++) {
			program.call('step', { x });
			if (i % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
		}
	};
	await run(200); // pools and compiled code are there
	collect();
	const before = { tensors: tf.memory().numTensors + held(), bytes: process.memoryUsage().rss };
	await run(calls);
	collect();
	return {
		tensors: tf.memory().numTensors + held() - before.tensors,
		bytes: process.memoryUsage().rss - before.bytes,
	};
}

for (const [kind, on] of [
	['captured', engine],
	['eager', eager],
] as const) {
	test.serial(
		`1000 ${kind} steps leak no tensor and grow the process by less than 16 KiB each`,
		async (t) => {
			const program = on.compile(spec);
			const grown = await measured(program, 1000);
			t.is(grown.tensors, 0);
			t.log(`${(grown.bytes / 2 ** 20).toFixed(1)} MiB`);
			t.true(grown.bytes < 16 * 1024 * 1000, `${(grown.bytes / 2 ** 20).toFixed(1)} MiB`);
			program.dispose();
		},
	);

	test.serial(`${kind}: compiling, training steps, reading and writing free all they make`, (t) => {
		const before = [tf.memory().numTensors, held()];
		const arm = tinyArm(true);
		const program = compileSteps(on, arm, tinyState(arm));
		for (let at = 0; at < 2; at++) {
			const between = [tf.memory().numTensors, held()];
			for (const step of steps) program.call(step, tinyInputs(arm, step, at));
			program.call('average', { decay: Float32Array.of(0.5) });
			program.write(program.read());
			t.deepEqual([tf.memory().numTensors, held()], between);
		}
		program.dispose();
		t.deepEqual([tf.memory().numTensors, held()], before);
	});

	test.serial(`${kind}: a call that fails frees what it made`, (t) => {
		const program = on.compile(spec);
		const before = [tf.memory().numTensors, held()];
		for (let i = 0; i < 3; i++) t.throws(() => program.call('step', { x: new Float32Array(3) }));
		t.deepEqual([tf.memory().numTensors, held()], before);
		program.dispose();
	});
}
