// LPIPS of a golden fixture: its weights by torchvision's names in this project's layout, and what must come out.
import * as tf from '@tensorflow/tfjs-core';
import type { ExecutionContext } from 'ava';
import { type TensorMap, valueAndGradients } from '../../engine/index.ts';
import { type Lpips, lpips, type PerceptualNetwork, perceptualBackbone } from '../../models/index.ts';
import type { Fixture } from '../golden.ts';
import { channelsFirst, host, images } from './networks.ts';

/** The fixture calls `net.slice<k>.<module>.…` what torchvision calls `features.<module>.…`. */
export function lpipsOf(f: Fixture): { metric: Lpips; params: TensorMap } {
	const network = f.config.net as PerceptualNetwork;
	const metric = lpips({ network, version: f.config.version });
	const params: TensorMap = {};
	for (const [name, { shape, data }] of Object.entries(f.group('net.'))) {
		const tensor = tf.tensor(data, [...shape]);
		params[name.replace(/^slice\d+/, 'features')] =
			shape.length === 4 ? tf.transpose(tensor, [2, 3, 1, 0]) : tensor;
	}
	for (const [name, { data }] of Object.entries(f.group(`h.${network}.`))) params[name] = tf.tensor1d(data);
	return { metric, params };
}

/**
 * A tap's contribution compares features that are nearly equal, which magnifies the rounding of the convolutions before
 * it; their order of summation is the kernel's own.
 */
const MAGNIFIED = 2;

/** Compares taps, distances and the gradient with the fixture. */
export function expectLpips(t: ExecutionContext, f: Fixture): void {
	const { metric, params } = lpipsOf(f);
	t.deepEqual(
		Object.fromEntries(Object.entries(params).map(([name, { shape }]) => [name, shape])),
		metric.shapes as Record<string, number[]>,
	);
	const pair = (set: string): [tf.Tensor, tf.Tensor] => [
		images(f.tensor(`${set}.im0`)),
		images(f.tensor(`${set}.im1`)),
	];
	for (const set of f.config.sets as string[]) {
		const [a, b] = pair(set);
		const taps = perceptualBackbone(metric.network).taps(params, a);
		t.deepEqual(
			taps.map(({ shape: [n, h, w, c] }) => [n, c, h, w]),
			f.scalar(`${set}.feat_shapes`),
		);
		f.expect(`${set}.feat_stats_im0`, taps.flatMap(statistics));
		const features = [a, b].map((image) => metric.features(params, image)) as [tf.Tensor[], tf.Tensor[]];
		f.expect(`${set}.per_layer`, host(metric.contributions(params, ...features)), MAGNIFIED);
		f.expect(`${set}.dist`, host(metric.distance(params, a, b)));
		t.true(
			metric
				.distance(params, a, tf.clone(a))
				.dataSync()
				.every((value) => value === 0),
		);
	}
	const [a, b] = pair(f.config.grad_set);
	const { gradients } = valueAndGradients(() => tf.sum(metric.distance(params, a, b)) as tf.Scalar, { a });
	f.expect('grad_im0', channelsFirst(gradients.a));
}

/** Mean, maximum, share of zeros, first and last element. */
function statistics(x: tf.Tensor): number[] {
	const data = x.dataSync();
	let [sum, most, zeros] = [0, Number.NEGATIVE_INFINITY, 0];
	for (const value of data) {
		sum += value;
		most = Math.max(most, value);
		if (value === 0) zeros++;
	}
	return [sum / data.length, most, zeros / data.length, data[0]!, data.at(-1)!];
}
