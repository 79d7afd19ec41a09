// Laws of augmentation, the same on every engine.
import * as tf from '@tensorflow/tfjs-core';
import test, { type ExecutionContext } from 'ava';
import { type Engine, stream, vectorJacobian } from '../../engine/index.ts';
import { augment, augmentationShapes, move } from '../../trainer/augment.ts';
import { type AugmentationInputs, augmentationSource } from '../../trainer/augment-draws.ts';

const size = 12;
const count = 3;
const shape = [count, size, size, 3];
const images = stream(5, 'images').normals(0, count * size * size * 3);
const draw = augmentationSource({ seed: 3, purpose: 'test', count, resolution: size });

const tensors = ({ geometry, moved, colour }: AugmentationInputs) => ({
	geometry: tf.tensor2d(geometry, [geometry.length / 6, 6]),
	moved: tf.tensor1d(moved),
	colour: tf.tensor2d(colour, [colour.length / 12, 12]),
});

const inner = (a: tf.Tensor, b: tf.Tensor): number => {
	const [x, y] = [a.dataSync() as Float32Array, b.dataSync()];
	return x.reduce((sum, value, i) => sum + value * y[i]!, 0);
};

/** A picture without fine detail, as a function of pixels from the centre. */
const smooth = (x: number, y: number): number =>
	Math.sin(0.25 * x + 0.3) * Math.cos(0.2 * y - 0.2) + 0.1 * Math.cos(0.15 * (x + y));

function sampled(side: number, at: (x: number, y: number) => [number, number]): tf.Tensor {
	const centre = (side - 1) / 2;
	const data = Float32Array.from({ length: side * side * 3 }, (_, i) => {
		const pixel = Math.floor(i / 3);
		return smooth(...at((pixel % side) - centre, Math.floor(pixel / side) - centre));
	});
	return tf.tensor(data, [1, side, side, 3]);
}

function difference(a: tf.Tensor, b: tf.Tensor): number {
	return tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
}

