// What a checkpoint says of its networks, as JSON, and the networks of such a description: the one place that knows
// every kind there is.
import { z } from 'zod';
import type { Discriminator, Generator } from './contract.ts';
import { type Glow, glow } from './glow.ts';
import { pgganDiscriminator, pgganGenerator } from './pggan.ts';
import { stylegan2Discriminator, stylegan2Generator } from './stylegan2.ts';

const count = z.int().min(1);

export const stylegan2Architecture = z.strictObject({
	kind: z.literal('stylegan2'),
	resolution: count,
	channels: z.array(count),
	zDim: count,
	wDim: count,
	mappingLayers: count,
});

export const pgganArchitecture = z.strictObject({
	kind: z.literal('pggan'),
	dialect: z.enum(['karras', 'zoo', 'rtil']),
	resolution: count,
	channels: z.array(count),
	zDim: count,
	stage: count.optional(),
	/** Weight of the newest block while it fades in; absent: it has. */
	fade: z.number().min(0).max(1).optional(),
	fusedDown: z.boolean().optional(),
	stddevGroup: count.optional(),
});

export const glowArchitecture = z.strictObject({
	kind: z.literal('glow'),
	resolution: count,
	blocks: count,
	steps: count,
	coupling: z.enum(['affine', 'additive']),
	filters: count.optional(),
	plainBlocks: z.int().min(0).optional(),
});

/** Networks of any kind; one without a kind is a StyleGAN2. */
export const architectureSchema = z.preprocess(
	(given) => (isObject(given) && !('kind' in given) ? { ...given, kind: 'stylegan2' } : given),
	z.discriminatedUnion('kind', [stylegan2Architecture, pgganArchitecture, glowArchitecture]),
);

export type Architecture = z.output<typeof architectureSchema>;
export type GanArchitecture = Exclude<Architecture, { kind: 'glow' }>;
export type PgganArchitecture = z.output<typeof pgganArchitecture>;
export type GlowArchitecture = z.output<typeof glowArchitecture>;

/** The generator of an architecture; throws INVALID_INPUT where its numbers do not make one. */
export function generatorOf(architecture: GanArchitecture): Generator {
	return architecture.kind === 'pggan'
		? pgganGenerator(defined(architecture))
		: stylegan2Generator(architecture);
}

/** The discriminator that trains with `generatorOf` the same architecture. */
export function discriminatorOf(architecture: GanArchitecture): Discriminator {
	return architecture.kind === 'pggan'
		? pgganDiscriminator(defined(architecture))
		: stylegan2Discriminator(architecture);
}

/** The Glow of an architecture. */
export function glowOf({ kind: _, ...config }: GlowArchitecture): Glow {
	return glow(defined(config));
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the keys whose value is undefined. */
function defined<T extends object>(object: T): Defined<T> {
	return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function isObject(value: unknown): value is object {
	return typeof value === 'object' && value !== null;
}
