// Inception v3 (Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", §6) up to its last
// pooling: the features of FID and KID. Of the many versions this is the one that FID is defined with, the graph of
// 5 December 2015, whose weights circulate as pt_inception-2015-12-05. It differs from torchvision's in its pools: averages
// leave out what lies over the edge (5b–5d, 6b–6e, 7b), and the last block (7c) takes a maximum instead of an average.
//
// Layers carry torchvision's names; each is a convolution with its batch normalisation folded in (ε = 0.001: see
// checkpoints/pytorch/inception.ts), and a ReLU. Images are resized as pytorch-fid does it, bilinearly between pixel
// centres; the graph's own resizing sampled at corners, so numbers of the two differ slightly.
import * as tf from '@tensorflow/tfjs-core';
import { conv2d, maxPool, resize, type TensorMap } from '../engine/index.ts';
import { expected } from '../errors/index.ts';

/** Features of an image. */
export const INCEPTION_FEATURES = 2048;

/** Least side of images inside the network: below, a pool has nothing to look at. */
const SMALLEST = 75;

export interface InceptionConfig {
	/** Side that images are resized to, in pixels, at least 75. Absent: 299, which FID is defined with. */
	side?: number;
}

export interface Inception {
	/** Names and shapes of the parameters: `Conv2d_1a_3x3.weight` [kh, kw, I, O], `Conv2d_1a_3x3.bias` [O], … */
	readonly shapes: Readonly<Record<string, readonly number[]>>;
	/** Features [N, 2048], all ≥ 0, of images [N, H, W, 3] in [−1, 1]. Without a gradient worth having. */
	features(params: TensorMap, images: tf.Tensor): tf.Tensor;
}

type Kernel = readonly [height: number, width: number];
/** `same`: the size stays; `valid`: windows lie inside; `half`: likewise, every second one. */
type Fit = 'same' | 'valid' | 'half';

/** What the network is made of, over tensors or over numbers of channels. */
interface Parts<X> {
	conv(name: string, x: X, outputs: number, kernel?: Kernel, fit?: Fit): X;
	/** The maximum of 3 × 3. */
	pool(x: X, fit: 'same' | 'half'): X;
	/** The average of 3 × 3, of what lies inside. */
	average(x: X): X;
	join(...branches: X[]): X;
}

/** The network in order (table 1 there, with torchvision's names). */
function network<X>(parts: Parts<X>, image: X): X {
	const { conv, pool } = parts;
	let x = conv('Conv2d_1a_3x3', image, 32, [3, 3], 'half'); // [N, 149, 149, 32]
	x = conv('Conv2d_2a_3x3', x, 32, [3, 3], 'valid');
	x = conv('Conv2d_2b_3x3', x, 64, [3, 3]);
	x = pool(x, 'half'); // [N, 73, 73, 64]
	x = conv('Conv2d_3b_1x1', x, 80);
	x = conv('Conv2d_4a_3x3', x, 192, [3, 3], 'valid');
	x = pool(x, 'half'); // [N, 35, 35, 192]
	for (const [name, pooled] of [
		['5b', 32],
		['5c', 64],
		['5d', 64],
	] as const)
		x = blockA(parts, `Mixed_${name}`, x, pooled);
	x = blockB(parts, 'Mixed_6a', x); // [N, 17, 17, 768]
	for (const [name, inner] of [
		['6b', 128],
		['6c', 160],
		['6d', 160],
		['6e', 192],
	] as const)
		x = blockC(parts, `Mixed_${name}`, x, inner);
	x = blockD(parts, 'Mixed_7a', x); // [N, 8, 8, 1280]
	x = blockE(parts, 'Mixed_7b', x, parts.average);
	return blockE(parts, 'Mixed_7c', x, (last) => pool(last, 'same')); // [N, 8, 8, 2048]
}

/** Figure 5. */
function blockA<X>({ conv, average, join }: Parts<X>, name: string, x: X, pooled: number): X {
	const five = conv(`${name}.branch5x5_1`, x, 48);
	const twice = conv(`${name}.branch3x3dbl_2`, conv(`${name}.branch3x3dbl_1`, x, 64), 96, [3, 3]);
	return join(
		conv(`${name}.branch1x1`, x, 64),
		conv(`${name}.branch5x5_2`, five, 64, [5, 5]),
		conv(`${name}.branch3x3dbl_3`, twice, 96, [3, 3]),
		conv(`${name}.branch_pool`, average(x), pooled),
	);
}

/** Figure 10: halves the sides. */
function blockB<X>({ conv, pool, join }: Parts<X>, name: string, x: X): X {
	const twice = conv(`${name}.branch3x3dbl_2`, conv(`${name}.branch3x3dbl_1`, x, 64), 96, [3, 3]);
	return join(
		conv(`${name}.branch3x3`, x, 384, [3, 3], 'half'),
		conv(`${name}.branch3x3dbl_3`, twice, 96, [3, 3], 'half'),
		pool(x, 'half'),
	);
}

