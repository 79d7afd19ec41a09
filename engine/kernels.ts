// Kernels that tfjs does not expose, for each backend: a TensorFlow operation on gpu and native, a composition on wasm.
import * as tf from '@tensorflow/tfjs-core';
import type { NativeBackend, OpAttribute } from './native.ts';

/** dy where x > 0, alpha·dy elsewhere. */
export const LeakyReluGradient = 'RtilLeakyReluGradient';
/** Circular convolution of real rows: x [N, n] with kernels [N or 1, n]; `adjoint` correlates instead. */
export const CircularConvolution = 'RtilCircularConvolution';
/** Correlates every channel with one small kernel [kh, kw], no padding, stride 1 or 2. */
export const Fir = 'RtilFir';

type Inputs = Record<string, tf.TensorInfo>;

function attributes(backend: NativeBackend): {
	type(name: string, value: number): OpAttribute;
	float(name: string, value: number): OpAttribute;
	ints(name: string, value: number[]): OpAttribute;
	text(name: string, value: string): OpAttribute;
} {
	const { binding } = backend;
	return {
		type: (name, value) => ({ name, type: binding.TF_ATTR_TYPE, value }),
		float: (name, value) => ({ name, type: binding.TF_ATTR_FLOAT, value }),
		ints: (name, value) => ({ name, type: binding.TF_ATTR_INT, value }),
		text: (name, value) => ({ name, type: binding.TF_ATTR_STRING, value }),
	};
}

const DT_FLOAT = 1;
const DT_COMPLEX64 = 8;

/** Registers this room's kernels for the libtensorflow backend. */
export function registerNativeKernels(): void {
	const register = (
		kernelName: string,
		run: (inputs: Inputs, attrs: Record<string, unknown>, backend: NativeBackend) => tf.TensorInfo,
	): void => {
		tf.registerKernel({
			kernelName,
			backendName: 'tensorflow',
			kernelFunc: ({ inputs, attrs, backend }) =>
				run(inputs as Inputs, (attrs ?? {}) as Record<string, unknown>, backend as NativeBackend),
		});
	};

	register(LeakyReluGradient, ({ dy, x }, { alpha }, backend) => {
		const make = attributes(backend);
		return backend.executeSingleOutput(
			'LeakyReluGrad',
			[make.type('T', DT_FLOAT), make.float('alpha', alpha as number)],
			[dy!, x!],
		);
	});

	register(Fir, ({ x, kernel }, { stride, channels }, backend) => {
		const make = attributes(backend);
		const [height, width] = kernel!.shape as [number, number];
		const filter = tf.tidy(() =>
			tf.mul(
				tf.reshape(kernel as tf.Tensor, [height, width, 1, 1]),
				tf.fill([1, 1, channels as number, 1], 1),
			),
		);
		const result = backend.executeSingleOutput(
			'DepthwiseConv2dNative',
			[
				make.type('T', DT_FLOAT),
				make.ints('strides', [1, stride as number, stride as number, 1]),
				make.text('padding', 'VALID'),
				make.text('data_format', 'NHWC'),
				make.ints('dilations', [1, 1, 1, 1]),
			],
			[x!, filter],
		);
		filter.dispose();
		return result;
	});

	register(CircularConvolution, ({ x, kernel }, { adjoint }, backend) => {
		const make = attributes(backend);
		const n = x!.shape[1]!;
		return tf.tidy(() => {
			const length = tf.tensor1d([n], 'int32');
			const transform = (value: tf.TensorInfo): tf.Tensor =>
				backend.executeSingleOutput(
					'RFFT',
					[make.type('Treal', DT_FLOAT), make.type('Tcomplex', DT_COMPLEX64)],
					[value, length],
				);
			const complex = [make.type('T', DT_COMPLEX64)];
			const spectrum = transform(kernel!);
			const product = backend.executeSingleOutput('Mul', complex, [
				transform(x!),
				adjoint ? backend.executeSingleOutput('Conj', complex, [spectrum]) : spectrum,
			]);
			return backend.executeSingleOutput(
				'IRFFT',
				[make.type('Treal', DT_FLOAT), make.type('Tcomplex', DT_COMPLEX64)],
				[product, length],
			);
		});
	});
}

