// A checkpoint → a file for the code base that has such networks.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import { type Architecture, architectureSchema } from '../../models/index.ts';
import { readGroup, readManifest } from '../folder.ts';
import { encodeTorch } from '../pytorch/index.ts';
import { layouts } from './registry.ts';

export interface ForeignExport {
	/** For whose code the file is. */
	layout: string;
	bytes: Buffer;
	/** Its keys. */
	keys: string[];
	notes: string[];
}

/**
 * A checkpoint folder as a `.pt` file.
 *
 * @param name of the folder inside the archive
 * @throws NOT_FOUND, CORRUPT; MISMATCH for networks that no layout stores.
 */
export async function writeForeign(dir: string, name: string): Promise<ForeignExport> {
	const manifest = await readManifest(dir);
	const architecture = (described: unknown): Architecture => {
		const { success, data } = architectureSchema.safeParse(described);
		if (success) return data;
		throw new RtilError('MISMATCH', `The checkpoint in ${dir} has networks of a kind that is not known`);
	};
	const generator = architecture(manifest.architecture.generator);
	const layout = layouts.find((candidate) => candidate.stores?.(generator));
	if (!layout?.write) throw new RtilError('MISMATCH', `No code base is known that has a ${generator.kind}`);
	const group = async (key: string): Promise<HostTensors | undefined> =>
		Object.hasOwn(manifest.files, `${key}.safetensors`) ? readGroup(dir, key) : undefined;
	const [g, d, noises] = [await group('g'), await group('d'), await group('noises')];
	const wMean = manifest.latent?.wMean;
	const { content, notes } = layout.write({
		architecture: {
			generator,
			discriminator: manifest.architecture.discriminator && architecture(manifest.architecture.discriminator),
		},
		average: await readGroup(dir, 'g_ema'),
		...(g ? { generator: g } : {}),
		...(d ? { discriminator: d } : {}),
		...(noises ? { noises } : {}),
		...(isNumbers(wMean) ? { wMean } : {}),
		step: manifest.step,
	});
	return { layout: layout.name, bytes: encodeTorch(content, name), keys: Object.keys(content), notes };
}

function isNumbers(value: unknown): value is number[] {
	return Array.isArray(value) && value.every((item) => typeof item === 'number');
}
