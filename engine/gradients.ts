// Gradients: registered again where stock tfjs 4.22 is wrong or has none for the second order, and the one way the
// project asks for them. Each entry names its defect; the classes are those found by a finite-difference sweep:
// (a) no gradient of a backward kernel or predicate, (b) the gradient saves its own output, which the tape then
// does not follow (tfjs#3252), (c) wrong at first order, (d) right, but builds host-made tensors of a whole activation.
import * as tf from '@tensorflow/tfjs-core';

type Saved = tf.Tensor[];
type Attributes = tf.NamedAttrMap;

function register(
	kernelName: string,
	inputsToSave: string[],
	gradFunc: (dy: tf.Tensor, saved: Saved, attrs: Attributes) => Record<string, () => tf.Tensor>,
): void {
	tf.registerGradient({
		kernelName,
		inputsToSave,
		gradFunc: (dy, saved, attrs) => gradFunc(dy as tf.Tensor, saved, attrs as Attributes),
	});
}

const zerosLike = (x: tf.Tensor): tf.Tensor => tf.fill(x.shape, 0);

/** Axes over which a value of `shape` is broadcast to the rank and sizes of `wide`. */
function sumTo(dy: tf.Tensor, shape: number[]): tf.Tensor {
	if (dy.shape.join() === shape.join()) return dy;
	const lead = dy.rank - shape.length;
	const axes = dy.shape
		.map((_, i) => i)
		.filter((i) => i < lead || (shape[i - lead] === 1 && dy.shape[i] !== 1));
	return tf.reshape(tf.sum(dy, axes), shape);
}

/** Registers the corrections; later registrations override the stock ones. */
export function registerGradients(): void {
	// (a) Predicates have gradient zero.
	for (const name of [
		'Greater',
		'GreaterEqual',
		'Less',
		'LessEqual',
		'Equal',
		'NotEqual',
		'LogicalAnd',
		'LogicalOr',
	]) {
		register(name, ['a', 'b'], (_, [a, b]) => ({ a: () => zerosLike(a!), b: () => zerosLike(b!) }));
	}
	register('LogicalNot', ['x'], (_, [x]) => ({ x: () => zerosLike(x!) }));

	// (b) Recomputed from the input instead of saved.
	register('Exp', ['x'], (dy, [x]) => ({ x: () => tf.mul(dy, tf.exp(x!)) }));
	register('Sigmoid', ['x'], (dy, [x]) => ({
		x: () => {
			const y = tf.sigmoid(x!);
			return tf.mul(dy, tf.mul(y, tf.sub(1, y)));
		},
	}));
	register('Tanh', ['x'], (dy, [x]) => ({ x: () => tf.mul(dy, tf.sub(1, tf.square(tf.tanh(x!)))) }));
	register('Softmax', ['logits'], (dy, [logits], { dim }) => ({
		logits: () => {
			const y = tf.softmax(logits!, dim as number);
			const t = tf.mul(dy, y);
			return tf.sub(t, tf.mul(y, tf.sum(t, dim as number, true)));
		},
	}));

	register('Elu', ['x'], (dy, [x]) => ({
		x: () => tf.mul(dy, tf.where(tf.greater(x!, 0), tf.fill(x!.shape, 1), tf.exp(tf.minimum(x!, 0)))),
	}));
	register('Pow', ['a', 'b'], (dy, [a, b]) => ({
		a: () => sumTo(tf.mul(dy, tf.mul(b!, tf.pow(a!, tf.sub(b!, 1)))), a!.shape),
		b: () => {
			// 0 where the logarithm is not defined, as in every library.
			const positive = tf.greater(a!, 0);
			const log = tf.where(
				positive,
				tf.log(tf.where(positive, a!, tf.fill(a!.shape, 1))),
				tf.fill(a!.shape, 0),
			);
			return sumTo(tf.mul(dy, tf.mul(tf.pow(a!, b!), log)), b!.shape);
		},
	}));

	// (c) Broadcast operands are summed over.
	register('Maximum', ['a', 'b'], (dy, [a, b]) => ({
		a: () => sumTo(tf.mul(dy, tf.cast(tf.greaterEqual(a!, b!), 'float32')), a!.shape),
		b: () => sumTo(tf.mul(dy, tf.cast(tf.less(a!, b!), 'float32')), b!.shape),
	}));
	register('Minimum', ['a', 'b'], (dy, [a, b]) => ({
		a: () => sumTo(tf.mul(dy, tf.cast(tf.lessEqual(a!, b!), 'float32')), a!.shape),
		b: () => sumTo(tf.mul(dy, tf.cast(tf.greater(a!, b!), 'float32')), b!.shape),
	}));
	register('SquaredDifference', ['a', 'b'], (dy, [a, b]) => {
		const d = () => tf.mul(dy, tf.mul(2, tf.sub(a!, b!)));
		return { a: () => sumTo(d(), a!.shape), b: () => sumTo(tf.neg(d()), b!.shape) };
	});
	register('Cumsum', ['x'], (dy, _, { axis, exclusive, reverse }) => ({
		x: () => tf.cumsum(dy, axis as number, exclusive as boolean, !(reverse as boolean)),
	}));

	// (c) With no right gradient that is worth having here: refused instead of wrong.
	for (const kernel of ['MirrorPad', 'ResizeBilinear']) {
		register(kernel, [], () => {
			throw new Error(`The gradient of ${kernel} is wrong in tfjs: compose it of slices or matrix products`);
		});
	}

	// (d) Broadcast on the engine instead of multiplying by ones made in JavaScript.
	const spread = (dy: tf.Tensor, x: tf.Tensor, axis: number | number[], scale: number): tf.Tensor => {
		const axes = tf.util.parseAxisParam(axis, x.shape);
		const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
		const scaled = scale === 1 ? dy : tf.mul(dy, scale);
		return tf.add(tf.fill(x.shape, 0), tf.reshape(scaled, kept));
	};
	register('Sum', ['x'], (dy, [x], { axis }) => ({ x: () => spread(dy, x!, axis as number[], 1) }));
	register('Mean', ['x'], (dy, [x], { axis }) => ({
		x: () => {
			const axes = tf.util.parseAxisParam(axis as number[], x!.shape);
			const count = axes.reduce((product, i) => product * x!.shape[i]!, 1);
			return spread(dy, x!, axes, 1 / count);
		},
	}));
}

