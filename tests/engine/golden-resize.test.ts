// Resizing against PyTorch (fixture op_downsample), forward and gradient.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import type { HostTensor } from '../../engine/contract.ts';
import {
	elements,
	openEngine,
	type ResizeFilter,
	resize,
	resizeMatrix,
	vectorJacobian,
} from '../../engine/index.ts';
import { testGolden } from '../golden.ts';

await openEngine();

const nhwc = ({ shape, data }: HostTensor): tf.Tensor =>
	tf.transpose(tf.tensor(data, [...shape]), [0, 2, 3, 1]);
const image = (x: tf.Tensor): HostTensor => {
	const y = tf.transpose(x, [0, 3, 1, 2]);
	return { shape: y.shape, data: y.dataSync() as Float32Array };
};

testGolden('resizing equals PyTorch, forward and backward', 'op_downsample', (t, f) => {
	const kinds: Record<string, [filter: ResizeFilter, antialias: boolean]> = {
		box: ['area', true],
		torch_bicubic_aa: ['bicubic', true],
		torch_bicubic_noaa: ['bicubic', false],
		torch_bilinear: ['bilinear', false],
	};
	let compared = 0;
	for (const name of f.names({ role: 'expected' })) {
		const [, kind, size, what] = /^(.*?)_?(\d+|odd|up2)(?:\.(Ax|ATy))?$/.exec(name) ?? [];
		const [filter, antialias] = kinds[kind === 'torch_bicubic' ? 'torch_bicubic_noaa' : (kind ?? '')] ?? [];
		if (!filter || !size) continue;
		const whole = nhwc(f.tensor(size === 'odd' ? 'x30x42' : 'x32'));
		const x = tf.slice(whole, 0, f.tensor(name).shape[0]!);
		const [, h, w] = x.shape as [number, number, number, number];
		const [height, width] =
			size === 'odd'
				? (f.config.odd_size as [number, number])
				: size === 'up2'
					? [2 * h, 2 * w]
					: [h / Number(size), w / Number(size)];
		const run = () => resize(x, height, width, filter, { antialias: antialias! });
		if (what === 'ATy') {
			const [n, , , c] = x.shape as [number, number, number, number];
			const shape = [n, c, height, width];
			const y = nhwc({ shape, data: f.tensor('y_src').data.slice(0, elements(shape)) });
			f.expect(name, image(vectorJacobian(run, [x], y)[0]!));
		} else {
			f.expect(name, image(run()));
		}
		compared++;
	}
	t.true(compared >= 10, `only ${compared} tensors were compared`);
});

test('the rows of every matrix sum to one, and equal sizes change nothing', (t) => {
	for (const filter of ['nearest', 'bilinear', 'bicubic', 'area'] as const) {
		for (const [from, to] of [
			[12, 5],
			[5, 12],
			[9, 9],
		] as const) {
			const { data } = resizeMatrix(from, to, filter);
			for (let i = 0; i < to; i++) {
				const row = data.slice(i * from, (i + 1) * from);
				t.true(Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-6, `${filter} ${from} → ${to}`);
				if (from === to) t.is(row[i], 1);
			}
		}
	}
});
