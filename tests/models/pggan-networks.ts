// PGGAN networks of a golden fixture at a stage, and comparison of all gradients.
import * as tf from '@tensorflow/tfjs-core';
import { fromPggan, type PgganLayout, toPggan } from '../../checkpoints/pytorch/pggan.ts';
import type { HostTensor, HostTensors, TensorMap } from '../../engine/index.ts';
import {
	type PgganConfig,
	type PgganDiscriminator,
	type PgganGenerator,
	pgganDiscriminator,
	pgganGenerator,
} from '../../models/index.ts';
import { average2 } from '../../models/pggan-dialects.ts';
import type { Fixture } from '../golden.ts';
import { host, images, load } from './networks.ts';

export interface PgganNetworks {
	generator: PgganGenerator;
	discriminator: PgganDiscriminator;
	g: TensorMap;
	d: TensorMap;
}

/** The networks whose weights a fixture has under `g.` (or `from`) and, if any, `d.`. */
export function pggan(f: Fixture, config: PgganConfig, from = 'g.', fusedUp = false): PgganNetworks {
	const { dialect } = config;
	const generator = pgganGenerator(config);
	const discriminator = pgganDiscriminator(config);
	const inputs = (prefix: string): HostTensors =>
		Object.fromEntries(
			f
				.names({ role: 'input', prefix })
				.map((name) => [name.slice(prefix.length), f.tensor(name)] as [string, HostTensor]),
		);
	const hasD = f.names({ role: 'input', prefix: 'd.' }).length > 0;
	return {
		generator,
		discriminator,
		g: load(fromPggan(inputs(from), generator.shapes, { dialect, network: 'generator', fusedUp })),
		d: hasD ? load(fromPggan(inputs('d.'), discriminator.shapes, { dialect, network: 'discriminator' })) : {},
	};
}

/** The first `count` latents [N, Z] as styles [count, 1, Z]. */
export function latents({ shape, data }: HostTensor, count = shape[0]!): tf.Tensor {
	const width = shape[shape.length - 1]!;
	return tf.tensor(data.slice(0, count * width), [count, 1, width]);
}

/** The first `count` images, box-averaged to a side of `size`. */
export function boxed(tensor: HostTensor, count: number, size: number): tf.Tensor {
	const all = images(tensor);
	let x: tf.Tensor = tf.slice(all, [0, 0, 0, 0], [count, -1, -1, -1]);
	while (x.shape[1]! > size) x = average2(x);
	return x;
}

/** Logits [N] as the reference has them, [N, 1]. */
export function column(x: tf.Tensor): HostTensor {
	return host(tf.reshape(x, [-1, 1]));
}

/**
 * Compares every gradient that the fixture has under `<prefix>grad_<kind>.` and every norm under `<prefix>l2_<kind>.`;
 * where it lists norms, parameters it does not list must have none.
 */
export function expectGradients(
	f: Fixture,
	prefix: string,
	kind: string,
	gradients: TensorMap,
	layout: PgganLayout,
): void {
	const found = toPggan(
		Object.fromEntries(Object.entries(gradients).map(([name, tensor]) => [name, host(tensor)])),
		layout,
	);
	const norms = new Set(f.scalars(`${prefix}l2_${kind}.`));
	const full = new Set(f.names({ prefix: `${prefix}grad_${kind}.` }));
	for (const [name, gradient] of Object.entries(found)) {
		const norm = Math.sqrt(gradient.data.reduce((sum, value) => sum + value * value, 0));
		const [normName, fullName] = [`${prefix}l2_${kind}.${name}`, `${prefix}grad_${kind}.${name}`];
		if (norms.delete(normName)) f.expect(normName, norm);
		else if (norms.size > 0 && norm !== 0) throw new Error(`${f.name}: ${normName} is ${norm}, not 0`);
		if (full.delete(fullName)) f.expect(fullName, gradient);
	}
	const missed = [...norms, ...full];
	if (missed.length > 0) throw new Error(`${f.name} has gradients that were not computed: ${missed}`);
}
