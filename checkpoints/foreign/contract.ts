// How other code bases store networks: what a layout has to say of itself. One file a family, one line in registry.ts.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import type { Architecture } from '../../models/index.ts';
import type { Plain, Writable } from '../pytorch/index.ts';

export type Part = 'generator' | 'discriminator';

/** An entry of a file that becomes no tensor of a checkpoint. */
export interface Left {
	name: string;
	why: string;
}

/** What is known besides the state dictionary. */
export interface Hints {
	/** The generator that a discriminator belongs to; what a discriminator's shapes do not tell is taken from it. */
	generator?: Architecture;
	/** Side of the images, where shapes do not tell it (Glow). */
	resolution?: number;
	/** A thing of the file beside its networks, by its key. */
	field(key: string): Plain | undefined;
}

/** A network of a file in our layout. */
export interface ForeignNetwork {
	architecture: Architecture;
	params: HostTensors;
	/** Fixed noise maps of a generator, `noise_0` [1, h, w, 1], … */
	noises?: HostTensors;
	/** Entries that became no parameter. */
	left: Left[];
	/** What a person should know: what differs, what was assumed. */
	notes: string[];
}

/** A state dictionary, to be written. */
export interface ForeignFile {
	/** What torch.save is given, tensors in torch's layouts. */
	content: Readonly<Record<string, Writable>>;
	notes: string[];
}

/** What of a checkpoint is written. */
export interface Written {
	architecture: { generator: Architecture; discriminator: Architecture | null };
	/** The average, without which there is nothing to write. */
	average: HostTensors;
	generator?: HostTensors;
	discriminator?: HostTensors;
	/** Fixed noise maps: `g_ema.noise_0`, `g.noise_0`, … */
	noises?: HostTensors;
	/** Mean of w, [W]. */
	wMean?: readonly number[];
	step: number;
}

export interface ForeignLayout {
	/** As the registry and messages name it. */
	readonly name: string;
	/** Which network a state dictionary is, by the names of its entries; undefined: none of this layout. */
	recognise(has: (name: string) => boolean): Part | undefined;
	/** @throws MISMATCH, naming what cannot be represented. */
	read(state: HostTensors, part: Part, hints: Hints): ForeignNetwork;
	/** A checkpoint of an architecture that this layout stores. Absent: it is only read. */
	write?(checkpoint: Written): ForeignFile;
	/** Which architectures `write` takes. */
	stores?(architecture: Architecture): boolean;
}

/** Refuses entries that a network does not have, but for those that `constant` gives a reason for. */
export function leftOver(
	state: HostTensors,
	known: Readonly<Record<string, unknown>>,
	constant: (name: string) => string | undefined,
): Left[] {
	return Object.keys(state)
		.filter((name) => !Object.hasOwn(known, name))
		.map((name) => {
			const why = constant(name);
			if (!why)
				throw new RtilError('MISMATCH', `The state dictionary has ${name}, which no such network has`);
			return { name, why };
		});
}

/** The shape of an entry that must be there. */
export function shapeOf(state: HostTensors, name: string): readonly number[] {
	const tensor = Object.hasOwn(state, name) ? state[name] : undefined;
	if (!tensor) throw new RtilError('MISMATCH', `The state dictionary lacks ${name}`);
	return tensor.shape;
}

/** The numbers that a pattern's first group matches in the names, in order; each once. */
export function indices(state: HostTensors, pattern: RegExp): number[] {
	const found = Object.keys(state).flatMap((name) => pattern.exec(name)?.[1] ?? []);
	return [...new Set(found.map(Number))].sort((a, b) => a - b);
}
