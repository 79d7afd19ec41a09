// The kernels of tfjs-backend-wasm that training needs and that are missing there (Conv2DBackpropFilter,
// UnsortedSegmentSum) or 10 to 40 times slower than what they can be composed of (Conv2DBackpropInput, BatchMatMul with
// transposed operands or batches): its forward convolution and plain matrix product run on XNNPACK, the rest does not.
// What runs inside a kernel is not taped, so gradients registered for these names hold as on every engine. All
// intermediate tensors have rank 4 at most: beyond, this backend slices and transposes element by element.
import * as tf from '@tensorflow/tfjs-core';

type Inputs = Record<string, tf.Tensor>;
type Size4 = [number, number, number, number];

interface ConvolutionAttributes {
	strides: [number, number] | number;
	pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
	dimRoundingMode?: 'floor' | 'round' | 'ceil';
	dataFormat: 'NHWC' | 'NCHW';
}

interface FilterGradientAttributes extends ConvolutionAttributes {
	filterShape: Size4;
}

interface InputGradientAttributes extends ConvolutionAttributes {
	inputShape: Size4;
}

/** Registers them for the open wasm backend; again is the same as once. */
export function registerTrainingKernels(): void {
	replaceKernel('Conv2DBackpropFilter', ({ x, dy }, attrs: FilterGradientAttributes) =>
		filterGradient(x as tf.Tensor4D, dy as tf.Tensor4D, attrs),
	);
	replaceKernel('Conv2DBackpropInput', ({ dy, filter }, attrs: InputGradientAttributes) =>
		inputGradient(dy as tf.Tensor4D, filter as tf.Tensor4D, attrs),
	);
	replaceKernel('UnsortedSegmentSum', ({ x, segmentIds }, { numSegments }: { numSegments: number }) =>
		segmentSum(x!, segmentIds!, numSegments),
	);
	replaceMatMul();
}

function replaceKernel<Attributes>(
	kernelName: string,
	run: (inputs: Inputs, attrs: Attributes) => tf.Tensor,
): void {
	if (tf.getKernel(kernelName, 'wasm')) tf.unregisterKernel(kernelName, 'wasm');
	tf.registerKernel({
		kernelName,
		backendName: 'wasm',
		kernelFunc: ({ inputs, attrs }) => tf.tidy(() => run(inputs as unknown as Inputs, attrs as Attributes)),
	});
}

function geometry(
	inputShape: Size4,
	filterShape: Size4,
	attrs: ConvolutionAttributes,
): tf.backend_util.Conv2DInfo {
	const { strides, pad, dimRoundingMode, dataFormat } = attrs;
	if (dataFormat === 'NCHW') throw new RangeError('The wasm engine has convolutions of NHWC only');
	return tf.backend_util.computeConv2DInfo(inputShape, filterShape, strides, 1, pad, dimRoundingMode);
}

/**
 * Adjoint of a convolution in its filter: for each tap, a matrix product of the input under the tap with dy.
 * x [N, H, W, I] and dy [N, H', W', O] give [kh, kw, I, O].
 */
function filterGradient(x: tf.Tensor4D, dy: tf.Tensor4D, attrs: FilterGradientAttributes): tf.Tensor {
	const info = geometry(x.shape, attrs.filterShape, attrs);
	const { batchSize: n, outHeight, outWidth, inChannels, outChannels, strideHeight, strideWidth } = info;
	const [kh, kw] = attrs.filterShape;
	const samples = n * outHeight * outWidth;
	const right = tf.reshape(dy, [samples, outChannels]);
	// The input as far as taps reach, in whole strides, split into its phases once: [I, N, rows, columns] each.
	const rows = outHeight + Math.floor((kh - 1) / strideHeight);
	const columns = outWidth + Math.floor((kw - 1) / strideWidth);
	const reached = padOrCut(
		x,
		info.padInfo.top,
		rows * strideHeight,
		info.padInfo.left,
		columns * strideWidth,
	);
	const phases = new Map<number, tf.Tensor4D>();
	const phase = (i: number, j: number): tf.Tensor4D => {
		const key = i * strideWidth + j;
		let found = phases.get(key);
		if (!found) {
			found = tf.transpose(everyNth(reached, strideHeight, i, strideWidth, j), [3, 0, 1, 2]);
			phases.set(key, found);
		}
		return found;
	};
	const taps: tf.Tensor[] = [];
	for (let i = 0; i < kh; i++) {
		for (let j = 0; j < kw; j++) {
			const under = tf.slice(
				phase(i % strideHeight, j % strideWidth),
				[0, 0, Math.floor(i / strideHeight), Math.floor(j / strideWidth)],
				[inChannels, n, outHeight, outWidth],
			);
			taps.push(tf.matMul(tf.reshape(under, [inChannels, samples]), right)); // [I, O]
		}
	}
	return tf.reshape(tf.concat(taps, 0), attrs.filterShape);
}

