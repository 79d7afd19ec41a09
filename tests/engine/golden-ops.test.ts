// Ops against PyTorch (fixture section 1), forward and gradients.
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../../engine/contract.ts';
import {
	biasLeakyRelu,
	blurForStride2,
	conv2d,
	downsample2,
	elements,
	type FirKernel,
	firKernel,
	leakyRelu,
	minibatchStddev,
	modulatedConv2d,
	openEngine,
	pixelNorm,
	upfirdn2d,
	upsample2,
	vectorJacobian,
} from '../../engine/index.ts';
import { type Fixture, testGolden } from '../golden.ts';

await openEngine();

const load = ({ shape, data }: HostTensor): tf.Tensor => tf.tensor(data, [...shape]);
const nhwc = (x: HostTensor): tf.Tensor => tf.transpose(load(x), [0, 2, 3, 1]);
const hwio = (w: HostTensor): tf.Tensor =>
	tf.transpose(tf.reshape(load(w), w.shape.slice(-4) as number[]), [2, 3, 1, 0]);
const host = (x: tf.Tensor): HostTensor => ({ shape: x.shape, data: x.dataSync() as Float32Array });
const image = (x: tf.Tensor): HostTensor => host(tf.transpose(x, [0, 3, 1, 2]));
const filter = (w: tf.Tensor): HostTensor => host(tf.transpose(w, [3, 2, 0, 1]));
const matrix = (w: tf.Tensor): HostTensor => host(tf.transpose(w));

/** The cotangent of a result: the first values of the fixture's `g_src`, in PyTorch's layout. */
function cotangent(f: Fixture, y: tf.Tensor): tf.Tensor {
	const source = f.tensor('g_src').data;
	if (y.rank !== 4) return tf.tensor(source.slice(0, elements(y.shape)), y.shape);
	const [n, h, w, c] = y.shape as [number, number, number, number];
	return nhwc({ shape: [n, c, h, w], data: source.slice(0, elements(y.shape)) });
}

function gradients(f: Fixture, run: () => tf.Tensor, at: tf.Tensor[]): tf.Tensor[] {
	return vectorJacobian(run, at, cotangent(f, run()));
}

/** A filter [kh, kw, I, O] at its equalised learning rate. */
function equalised(weight: tf.Tensor): tf.Tensor {
	return tf.mul(weight, 1 / Math.sqrt(weight.shape[0]! * weight.shape[1]! * weight.shape[2]!));
}

function kernelOf({ shape, data }: HostTensor): FirKernel {
	return { height: shape[0]!, width: shape[1]!, taps: data };
}

testGolden('upfirdn2d equals the reference, forward and backward', 'ops_upfirdn2d', (t, f) => {
	const both = (v: number | number[]): [number, number] => (typeof v === 'number' ? [v, v] : [v[1]!, v[0]!]);
	for (const c of f.config.cases) {
		const pad: [number, number, number, number] =
			c.pad.length === 2
				? [c.pad[0], c.pad[1], c.pad[0], c.pad[1]]
				: [c.pad[2], c.pad[3], c.pad[0], c.pad[1]];
		const x = nhwc(f.tensor(c.x));
		const run = () => upfirdn2d(x, kernelOf(f.tensor(c.kernel)), { up: both(c.up), down: both(c.down), pad });
		f.expect(`${c.id}.y`, image(run()));
		f.expect(`${c.id}.dx`, image(gradients(f, run, [x])[0]!));
	}
	t.pass();
});

testGolden('resampling modules equal the reference', 'ops_blur_resample', (t, f) => {
	for (const name of f.names({ role: 'expected' }).filter((n) => n.endsWith('.y'))) {
		const [input, tapName, module] = name.split('.') as [string, string, string];
		const taps = (f.config.taps as number[][]).find((candidate) => candidate.join('') === tapName)!;
		const x = nhwc(f.tensor(`x_${input}`));
		const after = taps.length - 2 - 2;
		const run = {
			up2: () => upsample2(x, taps),
			down2: () => downsample2(x, taps),
			blur_after_convT3: () => {
				const [b, e] = [Math.floor((after + 1) / 2) + 1, Math.floor(after / 2) + 1];
				return upfirdn2d(x, firKernel(taps, 4), { pad: [b, e, b, e] });
			},
			blur_before_conv3s2: () => blurForStride2(x, 3, taps),
			blur_before_conv1s2: () => blurForStride2(x, 1, taps),
		}[module]!;
		f.expect(name, image(run()));
		f.expect(name.replace(/y$/, 'dx'), image(gradients(f, run, [x])[0]!));
	}
	t.pass();
});

testGolden('modulated convolution equals the reference with all gradients', 'ops_modconv', (t, f) => {
	for (const c of f.config.cases) {
		const x = nhwc(f.tensor(`${c.id}.x`));
		const w = load(f.tensor(`${c.id}.style`));
		const weight = hwio(f.tensor(`${c.id}.weight`));
		const modWeight = tf.transpose(load(f.tensor(`${c.id}.mod_w`)));
		const modBias = load(f.tensor(`${c.id}.mod_b`));
		const style = () => tf.add(tf.matMul(w, tf.mul(modWeight, 1 / Math.sqrt(c.style_dim))), modBias);
		const run = () =>
			modulatedConv2d(x, weight, style(), {
				demodulate: c.demod,
				resample: c.up ? 'up' : c.down ? 'down' : 'plain',
				gain: 1 / Math.sqrt(c.in * c.k * c.k),
			});
		f.expect(`${c.id}.s`, host(style()));
		f.expect(`${c.id}.y`, image(run()));
		const [dx, dw, dWeight, dModWeight, dModBias] = gradients(f, run, [x, w, weight, modWeight, modBias]);
		f.expect(`${c.id}.dx`, image(dx!));
		f.expect(`${c.id}.dstyle`, host(dw!));
		const { shape, data } = filter(dWeight!);
		f.expect(`${c.id}.dweight`, { shape: [1, ...shape], data });
		f.expect(`${c.id}.dmod_w`, matrix(dModWeight!));
		f.expect(`${c.id}.dmod_b`, host(dModBias!));
	}
	t.pass();
});

