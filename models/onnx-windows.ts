// ONNX operators that look through windows: convolution and pools of values [1, C, H, W]. They go over to [1, H, W, C],
// pad as the node says, and come back.
import * as tf from '@tensorflow/tfjs-core';
import { conv2d, type HostTensor } from '../engine/index.ts';
import type { OnnxCall, OnnxOperator } from './onnx-operators.ts';

/** The lowest float32: what lies outside never wins. */
const LOWEST = -3.4028234663852886e38;

interface Windows {
	kernel: [height: number, width: number];
	stride: [down: number, across: number];
	/** Before and after, of rows and of columns. */
	pads: [rows: [number, number], columns: [number, number]];
	/** [H', W'] of what comes out. */
	size: [number, number];
}

/** The windows of a node over x [1, C, H, W]; the kernel of a convolution is that of its filter. */
function windows(call: OnnxCall, x: readonly number[], kernel?: readonly number[]): Windows {
	call.only('auto_pad', 'NOTSET');
	const [, , height, width] = x;
	const stated = call.numbers('kernel_shape') ?? kernel;
	if (x.length !== 4 || stated?.length !== 2) throw call.refuse(`looks at [${x}] through [${stated ?? []}]`);
	if (kernel && `${kernel}` !== `${stated}`) throw call.refuse(`has filters of [${kernel}], not [${stated}]`);
	const [down = 0, across = 0] = call.numbers('strides') ?? [1, 1];
	const [top = 0, left = 0, bottom = 0, right = 0] = call.numbers('pads') ?? [0, 0, 0, 0];
	const dilations = call.numbers('dilations') ?? [1, 1];
	if (dilations.some((step) => step !== 1)) throw call.refuse('is dilated');
	const [rows, columns] = stated as [number, number];
	const whole = [rows, columns, down, across].every((value) => Number.isInteger(value) && value >= 1);
	const inside = [top, bottom].every((pad) => pad >= 0 && pad < rows);
	if (!whole || !inside || ![left, right].every((pad) => pad >= 0 && pad < columns))
		throw call.refuse(
			`has windows of [${stated}] with strides [${down},${across}] and pads [${[top, left, bottom, right]}]`,
		);
	return {
		kernel: [rows, columns],
		stride: [down, across],
		pads: [
			[top, bottom],
			[left, right],
		],
		size: [
			Math.floor((height! + top + bottom - rows) / down) + 1,
			Math.floor((width! + left + right - columns) / across) + 1,
		],
	};
}

/** [1, C, H, W] → [1, H, W, C] with the pads around. */
function around(x: tf.Tensor, { pads: [rows, columns] }: Windows, value = 0): tf.Tensor4D {
	const turned = tf.transpose(x, [0, 2, 3, 1]);
	const padded = [...rows, ...columns].some((pad) => pad > 0)
		? tf.pad(turned, [[0, 0], rows, columns, [0, 0]], value)
		: turned;
	return padded as tf.Tensor4D;
}

const back = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 3, 1, 2]);

/** Conv: one group, or one a channel. */
export const convolution: OnnxOperator = (call) => {
	const x = call.tensor(0);
	const [outputs = 0, inputs = 0, ...kernel] = call.known(1).shape;
	const over = windows(call, x, kernel);
	const groups = call.number('group', 1);
	const channels = x[1]!;
	const apart = groups === channels && inputs === 1 && groups > 1;
	if (!apart && groups !== 1) throw call.refuse(`has ${groups} groups of ${channels} channels`);
	if (inputs * groups !== channels || outputs % groups !== 0)
		throw call.refuse(`has filters [${call.known(1).shape}] for ${channels} channels`);
	const [down, across] = over.stride;
	if (down !== across) throw call.refuse(`has the strides [${over.stride}]`);
	call.parameter(1, apart ? apartFilter(call.known(1), channels) : plainFilter(call.known(1)));
	if (call.has(2) && `${call.tensor(2)}` !== `${outputs}`)
		throw call.refuse(`adds [${call.known(2).shape}] to ${outputs} channels`);
	return {
		shape: [1, outputs, ...over.size],
		run: ([value, filter, bias]) => {
			const padded = around(value!, over);
			const y = apart
				? tf.depthwiseConv2d(padded, filter as tf.Tensor4D, down, 'valid')
				: conv2d(padded, filter!, down, 'valid');
			return back(bias ? tf.add(y, bias) : y);
		},
	};
};

/** [O, I, kh, kw] → [kh, kw, I, O]. */
function plainFilter({ shape, data }: HostTensor): HostTensor {
	const [outputs, inputs, height, width] = shape as [number, number, number, number];
	const out = new Float32Array(data.length);
	let at = 0;
	for (let o = 0; o < outputs; o++)
		for (let i = 0; i < inputs; i++)
			for (let tap = 0; tap < height * width; tap++) out[(tap * inputs + i) * outputs + o] = data[at++]!;
	return { shape: [height, width, inputs, outputs], data: out };
}

/** [C·m, 1, kh, kw] → [kh, kw, C, m]: outputs of a channel lie together. */
function apartFilter(filter: HostTensor, channels: number): HostTensor {
	const { shape, data } = plainFilter(filter);
	const [height, width, , outputs] = shape as [number, number, number, number];
	return { shape: [height, width, channels, outputs / channels], data };
}

export const largestPool: OnnxOperator = (call) => {
	const x = call.tensor(0);
	call.only('ceil_mode', 0);
	call.only('storage_order', 0);
	const over = windows(call, x);
	return {
		shape: [1, x[1]!, ...over.size],
		run: ([value]) => back(tf.maxPool(around(value!, over, LOWEST), over.kernel, over.stride, 'valid')),
	};
};

export const averagePool: OnnxOperator = (call) => {
	const x = call.tensor(0);
	call.only('ceil_mode', 0);
	const outside = call.number('count_include_pad', 0) !== 0;
	const over = windows(call, x);
	const pooled = (value: tf.Tensor): tf.Tensor =>
		tf.avgPool(around(value, over), over.kernel, over.stride, 'valid');
	return {
		shape: [1, x[1]!, ...over.size],
		run: ([value]) => {
			const mean = pooled(value!);
			// Over what lies inside: by the share of each window that does.
			return back(outside ? mean : tf.div(mean, pooled(tf.fill([1, 1, x[2]!, x[3]!], 1))));
		},
	};
};