export function augmentLaws(engine: Engine): void {
	const program = engine.compile({
		name: 'augmentation',
		state: {},
		functions: {
			augment: {
				inputs: { images: shape, ...augmentationShapes(count) },
				run: (_, { images, ...inputs }) => ({ outputs: { images: augment(images!, inputs) } }),
			},
		},
	});
	const augmented = (inputs: AugmentationInputs): Float32Array =>
		program.call('augment', { images, ...inputs }).images!.data;

	test('probability 0 changes no bit', (t) => {
		for (const step of [0, 1, 2]) t.deepEqual(augmented(draw(step, 0)), images);
	});

	test('a captured augmentation equals an eager one', (t) => {
		const inputs = draw(4, 1);
		const eager = augment(tf.tensor(images, shape), tensors(inputs)).dataSync();
		t.true(augmented(inputs).every((value, i) => Math.abs(value - eager[i]!) < 1e-4));
	});

	test('an image is augmented alike in every batch', (t) => {
		const inputs = draw(7, 0.8);
		const together = augment(tf.tensor(images, shape), tensors(inputs)).dataSync();
		const alone = size * size * 3;
		for (let i = 0; i < count; i++) {
			const own = {
				geometry: inputs.geometry.slice(6 * i, 6 * i + 6),
				moved: inputs.moved.slice(i, i + 1),
				colour: inputs.colour.slice(12 * i, 12 * i + 12),
			};
			const one = tf.tensor(images.slice(i * alone, (i + 1) * alone), [1, size, size, 3]);
			const result = augment(one, tensors(own)).dataSync();
			t.true(result.every((value, k) => Math.abs(value - together[i * alone + k]!) < 1e-5));
		}
	});

	test('geometry is linear in the image, and its gradient is its adjoint', (t) => {
		for (const step of [1, 2, 3]) {
			const { geometry, moved } = tensors(draw(step, 1));
			const x = tf.tensor(images, shape);
			const other = tf.tensor(stream(6, 'other').normals(step, x.size), shape);
			const apply = (image: tf.Tensor) => move(image, geometry, moved);
			const sum = apply(tf.add(tf.mul(x, 2), other));
			t.true(difference(sum, tf.add(tf.mul(apply(x), 2), apply(other))) < 2e-5);
			const [adjoint] = vectorJacobian(() => apply(x), [x], other);
			t.true(Math.abs(inner(apply(x), other) - inner(x, adjoint!)) < 2e-3);
			// The adjoint's own gradient is the map again.
			const [again] = vectorJacobian(() => vectorJacobian(() => apply(x), [x], other)[0]!, [other], x);
			t.true(difference(again!, apply(x)) < 2e-5);
		}
	});

	test('gradients of the first and second order are those of finite differences', (t) => {
		const inputs = tensors(draw(11, 1));
		const x = tf.tensor(images, shape);
		const mix = tf.tensor(stream(8, 'mix').normals(0, x.size), shape);
		// Stands for a discriminator: smooth, of the second order in the image; s stands for its parameters.
		const score = (image: tf.Tensor, s: tf.Tensor): tf.Tensor =>
			tf.sum(tf.softplus(tf.mul(tf.mul(augment(image, inputs), mix), s)));
		const penalty = (s: tf.Tensor): tf.Tensor =>
			tf.sum(tf.square(vectorJacobian(() => score(x, s), [x])[0]!));
		const along = (
			f: (at: tf.Tensor) => tf.Tensor,
			at: tf.Tensor,
			direction: tf.Tensor,
			step: number,
		): number => {
			const value = (h: number) => f(tf.add(at, tf.mul(direction, h))).dataSync()[0]!;
			return (value(step) - value(-step)) / (2 * step);
		};
		const direction = tf.tensor(stream(9, 'direction').normals(0, x.size), shape);
		const one = tf.scalar(1);
		const [first] = vectorJacobian(() => score(x, one), [x]);
		const slope = along((at) => score(at, one), x, direction, 1e-2);
		t.true(Math.abs(inner(first!, direction) - slope) < 5e-3 * Math.abs(slope), 'first');
		const [second] = vectorJacobian(() => penalty(one), [one]);
		const change = along(penalty, one, one, 1e-2);
		t.true(Math.abs(second!.dataSync()[0]! - change) < 5e-3 * Math.abs(change), 'second');
	});

	const still = [1, 0, 0, 0, 1, 0];
	const turn = (degrees: number): number[] => {
		const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
		return [cos, -sin, 0, sin, cos, 0];
	};
	const maps: Record<string, number[]> = {
		'no move': still,
		'a mirror image': [-1, 0, 0, 0, 1, 0],
		'a quarter turn': [0, -1, 0, 1, 0, 0],
		'a shift': [1, 0, 1.5, 0, 1, -2.25],
		'a rotation': turn(25),
		'a magnification': [0.7, 0, 0, 0, 0.9, 0],
		'a reduction': [1.2, 0, 0, 0, 1.1, 0],
	};
	for (const [what, [a, b, e, c, d, f]] of Object.entries(maps) as [
		string,
		[number, number, number, number, number, number],
	][]) {
		test(`${what} moves a smooth picture as its map says`, (t) => {
			const side = 24;
			const to = (x: number, y: number): [number, number] => [a * x + b * y + e, c * x + d * y + f];
			const result = move(
				sampled(side, (x, y) => [x, y]),
				tf.tensor2d([[a, b, e, c, d, f]]),
				tf.tensor1d([1]),
			);
			// Away from the edges: what lies beyond them is mirrored.
			const middle = (x: tf.Tensor) => tf.slice(x, [0, 7, 7, 0], [1, 10, 10, 3]);
			t.true(difference(middle(result), middle(sampled(side, to))) < 2e-2);
		});
	}

	test('colours: grey is kept by hue and saturation; luma flips turn it and leave the rest', (t) => {
		const inputs = colours(t);
		const grey = tf.fill([1, size, size, 3], 0.4);
		const apply = (colour: Float32Array): tf.Tensor =>
			augment(grey, tensors({ geometry: Float32Array.from(still), moved: Float32Array.of(0), colour }));
		for (const colour of inputs.grey) t.true(difference(apply(colour), grey) < 1e-6);
		t.true(inputs.flipped.length > 0);
		for (const colour of inputs.flipped) t.true(difference(apply(colour), tf.neg(grey)) < 1e-6);
	});

	/** Of many draws at a low probability: maps without an offset, by what they do to grey. */
	function colours(t: ExecutionContext): { grey: Float32Array[]; flipped: Float32Array[] } {
		const many = augmentationSource({
			seed: 1,
			purpose: 'c',
			count: 400,
			resolution: size,
			groups: ['colour'],
		});
		const { colour, moved } = many(0, 0.3);
		t.true(moved.every((value) => value === 0));
		const rows = Array.from({ length: 400 }, (_, i) => colour.slice(12 * i, 12 * i + 12));
		const onGrey = (m: Float32Array): number => m[0]! + m[1]! + m[2]! + m[3]!;
		const pure = rows.filter((m) => m[3] === 0);
		return {
			grey: pure.filter((m) => Math.abs(onGrey(m) - 1) < 1e-6 && m[0] !== 1),
			flipped: pure.filter((m) => Math.abs(onGrey(m) + 1) < 1e-6),
		};
	}
}
