// Weights of perceptual distances as they are published: state dictionaries of torchvision (`features.0.weight`, …, and a
// classifier that is left out) and the heads of richzhang/PerceptualSimilarity (`lin0.model.1.weight` [1, C, 1, 1], …).
// What a file holds is told by its names and shapes.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import { filterLayout, fromLayout, type TorchLayout } from './layout.ts';
import type { StoredTensor } from './tensor.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;

const head = /^lin(\d+)\.model\.1\.weight$/u;

/** The candidate that a file is, with its tensors in our layout. */
export interface Recognised<Network extends string> {
	network: Network;
	part: 'backbone' | 'heads';
	/** `features.…` [kh, kw, I, O] and [O], or `lin0` [C], … */
	tensors: HostTensors;
}

/**
 * Which network's backbone or heads a state dictionary is.
 *
 * @param networks parameters of each candidate, `features.…` and `lin0`, …
 * @returns undefined when its names are those of none
 * @throws MISMATCH when the names fit and a shape does not, CORRUPT for numbers that cannot be weights.
 */
export function recogniseWeights<Network extends string>(
	state: ReadonlyMap<string, StoredTensor>,
	networks: Readonly<Record<Network, Shapes>>,
): Recognised<Network> | undefined {
	const stored = [...state.keys()].filter((name) => name.startsWith('features.') || head.test(name));
	const candidates = Object.entries<Shapes>(networks) as [Network, Shapes][];
	for (const part of ['backbone', 'heads'] as const) {
		const fits = candidates
			.map(([network, shapes]) => ({ network, shapes: shapesOf(part, shapes) }))
			.filter(({ shapes }) => sameNames(stored, Object.keys(shapes).map(torchName)))
			// Heads of several networks have the same names.
			.sort((a, b) => misshapen(state, a.shapes) - misshapen(state, b.shapes));
		if (fits[0]) return { network: fits[0].network, part, tensors: convert(state, fits[0].shapes, part) };
	}
	return undefined;
}

function shapesOf(part: 'backbone' | 'heads', shapes: Shapes): Shapes {
	return Object.fromEntries(
		Object.entries(shapes).filter(([name]) => name.startsWith('features.') === (part === 'backbone')),
	);
}

function torchName(name: string): string {
	return name.startsWith('lin') ? `${name}.model.1.weight` : name;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
	return a.length === b.length && b.every((name) => a.includes(name));
}

function layoutOf(name: string, shape: readonly number[]): TorchLayout {
	if (name.startsWith('lin')) return { stored: [1, shape[0]!, 1, 1], size: shape, axes: [0] };
	return shape.length === 4 ? filterLayout(shape) : { stored: shape, axes: [0] };
}

/** How many entries have another shape. */
function misshapen(state: ReadonlyMap<string, StoredTensor>, shapes: Shapes): number {
	return Object.entries(shapes).filter(
		([name, shape]) => `${state.get(torchName(name))!.shape}` !== `${layoutOf(name, shape).stored}`,
	).length;
}

function convert(
	state: ReadonlyMap<string, StoredTensor>,
	shapes: Shapes,
	part: 'backbone' | 'heads',
): HostTensors {
	const stored = Object.fromEntries(
		Object.keys(shapes).map((name) => [name, state.get(torchName(name))!.toHost()]),
	);
	const tensors = fromLayout(stored, shapes, layoutOf);
	const least = part === 'heads' ? 0 : Number.NEGATIVE_INFINITY;
	for (const [name, { data }] of Object.entries(tensors)) {
		const wrong = data.find((value) => !Number.isFinite(value) || value < least);
		if (wrong !== undefined) {
			throw new RtilError(
				'CORRUPT',
				`${torchName(name)} has the value ${wrong}, which no trained weight has`,
			);
		}
	}
	return tensors;
}