/**
 * Value and gradients of a scalar function at named tensors.
 *
 * A tensor that `f` does not depend on gets a gradient of zeros, so the set of gradients never changes.
 */
export function valueAndGradients<K extends string>(
	f: () => tf.Scalar,
	at: Record<K, tf.Tensor>,
): { value: tf.Scalar; gradients: Record<K, tf.Tensor> } {
	const names = Object.keys(at) as K[];
	const tensors = names.map((name) => at[name]);
	const { value, grads } = tf.engine().gradients(f, tensors, undefined, true);
	const gradients = Object.fromEntries(
		names.map((name, i) => [name, grads[i] ?? zerosLike(tensors[i]!)]),
	) as Record<K, tf.Tensor>;
	return { value: value as tf.Scalar, gradients };
}

/** Gradients of `f` (its outputs summed with weights `cotangent`, default ones) at `tensors`; differentiable again. */
export function vectorJacobian(f: () => tf.Tensor, tensors: tf.Tensor[], cotangent?: tf.Tensor): tf.Tensor[] {
	const { grads } = tf.engine().gradients(f, tensors, cotangent, true);
	return grads.map((grad, i) => grad ?? zerosLike(tensors[i]!));
}

/**
 * An operation with its own gradient, which is differentiable again if `backward` is made of such operations.
 *
 * `backward` gets the cotangent of the result and the inputs, and returns a cotangent for each input.
 */
export function withGradients(
	inputs: tf.Tensor[],
	forward: (inputs: tf.Tensor[]) => tf.Tensor,
	backward: (dy: tf.Tensor, inputs: tf.Tensor[]) => tf.Tensor[],
): tf.Tensor {
	return tf.customGrad((...args) => {
		const save = args.pop() as unknown as (tensors: tf.Tensor[]) => void;
		// The tape frees what is not saved before it walks back.
		save(args as tf.Tensor[]);
		return {
			value: forward(args as tf.Tensor[]),
			gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => backward(dy, saved),
		};
	})(...inputs);
}

/** A linear map with its adjoint, differentiable to any order; saves nothing. */
export function linear(
	forward: (x: tf.Tensor) => tf.Tensor,
	adjoint: (y: tf.Tensor) => tf.Tensor,
): (x: tf.Tensor) => tf.Tensor {
	const apply = (x: tf.Tensor): tf.Tensor =>
		tf.customGrad((input) => ({
			value: forward(input as tf.Tensor),
			gradFunc: (dy: tf.Tensor) => transpose(dy),
		}))(x);
	const transpose = (y: tf.Tensor): tf.Tensor =>
		tf.customGrad((input) => ({
			value: adjoint(input as tf.Tensor),
			gradFunc: (dx: tf.Tensor) => apply(dx),
		}))(y);
	return apply;
}
