// A checkpoint folder → a prior. The generator is the exponential moving average, group `g_ema`.
import { z } from 'zod';
import { type CheckpointManifest, readGroup, readManifest } from '../checkpoints/index.ts';
import type { Engine } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import { architectureSchema, type Generator, generatorOf as ganGenerator } from '../models/index.ts';
import type { LatentStatistics, Prior } from './prior.ts';
import { latentStatistics } from './statistics.ts';

const rtilConfig = z.looseObject({ cuts: z.array(z.string()).min(1), sigma: z.number().positive() });

const numbers = z.array(z.number()).transform((values) => Float32Array.from(values));

/** An imported checkpoint may know the centre of w, and nothing more. */
const centreJson = z.looseObject({ wMean: numbers });

const latentJson = z.looseObject({
	wMean: numbers,
	wStd: numbers,
	featureStd: z.record(z.string(), z.number().positive()),
});

/** The generator that a manifest describes; throws MISMATCH when it is of a kind that cannot be inverted here. */
export function generatorOf({ id, architecture }: CheckpointManifest): Generator {
	const { success, data, error } = architectureSchema.safeParse(architecture.generator);
	const refuse = (why: string): never => {
		throw new RtilError(
			'MISMATCH',
			`Checkpoint ${id.slice(0, 12)} has a generator that cannot be inverted: ${why}`,
			'Give a StyleGAN2 or PGGAN checkpoint.',
		);
	};
	if (!success)
		return refuse(`${error.issues[0]!.path.join('.') || 'architecture'}: ${error.issues[0]!.message}`);
	if (data.kind === 'glow') return refuse('it is a Glow');
	return ganGenerator(data);
}

/**
 * Reads a checkpoint folder as a prior; latent statistics that it does not carry are computed.
 *
 * @throws NOT_FOUND, CORRUPT (digests), MISMATCH (another architecture than it says).
 */
export async function loadPrior(engine: Engine, dir: string): Promise<Prior> {
	const manifest = await readManifest(dir);
	const generator = generatorOf(manifest);
	const params = await readGroup(dir, 'g_ema');
	for (const [name, shape] of Object.entries(generator.shapes)) {
		const found = params[name]?.shape;
		if (found?.join() !== shape.join()) {
			throw new RtilError(
				'MISMATCH',
				`Checkpoint ${manifest.id.slice(0, 12)}: tensor ${name} is ${found ? `[${found}]` : 'missing'}, not [${shape}].`,
				'Give a checkpoint whose manifest fits its files.',
			);
		}
	}
	const known = Object.fromEntries(Object.keys(generator.shapes).map((name) => [name, params[name]!]));
	const rtil = manifest.rtil ? rtilConfig.parse(manifest.rtil) : null;
	return {
		id: manifest.id,
		generator,
		params: known,
		latent: storedStatistics(manifest, generator) ?? {
			...latentStatistics(engine, generator, known, { seed: 0 }),
			...storedCentre(manifest, generator),
		},
		rtil: rtil && { cuts: rtil.cuts, sigma: rtil.sigma },
	};
}

function storedStatistics(
	{ latent }: CheckpointManifest,
	generator: Generator,
): LatentStatistics | undefined {
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