testGolden('layers equal the reference with all gradients', 'ops_layers', (t, f) => {
	for (const batch of Object.keys(f.config.stddev_batches)) {
		const x = nhwc(f.tensor(`std.x${batch}`));
		const run = () => minibatchStddev(x, f.config.stddev_group);
		f.expect(`std.sg2.${batch}.y`, image(run()));
		f.expect(`std.sg2.${batch}.dx`, image(gradients(f, run, [x])[0]!));
	}
	for (const [rank, name] of [
		['4d', 'lrelu.x'],
		['2d', 'lrelu.x2'],
	] as const) {
		const [read, write] = rank === '4d' ? [nhwc, image] : [load, host];
		const x = read(f.tensor(name));
		const bias = load(f.tensor('lrelu.bias'));
		const run = () => biasLeakyRelu(x, bias);
		f.expect(`lrelu.${rank}.y`, write(run()));
		const [dx, dbias] = gradients(f, run, [x, bias]);
		f.expect(`lrelu.${rank}.dx`, write(dx!));
		f.expect(`lrelu.${rank}.dbias`, host(dbias!));
		f.expect(`pixelnorm.${rank}.y`, write(pixelNorm(x)));
		f.expect(`pixelnorm.${rank}.dx`, write(gradients(f, () => pixelNorm(x), [x])[0]!));
	}
	for (const [name, { lr_mul: rate = 1, activation }] of Object.entries(
		f.config.equal_linear as Record<string, { lr_mul?: number; activation?: string }>,
	)) {
		const x = load(f.tensor('lin.x'));
		const weight = tf.transpose(load(f.tensor('lin.weight')));
		const bias = load(f.tensor('lin.bias'));
		const run = () => {
			const y = tf.matMul(x, tf.mul(weight, rate / Math.sqrt(weight.shape[0]!)));
			return activation ? biasLeakyRelu(y, tf.mul(bias, rate)) : tf.add(y, tf.mul(bias, rate));
		};
		f.expect(`lin.${name}.y`, host(run()));
		const [dx, dw, db] = gradients(f, run, [x, weight, bias]);
		f.expect(`lin.${name}.dx`, host(dx!));
		f.expect(`lin.${name}.dweight`, matrix(dw!));
		f.expect(`lin.${name}.dbias`, host(db!));
	}
	for (const [name, layer] of Object.entries(
		f.config.conv_layer as Record<
			string,
			{ kernel_size: number; downsample?: boolean; activate?: boolean; bias?: boolean }
		>,
	)) {
		const x = nhwc(f.tensor('cl.x'));
		const k = layer.kernel_size;
		const weight = hwio(f.tensor(`cl.weight${k}`));
		const bias = load(f.tensor('cl.bias'));
		const run = () => {
			const y = layer.downsample
				? conv2d(blurForStride2(x, k), equalised(weight), 2)
				: conv2d(x, equalised(weight));
			if (layer.activate === false) return layer.bias === false ? y : tf.add(y, bias);
			return biasLeakyRelu(y, bias);
		};
		f.expect(`cl.${name}.y`, image(run()));
		const [dx, dw, db] = gradients(f, run, [x, weight, bias]);
		f.expect(`cl.${name}.dx`, image(dx!));
		for (const gradient of f.names({ role: 'expected', prefix: `cl.${name}.d_` })) {
			f.expect(gradient, gradient.endsWith('weight') ? filter(dw!) : host(db!));
		}
	}
	const x = nhwc(f.tensor('cl.x'));
	const [w1, w2, skip] = ['conv1.0', 'conv2.1', 'skip.1'].map((name) => hwio(f.tensor(`rb.${name}.weight`)));
	const [b1, b2] = ['conv1.1', 'conv2.2'].map((name) => load(f.tensor(`rb.${name}.bias`)));
	const run = () => {
		const h = biasLeakyRelu(conv2d(x, equalised(w1!)), b1!);
		const y = biasLeakyRelu(conv2d(blurForStride2(h, 3), equalised(w2!), 2), b2!);
		return tf.mul(tf.add(y, conv2d(downsample2(x), equalised(skip!))), Math.SQRT1_2);
	};
	f.expect('resblock.y', image(run()));
	const [dx, dw1, dw2, dskip, db1, db2] = gradients(f, run, [x, w1!, w2!, skip!, b1!, b2!]);
	f.expect('resblock.dx', image(dx!));
	f.expect('resblock.d_conv1_0_weight', filter(dw1!));
	f.expect('resblock.d_conv2_1_weight', filter(dw2!));
	f.expect('resblock.d_skip_1_weight', filter(dskip!));
	f.expect('resblock.d_conv1_1_bias', host(db1!));
	f.expect('resblock.d_conv2_2_bias', host(db2!));
	t.true(leakyRelu(tf.scalar(-1)).dataSync()[0]! < 0);
});
