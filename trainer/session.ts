// Pieces that the sessions of all kinds of models share.
import type { HostTensor, HostTensors, Program, ProgramFunction } from '../engine/index.ts';
import type { Generator } from '../models/index.ts';
import type { Arm } from './arm.ts';
import { sampleCount } from './recipe.ts';
import { type FamilyBatch, familyBatch, type LatentInputs, latentSource } from './sampling.ts';

/** Calls functions of a program and counts their floating-point operations. */
export class FlopsCounter {
	readonly #program: Program<Record<string, ProgramFunction>>;
	#flops: number | undefined = 0;

	constructor(program: Program<Record<string, ProgramFunction>>) {
		this.#program = program;
	}

	readonly call = (name: string, inputs: Record<string, Float32Array>): HostTensors => {
		const once = this.#program.flops(name);
		this.#flops = once === undefined || this.#flops === undefined ? undefined : this.#flops + once;
		return this.#program.call(name, inputs);
	};

	readonly total = (): number | undefined => this.#flops;
}

/** Latents of a batch of samples, of which 0 is the grid: the same at every step and in every arm. */
export function sampleLatents(seed: number, generator: Generator, index = 0): Record<string, Float32Array> {
	const members = [{ name: 'G0', cuts: [], codes: 1, weight: 1 }];
	const batch = familyBatch(members, sampleCount);
	const draw = { batch, members, cuts: [], sigmas: {}, mixing: 0 };
	return latentSource(seed, 'samples', generator, draw)(index);
}

/** Images of a session's program as [N, side, side, 3]. */
export function flatSamples({ data }: HostTensor, side: number): HostTensor {
	return { shape: [sampleCount, side, side, 3], data };
}

/**
 * What each part of a batch draws for one purpose. Members that take turns have streams of their own, unless they share
 * z0; the base generator's is the plain one, the same as in every arm.
 */
export function partLatents(
	{ config, generator, members, cuts, sigmas }: Arm,
	seed: number,
	purpose: string,
	parts: readonly FamilyBatch[],
	mixing: number,
): ((step: number) => LatentInputs)[] {
	return parts.map((batch) => {
		const k = batch.member[0]!;
		const apart = parts.length > 1 && k > 0 && config.rtil?.latents !== 'shared';
		const own = apart ? `${purpose} ${members[k]!.name}` : purpose;
		return latentSource(seed, own, generator, { members, cuts, sigmas, mixing, batch });
	});
}