/**
 * Adjoint of a convolution in its input (transposed convolution), as a forward convolution: dy spread by the stride,
 * with the filter turned and its channels exchanged. dy [N, H', W', O] gives [N, H, W, I].
 */
function inputGradient(dy: tf.Tensor4D, filter: tf.Tensor4D, attrs: InputGradientAttributes): tf.Tensor {
	const info = geometry(attrs.inputShape, filter.shape, attrs);
	const [, height, width] = attrs.inputShape;
	const [kh, kw] = filter.shape;
	const turned = tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]);
	const spread = spreadOut(dy, info.strideHeight, info.strideWidth);
	const placed = padOrCut(
		spread,
		kh - 1 - info.padInfo.top,
		height + kh - 1,
		kw - 1 - info.padInfo.left,
		width + kw - 1,
	);
	return tf.conv2d(placed, turned, 1, 'valid');
}

/** Moves an image down and right by (top, left), negative is up and left, and pads or cuts it to height × width. */
function padOrCut(x: tf.Tensor4D, top: number, height: number, left: number, width: number): tf.Tensor4D {
	const [n, h, w, c] = x.shape;
	const bottom = height - h - top;
	const right = width - w - left;
	const kept: Size4 = [
		n,
		h + Math.min(top, 0) + Math.min(bottom, 0),
		w + Math.min(left, 0) + Math.min(right, 0),
		c,
	];
	const cut =
		kept[1] < h || kept[2] < w ? tf.slice(x, [0, Math.max(-top, 0), Math.max(-left, 0), 0], kept) : x;
	if (cut.shape[1] === height && cut.shape[2] === width) return cut;
	return tf.pad(cut, [
		[0, 0],
		[Math.max(top, 0), Math.max(bottom, 0)],
		[Math.max(left, 0), Math.max(right, 0)],
		[0, 0],
	]);
}

/** Each pixel followed by zeros to its right and below: [N, H, W, C] → [N, H·sh, W·sw, C]. */
function spreadOut(x: tf.Tensor4D, sh: number, sw: number): tf.Tensor4D {
	if (sh === 1 && sw === 1) return x;
	const [n, h, w, c] = x.shape;
	const columns = tf.pad(tf.reshape(x, [n * h * w, c]), [
		[0, 0],
		[0, (sw - 1) * c],
	]);
	const rows = tf.pad(tf.reshape(columns, [n * h, w * sw * c]), [
		[0, 0],
		[0, (sh - 1) * w * sw * c],
	]);
	return tf.reshape(rows, [n, h * sh, w * sw, c]);
}

/** Pixels (i + sh·a, j + sw·b); height and width are whole multiples of the strides: the adjoint of `spreadOut`. */
function everyNth(x: tf.Tensor4D, sh: number, i: number, sw: number, j: number): tf.Tensor4D {
	if (sh === 1 && sw === 1) return x;
	const [n, h, w, c] = x.shape;
	const rows = tf.slice(tf.reshape(x, [(n * h) / sh, sh * w * c]), [0, i * w * c], [-1, w * c]);
	const columns = tf.slice(tf.reshape(rows, [(n * h * w) / (sh * sw), sw * c]), [0, j * c], [-1, c]);
	return tf.reshape(columns, [n, h / sh, w / sw, c]);
}

