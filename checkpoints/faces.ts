// Face networks among the user's weights: what is written down of one, and how it comes back.
import { z } from 'zod';
import type { HostTensors } from '../engine/contract.ts';
import { expected, RtilError } from '../errors/index.ts';
import type { FaceInput, FaceWeights, IresnetConfig } from '../models/index.ts';
import { readOnnx } from './onnx.ts';
import { recogniseIresnet } from './pytorch/iresnet.ts';
import type { StoredTensor } from './pytorch/tensor.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

const size = z
	.int()
	.min(1)
	.max(2 ** 16);

/** What a manifest says of a face network beside its file: how it is built, and what images it expects. */
export const faceManifest = z.strictObject({
	/** An `iresnet` is built by its widths and depths; the file of an `onnx` says it all. */
	network: z.discriminatedUnion('kind', [
		z.strictObject({
			kind: z.literal('iresnet'),
			stem: size,
			stages: z
				.array(z.strictObject({ width: size, blocks: size }))
				.length(4)
				.readonly(),
			side: size,
			features: size,
		}),
		z.strictObject({ kind: z.literal('onnx') }),
	]),
	input: z.strictObject({
		range: z.enum(['signed', 'signed-128', 'unit', 'bytes']),
		channels: z.enum(['rgb', 'bgr']),
		crop: z.number().gt(0).max(1),
	}),
});

export type FaceManifest = z.infer<typeof faceManifest>;

/** A face network that was taken in: what is known of it, and the bytes to keep. */
export interface FoundFace {
	face: FaceManifest;
	content: Buffer;
	extension: 'safetensors' | 'onnx';
}

/** The network of a state dictionary in the layout of insightface's iresnet; undefined when it is none. */
export async function faceOfState(
	state: ReadonlyMap<string, StoredTensor>,
	input: Partial<FaceInput>,
): Promise<FoundFace | undefined> {
	const { iresnet } = await import('../models/index.ts');
	const found = recogniseIresnet(state, iresnet);
	if (!found) return undefined;
	const network = { kind: 'iresnet' as const, ...found.config };
	return {
		face: { network, input: inputOf(input, 'signed') },
		content: encodeSafetensors(found.tensors),
		extension: 'safetensors',
	};
}

/** The network of an ONNX file; throws what `readOnnx` and `onnxNetwork` refuse. */
export async function faceOfOnnx(bytes: Buffer, file: string, input: Partial<FaceInput>): Promise<FoundFace> {
	const { onnxNetwork } = await import('../models/index.ts');
	const { takesBytes } = onnxNetwork(readOnnx(bytes, file));
	return {
		face: { network: { kind: 'onnx' }, input: inputOf(input, takesBytes ? 'bytes' : 'signed') },
		content: bytes,
		extension: 'onnx',
	};
}

function inputOf(
	{ range, channels = 'rgb', crop = 1 }: Partial<FaceInput>,
	usual: FaceInput['range'],
): FaceInput {
	if (!(crop > 0 && crop <= 1))
		throw expected('a share in (0, 1]', "the crop of a face network's images", crop);
	return { range: range ?? usual, channels, crop };
}

/** The network that a manifest and its file describe; @throws CORRUPT when they do not agree. */
export async function faceFrom(
	{ network, input }: FaceManifest,
	bytes: Buffer,
	source: { name: string; sha256: string },
	place: string,
): Promise<FaceWeights> {
	const { iresnet, iresnetName, onnxNetwork } = await import('../models/index.ts');
	const named = (architecture: string): string =>
		[`${architecture}${source.name}, ${source.sha256.slice(0, 12)}`, ...unusual(input)].join(', ');
	if (network.kind === 'onnx') {
		const built = onnxNetwork(readOnnx(bytes, place));
		return { name: named(''), network: built, input, params: built.params };
	}
	const { kind: _, ...config } = network;
	const built = iresnet(config satisfies IresnetConfig);
	const params = decodeSafetensors(bytes, place);
	requireShapes(params, built.shapes, place);
	return { name: named(`${iresnetName(config)} of `), network: built, input, params };
}

/** What of an input a reader of numbers must know. */
function unusual({ range, channels, crop }: FaceInput): string[] {
	return [
		...(range === 'signed' ? [] : [`range ${range}`]),
		...(channels === 'rgb' ? [] : [channels]),
		...(crop === 1 ? [] : [`central ${crop}`]),
	];
}

function requireShapes(
	params: HostTensors,
	shapes: Readonly<Record<string, readonly number[]>>,
	place: string,
): void {
	const wrong = Object.keys(shapes).find((name) => `${params[name]?.shape}` !== `${shapes[name]}`);
	if (wrong !== undefined)
		throw new RtilError('CORRUPT', `${place} does not have ${wrong} as its manifest says`);
}
