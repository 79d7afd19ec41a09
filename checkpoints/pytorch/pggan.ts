// PGGAN state dictionaries of genforce (whose networks hold the weights of the authors' code), pytorch_GAN_zoo and the
// RTIL code, both ways. Parameters carry the names of their code base, so only layouts change.
import type { HostTensors } from '../../engine/contract.ts';
import type { PgganDialect } from '../../models/index.ts';
import { filterLayout, fromLayout, type TorchLayout, toLayout } from './layout.ts';

export interface PgganLayout {
	dialect: PgganDialect;
	network: 'generator' | 'discriminator';
	/** karras: up-scaling convolutions are stored fused: [I, O, kh, kw], turned by half a turn. Absent: they are not. */
	fusedUp?: boolean;
}

/** A network's parameters in our layout; `shapes` are those the network has. Throws MISMATCH, naming the entry. */
export function fromPggan(
	state: HostTensors,
	shapes: Readonly<Record<string, readonly number[]>>,
	layout: PgganLayout,
): HostTensors {
	return fromLayout(state, shapes, (name, shape) => layoutOf(name, shape, layout));
}

/** A network's parameters (or gradients) as a state dictionary of their code base. */
export function toPggan(params: HostTensors, layout: PgganLayout): HostTensors {
	return toLayout(params, (name, shape) => layoutOf(name, shape, layout));
}

function layoutOf(name: string, shape: readonly number[], layout: PgganLayout): TorchLayout {
	const { dialect, network, fusedUp = false } = layout;
	if (shape.length === 4) {
		const [h, w, i, o] = shape as [number, number, number, number];
		// The first layer of every block but the lowest doubles the map.
		const up = fusedUp && network === 'generator' && /^layer\d*[02468]\./.test(name);
		return up ? { stored: [i, o, h, w], axes: [~2, ~3, 0, 1] } : filterLayout(shape);
	}
	if (shape.length === 1) {
		const [n] = shape as [number];
		return name === 'formatLayer.module.bias'
			? { stored: [n], size: [n / 16, 4, 4], axes: [1, 2, 0] }
			: { stored: [n], axes: [0] };
	}
	const [inputs, outputs] = shape as [number, number];
	if (network === 'discriminator') {
		if (outputs === 1) return { stored: [1, inputs], axes: [1, 0] };
		const stored = dialect === 'rtil' ? [outputs, inputs / 16, 4, 4] : [outputs, inputs];
		return { stored, size: [outputs, inputs / 16, 4, 4], axes: [2, 3, 1, 0] };
	}
	const maps = outputs / 16;
	if (dialect === 'rtil') return { stored: [inputs, maps, 4, 4], axes: [0, 2, 3, 1] };
	if (dialect === 'zoo') return { stored: [outputs, inputs], size: [maps, 4, 4, inputs], axes: [3, 1, 2, 0] };
	// A convolution over a padded 1 × 1 map meets its kernel turned.
	return { stored: [maps, inputs, 4, 4], axes: [1, ~2, ~3, 0] };
}