/** Figure 6, n = 7. */
function blockC<X>({ conv, average, join }: Parts<X>, name: string, x: X, inner: number): X {
	let seven = conv(`${name}.branch7x7_1`, x, inner);
	seven = conv(`${name}.branch7x7_2`, seven, inner, [1, 7]);
	seven = conv(`${name}.branch7x7_3`, seven, 192, [7, 1]);
	let twice = conv(`${name}.branch7x7dbl_1`, x, inner);
	twice = conv(`${name}.branch7x7dbl_2`, twice, inner, [7, 1]);
	twice = conv(`${name}.branch7x7dbl_3`, twice, inner, [1, 7]);
	twice = conv(`${name}.branch7x7dbl_4`, twice, inner, [7, 1]);
	twice = conv(`${name}.branch7x7dbl_5`, twice, 192, [1, 7]);
	return join(conv(`${name}.branch1x1`, x, 192), seven, twice, conv(`${name}.branch_pool`, average(x), 192));
}

/** Halves the sides again. */
function blockD<X>({ conv, pool, join }: Parts<X>, name: string, x: X): X {
	let seven = conv(`${name}.branch7x7x3_1`, x, 192);
	seven = conv(`${name}.branch7x7x3_2`, seven, 192, [1, 7]);
	seven = conv(`${name}.branch7x7x3_3`, seven, 192, [7, 1]);
	return join(
		conv(`${name}.branch3x3_2`, conv(`${name}.branch3x3_1`, x, 192), 320, [3, 3], 'half'),
		conv(`${name}.branch7x7x3_4`, seven, 192, [3, 3], 'half'),
		pool(x, 'half'),
	);
}

/** Figure 7. */
function blockE<X>({ conv, join }: Parts<X>, name: string, x: X, pooled: (x: X) => X): X {
	const wide = (at: string, y: X, [a, b]: readonly [string, string]): X =>
		join(conv(`${name}.${at}_${a}`, y, 384, [1, 3]), conv(`${name}.${at}_${b}`, y, 384, [3, 1]));
	const three = conv(`${name}.branch3x3_1`, x, 384);
	const twice = conv(`${name}.branch3x3dbl_2`, conv(`${name}.branch3x3dbl_1`, x, 448), 384, [3, 3]);
	return join(
		conv(`${name}.branch1x1`, x, 320),
		wide('branch3x3', three, ['2a', '2b']),
		wide('branch3x3dbl', twice, ['3a', '3b']),
		conv(`${name}.branch_pool`, pooled(x), 192),
	);
}

/** The feature extractor of FID. */
export function inception({ side = 299 }: InceptionConfig = {}): Inception {
	if (!Number.isInteger(side) || side < SMALLEST)
		throw expected(`a whole number from ${SMALLEST}`, 'side', side);
	const shapes: Record<string, readonly number[]> = {};
	const declaring: Parts<number> = {
		conv(name, inputs, outputs, kernel = [1, 1]) {
			shapes[`${name}.weight`] = [...kernel, inputs, outputs];
			shapes[`${name}.bias`] = [outputs];
			return outputs;
		},
		pool: (channels) => channels,
		average: (channels) => channels,
		join: (...branches) => branches.reduce((sum, channels) => sum + channels, 0),
	};
	network(declaring, 3);
	return {
		shapes,
		features(params, images) {
			if (images.rank !== 4 || images.shape[3] !== 3)
				throw expected('a shape [N, H, W, 3]', 'images for Inception', images.shape);
			const x = resize(images, side, side, 'bilinear', { antialias: false });
			return tf.mean(network(computing(params), x), [1, 2]); // [N, 2048]
		},
	};
}

function computing(params: TensorMap): Parts<tf.Tensor> {
	return {
		conv(name, x, _, __, fit = 'same') {
			const y = conv2d(
				x,
				params[`${name}.weight`]!,
				fit === 'half' ? 2 : 1,
				fit === 'same' ? 'same' : 'valid',
			);
			return tf.relu(tf.add(y, params[`${name}.bias`]!));
		},
		pool(x, fit) {
			if (fit === 'half') return maxPool(x, { size: 3, stride: 2 });
			// What is pooled comes from a ReLU: zeros around never win.
			const around: [number, number] = [1, 1];
			return maxPool(tf.pad(x, [[0, 0], around, around, [0, 0]]), { size: 3, stride: 1 });
		},
		average: (x) => tf.avgPool(x as tf.Tensor4D, 3, 1, 'same'),
		join: (...branches) => tf.concat(branches, 3),
	};
}
