// A checkpoint folder → a prior. The generator is the exponential moving average, group `g_ema`.
import { z } from 'zod';
import { type CheckpointManifest, readGroup, readManifest } from '../checkpoints/index.ts';
import type { Engine, HostTensors } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import {
	architectureSchema,
	discriminatorOf,
	type Generator,
	type Glow,
	generatorOf,
	glowOf,
	type LatentStatistics,
	latentFromGroup,
	latentStatistics,
} from '../models/index.ts';
import type { AnyPrior, Prior } from './prior.ts';

/** Where the paper's mixture form or its additive form prepared the prior, and σ there. */
const rtilConfig = z.union([
	z
		.looseObject({
			cuts: z.array(z.string()).min(1),
			sigma: z.union([z.number(), z.array(z.number()).min(1)]),
		})
		.transform(({ cuts, sigma }) => ({
			cuts,
			sigmas: Object.fromEntries(
				cuts.map((cut, i) => [cut, typeof sigma === 'number' ? sigma : (sigma[i] ?? 1)]),
			),
		})),
	z.looseObject({ cut: z.string() }).transform(({ cut }) => ({ cuts: [cut], sigmas: {} })),
]);

const numbers = z.array(z.number()).transform((values) => Float32Array.from(values));

/** An imported checkpoint may know the centre of w, and nothing more. */
const centreJson = z.looseObject({ wMean: numbers });

const latentJson = z.looseObject({
	wMean: numbers,
	wStd: numbers,
	featureStd: z.record(z.string(), z.number().positive()),
});

/** The network that a manifest describes; throws MISMATCH when it is of a kind that cannot be inverted here. */
export function networkOf({ id, architecture }: CheckpointManifest): Generator | Glow {
	const { success, data, error } = architectureSchema.safeParse(architecture.generator);
	if (success) return data.kind === 'glow' ? glowOf(data) : generatorOf(data);
	const [issue] = error.issues;
	throw new RtilError(
		'MISMATCH',
		`Checkpoint ${id.slice(0, 12)} has a generator that cannot be inverted: ${issue!.path.join('.') || 'architecture'}: ${issue!.message}`,
		'Give a StyleGAN2, PGGAN or Glow checkpoint.',
	);
}

/** A Glow, not a generator of a GAN. */
export const isGlow = (network: Generator | Glow): network is Glow => network.kind === 'glow';

/**
 * Reads a checkpoint folder as a prior; latent statistics that it does not carry are computed.
 *
 * @throws NOT_FOUND, CORRUPT (digests), MISMATCH (another architecture than it says).
 */
export async function loadPrior(engine: Engine, dir: string): Promise<AnyPrior> {
	const manifest = await readManifest(dir);
	const { id } = manifest;
	const network = networkOf(manifest);
	requireWhole(manifest);
	const stored = await readGroup(dir, 'g_ema');
	if (isGlow(network)) {
		const params = pick(manifest, stored, { ...network.shapes, ...network.constants });
		return { kind: 'glow', id, glow: network, params: { ...params, ...network.derived(params) } };
	}
	const params = pick(manifest, stored, network.shapes);
	const discriminator = await loadDiscriminator(dir, manifest);
	const rtil = manifest.rtil ? rtilConfig.parse(manifest.rtil) : null;
	return {
		kind: 'gan',
		id,
		generator: network,
		params,
		latent: (await storedStatistics(dir, manifest, network)) ?? {
			...latentStatistics(engine, network, params, { seed: 0 }),
			...storedCentre(manifest, network),
		},
		rtil,
		...(discriminator ? { discriminator } : {}),
	};
}

/** Throws MISMATCH while a PGGAN's newest block fades in: its image is a blend that no cut knows of. */
function requireWhole({ id, architecture }: CheckpointManifest): void {
	const { fade } = architecture.generator;
	if (typeof fade !== 'number') return;
	throw new RtilError(
		'MISMATCH',
		`Checkpoint ${id.slice(0, 12)} was saved while a block fades in (${Math.round(100 * fade)} %).`,
		'Train on until it has, or take an earlier checkpoint.',
	);
}

/** The tensors of these names; throws MISMATCH unless each is there in its shape. */
function pick(
	{ id }: CheckpointManifest,
	stored: HostTensors,
	shapes: Readonly<Record<string, readonly number[]>>,
): HostTensors {
	for (const [name, shape] of Object.entries(shapes)) {
		const found = stored[name]?.shape;
		if (found?.join() === shape.join()) continue;
		throw new RtilError(
			'MISMATCH',
			`Checkpoint ${id.slice(0, 12)}: tensor ${name} is ${found ? `[${found}]` : 'missing'}, not [${shape}].`,
			'Give a checkpoint whose manifest fits its files.',
		);
	}
	return Object.fromEntries(Object.keys(shapes).map((name) => [name, stored[name]!]));
}

/** Group `d`; undefined where the checkpoint has none, or one that does not fit its description. */
async function loadDiscriminator(
	dir: string,
	{ files, architecture }: CheckpointManifest,
): Promise<Prior['discriminator']> {
	const { success, data } = architectureSchema.safeParse(architecture.discriminator);
	if (!success || data.kind === 'glow' || !Object.hasOwn(files, 'd.safetensors')) return undefined;
	const network = discriminatorOf(data);
	const params = await readGroup(dir, 'd');
	const fits = Object.entries(network.shapes).every(
		([name, shape]) => params[name]?.shape.join() === shape.join(),
	);
	return fits ? { network, params } : undefined;
}

/** Group `latent`, or what the manifest itself says. */
async function storedStatistics(
	dir: string,
	{ latent, files }: CheckpointManifest,
	generator: Generator,
): Promise<LatentStatistics | undefined> {
	if (Object.hasOwn(files, 'latent.safetensors'))
		return latentFromGroup(await readGroup(dir, 'latent'), generator);
	const { success, data } = latentJson.safeParse(latent);
	return success && data.wMean.length === generator.wDim && data.wStd.length === generator.wDim
		? data
		: undefined;
}

function storedCentre(
	{ latent }: CheckpointManifest,
	generator: Generator,
): Pick<LatentStatistics, 'wMean'> | undefined {
	const { success, data } = centreJson.safeParse(latent);
	return success && data.wMean.length === generator.wDim ? { wMean: data.wMean } : undefined;
}