/** Sums of the rows of x with equal ids, as a product with the one-hot matrix; a negative id counts nowhere. */
function segmentSum(x: tf.Tensor, segmentIds: tf.Tensor, numSegments: number): tf.Tensor {
	const count = segmentIds.size;
	const ids = tf.reshape(segmentIds, [count]);
	const rest = x.shape.slice(segmentIds.rank);
	const belongs = tf.oneHot(tf.cast(ids, 'int32') as tf.Tensor1D, numSegments); // [count, segments]
	const rows = tf.reshape(tf.cast(x, 'float32'), [count, -1]);
	const sums = tf.matMul(tf.cast(belongs, 'float32'), rows, true); // [segments, …]
	return tf.cast(tf.reshape(sums, [numSegments, ...rest]), x.dtype);
}

/** Products per matrix of a batch from which it pays to hand each to XNNPACK by itself. */
const WORTH_A_CALL = 2 ** 16;

/** The backend's own matrix product, under a name of its own. */
const PlainMatMul = 'RtilPlainMatMul';

/** XNNPACK serves one untransposed product at a time: operands are transposed first, batches taken apart. */
function replaceMatMul(): void {
	if (tf.getKernel(PlainMatMul, 'wasm')) return;
	tf.registerKernel({ ...tf.getKernel('BatchMatMul', 'wasm'), kernelName: PlainMatMul });
	replaceKernel(
		'BatchMatMul',
		({ a, b }, { transposeA, transposeB }: { transposeA: boolean; transposeB: boolean }) => {
			const k = a!.shape.at(transposeA ? -2 : -1)!;
			const m = a!.shape.at(transposeA ? -1 : -2)!;
			const n = b!.shape.at(transposeB ? -2 : -1)!;
			const single = a!.size === m * k && b!.size === k * n;
			if ((single && !transposeA && !transposeB) || m * n * k < WORTH_A_CALL) {
				return plainProduct(a!, b!, transposeA, transposeB);
			}
			const left = transposeA ? swapLastTwo(a!) : a!;
			const right = transposeB ? swapLastTwo(b!) : b!;
			const batch = tf.broadcast_util.assertAndGetBroadcastShape(
				a!.shape.slice(0, -2),
				b!.shape.slice(0, -2),
			);
			return tf.reshape(productOfBatches(left, right), [...batch, m, n]);
		},
	);
}

function plainProduct(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
	return tf.engine().runKernel(PlainMatMul, { a, b }, { transposeA, transposeB }) as tf.Tensor;
}

function productOfBatches(left: tf.Tensor, right: tf.Tensor): tf.Tensor {
	const [m, k] = left.shape.slice(-2) as [number, number];
	const n = right.shape.at(-1)!;
	const lefts = left.size / (m * k);
	const rights = right.size / (k * n);
	// One right operand for all: the batch is only more rows.
	if (rights === 1) return plainProduct(tf.reshape(left, [lefts * m, k]), tf.reshape(right, [k, n]));
	if (lefts !== 1 && lefts !== rights) return plainProduct(left, right);
	const rowsOf = (x: tf.Tensor, count: number, i: number, rows: number): tf.Tensor =>
		count === 1
			? tf.reshape(x, [rows, -1])
			: tf.slice(tf.reshape(x, [count * rows, -1]), [i * rows, 0], [rows, -1]);
	const products = Array.from({ length: rights }, (_, i) =>
		plainProduct(rowsOf(left, lefts, i, m), rowsOf(right, rights, i, k)),
	);
	return tf.concat(products, 0);
}

function swapLastTwo(x: tf.Tensor): tf.Tensor {
	const axes = x.shape.map((_, i) => i);
	[axes[x.rank - 2], axes[x.rank - 1]] = [x.rank - 1, x.rank - 2];
	return tf.transpose(x, axes);
}