/** Registers this room's kernels for the wasm backend, composed of what it has. */
export function registerWasmKernels(): void {
	const register = (
		kernelName: string,
		run: (inputs: Record<string, tf.Tensor>, attrs: Record<string, unknown>) => tf.Tensor,
	): void => {
		tf.registerKernel({
			kernelName,
			backendName: 'wasm',
			kernelFunc: ({ inputs, attrs }) =>
				tf.tidy(() =>
					run(inputs as unknown as Record<string, tf.Tensor>, (attrs ?? {}) as Record<string, unknown>),
				),
		});
	};

	register(LeakyReluGradient, ({ dy, x }, { alpha }) => tf.mul(dy!, tf.step(x!, alpha as number)));

	// One pass a tap beats the depthwise kernel here; equal taps of a row share their multiplication.
	register(Fir, ({ x, kernel }, { stride }) => {
		const [height, width] = kernel!.shape as [number, number];
		const taps = kernel!.dataSync();
		const [n, h, w, c] = x!.shape as [number, number, number, number];
		const full: [number, number] = [h - height + 1, w - width + 1];
		let sum: tf.Tensor | undefined;
		for (let i = 0; i < height; i++) {
			for (let j = 0; j < width; j++) {
				const tap = taps[i * width + j]!;
				if (tap === 0) continue;
				const term = tf.mul(tf.slice(x!, [0, i, j, 0], [n, ...full, c]), tap);
				sum = sum ? tf.add(sum, term) : term;
			}
		}
		const dense = sum ?? tf.fill([n, ...full, c], 0);
		return stride === 1 ? dense : everyOther(dense);
	});

	register(CircularConvolution, ({ x, kernel }, { adjoint }) => {
		const n = x!.shape[1]!;
		const a = fourier(x!, tf.fill(x!.shape, 0), n, -1);
		const b = fourier(kernel!, tf.fill(kernel!.shape, 0), n, -1);
		const bIm = adjoint ? tf.neg(b.im) : b.im;
		const re = tf.sub(tf.mul(a.re, b.re), tf.mul(a.im, bIm));
		const im = tf.add(tf.mul(a.re, bIm), tf.mul(a.im, b.re));
		return tf.div(fourier(re, im, n, 1).re, n);
	});
}

/** Samples 0, 2, 4, … along height and width, by reshaping (rank ≤ 4: larger ranks are slow on wasm). */
function everyOther(x: tf.Tensor): tf.Tensor {
	const [n, h, w, c] = x.shape as [number, number, number, number];
	const even: [number, number] = [h + (h % 2), w + (w % 2)];
	const padded = tf.pad(x, [
		[0, 0],
		[0, even[0] - h],
		[0, even[1] - w],
		[0, 0],
	]);
	const rows = tf.slice(tf.reshape(padded, [(n * even[0]) / 2, 2, even[1] * c]), [0, 0, 0], [-1, 1, -1]);
	const columns = tf.slice(tf.reshape(rows, [(n * even[0] * even[1]) / 4, 2, c]), [0, 0, 0], [-1, 1, -1]);
	return tf.reshape(columns, [n, even[0] / 2, even[1] / 2, c]);
}

/**
 * Discrete Fourier transform of rows [N, n] by the four-step method: n = p·q, matrix transforms of size p and q with
 * twiddle factors between. `sign` −1 is forward, +1 inverse (unnormalised).
 */
function fourier(re: tf.Tensor, im: tf.Tensor, n: number, sign: 1 | -1): { re: tf.Tensor; im: tf.Tensor } {
	let p = Math.floor(Math.sqrt(n));
	while (n % p !== 0) p--;
	const q = n / p;
	const rows = re.shape[0]!;
	const table = (
		height: number,
		width: number,
		period: number,
		part: (angle: number) => number,
	): tf.Tensor => {
		const values = new Float32Array(height * width);
		for (let i = 0; i < height; i++) {
			for (let j = 0; j < width; j++)
				values[i * width + j] = part((sign * 2 * Math.PI * ((i * j) % period)) / period);
		}
		return tf.tensor2d(values, [height, width]);
	};
	const times = (
		a: { re: tf.Tensor; im: tf.Tensor },
		b: { re: tf.Tensor; im: tf.Tensor },
		op: typeof tf.matMul,
	): { re: tf.Tensor; im: tf.Tensor } => ({
		re: tf.sub(op(a.re, b.re), op(a.im, b.im)),
		im: tf.add(op(a.re, b.im), op(a.im, b.re)),
	});
	const matrix = (size: number): { re: tf.Tensor; im: tf.Tensor } => ({
		re: table(size, size, size, Math.cos),
		im: table(size, size, size, Math.sin),
	});
	// x[a·q + b] → transform over a (columns of stride q), twiddle, transform over b; result index c + p·d.
	const columns = (x: tf.Tensor): tf.Tensor =>
		tf.reshape(tf.transpose(tf.reshape(x, [rows, p, q]), [0, 2, 1]), [rows * q, p]);
	const inner = times({ re: columns(re), im: columns(im) }, matrix(p), tf.matMul); // [rows·q, p]
	const twiddle = { re: table(q, p, n, Math.cos), im: table(q, p, n, Math.sin) };
	const grid = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [rows, q, p]);
	const turned = times({ re: grid(inner.re), im: grid(inner.im) }, twiddle, tf.mul as typeof tf.matMul);
	const across = (x: tf.Tensor): tf.Tensor => tf.reshape(tf.transpose(x, [0, 2, 1]), [rows * p, q]);
	const outer = times({ re: across(turned.re), im: across(turned.im) }, matrix(q), tf.matMul); // [rows·p, q]
	const flat = (x: tf.Tensor): tf.Tensor =>
		tf.reshape(tf.transpose(tf.reshape(x, [rows, p, q]), [0, 2, 1]), [rows, n]);
	return { re: flat(outer.re), im: flat(outer.im) };
}
