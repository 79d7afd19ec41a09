// One step of each kind of a tiny StyleGAN2, and circular convolutions both ways, on the engine named by the first
// argument; the numbers go to the parent.
import * as tf from '@tensorflow/tfjs-core';
import { circularConvolve, type EngineName, openEngine, stream, vectorJacobian } from '../../engine/index.ts';
import { compileSteps } from '../../trainer/index.ts';
import { steps, tinyArm, tinyInputs, tinyState } from './tiny.ts';

export type Numbers = Record<string, Float32Array>;

const engine = await openEngine({ engine: process.argv[2] as EngineName, threads: 1 });
const arm = tinyArm(true);
const state = tinyState(arm);
const program = compileSteps(engine, arm, state);
const numbers: Numbers = {};
for (const step of steps) {
	program.write(state); // each step from the same state: differences do not add up
	const outputs = program.call(step, tinyInputs(arm, step));
	for (const [name, { data }] of Object.entries(outputs)) numbers[`${step}: ${name}`] = data;
	for (const [name, { data }] of Object.entries(program.read()))
		numbers[`${step}: change of ${name}`] = data.map((value, i) => value - state[name]!.data[i]!);
}
for (const n of [12, 15, 192]) {
	const draw = (name: string, rows: number): tf.Tensor =>
		tf.tensor2d(stream(n, name).normals(0, rows * n), [rows, n]);
	const [x, y, kernel, kernels] = [draw('x', 2), draw('y', 2), tf.reshape(draw('k', 1), [n]), draw('ks', 2)];
	for (const [name, k] of Object.entries({ shared: kernel, own: kernels })) {
		numbers[`convolution ${n} ${name}`] = circularConvolve(x, k).dataSync() as Float32Array;
		const [back] = vectorJacobian(() => circularConvolve(x, k), [x], y);
		numbers[`correlation ${n} ${name}`] = back!.dataSync() as Float32Array;
	}
	numbers[`x ${n}`] = x.dataSync() as Float32Array;
	numbers[`y ${n}`] = y.dataSync() as Float32Array;
}
process.send!(numbers, () => process.exit());
