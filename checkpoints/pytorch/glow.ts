// Glow state dictionaries of rosinality/glow-pytorch, both ways. Parameters carry its names; masks, identities and the
// flags of actnorm, which it also stores, are made anew here.
import type { HostTensors } from '../../engine/contract.ts';
import { filterLayout, fromLayout, type TorchLayout, toLayout } from './layout.ts';

/**
 * A Glow's parameters and constants in our layout.
 *
 * @param shapes the network's `shapes` and `constants`
 * @throws MISMATCH, naming the entry that is missing or of another shape
 */
export function fromGlow(
	state: HostTensors,
	shapes: Readonly<Record<string, readonly number[]>>,
): HostTensors {
	return fromLayout(state, shapes, layoutOf);
}

/** Parameters (or gradients) as a state dictionary. */
export function toGlow(params: HostTensors): HostTensors {
	return toLayout(params, layoutOf);
}

function layoutOf(name: string, shape: readonly number[]): TorchLayout {
	if (shape.length === 4) return filterLayout(shape);
	if (shape.length === 2) return { stored: shape, axes: [0, 1] };
	const channels = name.endsWith('.loc') || name.endsWith('.scale');
	return { stored: channels ? [1, ...shape, 1, 1] : shape, size: shape, axes: [0] };
}
