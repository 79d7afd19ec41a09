// Which of the weights that this project can use a file holds: a state dictionary of PyTorch or safetensors, arrays of
// numpy, or an ONNX graph. What each must look like is in faces.ts, pristine.ts and pytorch/.
import type { HostTensors } from '../engine/contract.ts';
import { expected } from '../errors/index.ts';
import type { FaceInput, PerceptualNetwork } from '../models/index.ts';
import { type FaceManifest, faceOfOnnx, faceOfState } from './faces.ts';
import { readNpz } from './npz.ts';
import { recognisePristine } from './pristine.ts';
import { recogniseInception } from './pytorch/inception.ts';
import { readTorch, tensorsByPath } from './pytorch/reader.ts';
import type { StoredTensor } from './pytorch/tensor.ts';
import { recogniseWeights } from './pytorch/torchvision.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

const accepted =
	"a state dictionary of torchvision (AlexNet, VGG16, SqueezeNet 1.1), LPIPS heads, FID's Inception or a face network (iresnet), or NIQE's statistics";

/** What a file is: a part of a network, and the bytes to keep of it. */
export interface FoundWeights {
	network: PerceptualNetwork | 'inception' | 'face' | 'niqe';
	part: 'backbone' | 'heads' | 'statistics';
	/** Of a face network. */
	face?: FaceManifest;
	content: Buffer;
	extension: 'safetensors' | 'onnx';
}

/**
 * Looks at a file's format, names and shapes.
 *
 * @throws what `addWeights` throws, but for NOT_FOUND.
 */
export async function recognise(
	bytes: Buffer,
	file: string,
	input: Partial<FaceInput>,
): Promise<FoundWeights> {
	const format = formatOf(bytes, file);
	const face = { network: 'face', part: 'backbone' } as const;
	if (format === 'onnx') return { ...face, ...(await faceOfOnnx(bytes, file, input)) };
	const state = await readState(bytes, file, format);
	const iresnet = await faceOfState(state, input);
	if (iresnet) return { ...face, ...iresnet };
	const pristine = recognisePristine(state);
	if (pristine) return { network: 'niqe', part: 'statistics', ...kept(pristine) };
	const { inception, lpips, perceptualNetworks } = await import('../models/index.ts');
	const shapes = Object.fromEntries(
		perceptualNetworks.map((network) => [network, lpips({ network }).shapes]),
	) as Record<PerceptualNetwork, Readonly<Record<string, readonly number[]>>>;
	const features = recogniseInception(state, inception().shapes);
	const found = features
		? { network: 'inception' as const, part: 'backbone' as const, tensors: features }
		: recogniseWeights(state, shapes);
	if (!found) throw expected(accepted, file, describe([...state.keys()]));
	const { network, part, tensors } = found;
	return { network, part, ...kept(tensors) };
}

const kept = (tensors: HostTensors): Pick<FoundWeights, 'content' | 'extension'> => ({
	content: encodeSafetensors(tensors),
	extension: 'safetensors',
});

/** Formats of named tensors. */
type Format = 'torch' | 'safetensors' | 'npz';

/** By the name where it says so, else by how the bytes begin. */
function formatOf(bytes: Buffer, file: string): Format | 'onnx' {
	if (file.endsWith('.onnx')) return 'onnx';
	if (file.endsWith('.safetensors')) return 'safetensors';
	if (file.endsWith('.npz')) return 'npz';
	// A header's length in 8 bytes, then JSON; the version of the IR, the first field of a protobuf message.
	if (bytes.length > 8 && bytes[8] === 0x7b && bytes.readBigUInt64LE(0) < bytes.length) return 'safetensors';
	return bytes[0] === 0x08 ? 'onnx' : 'torch';
}

async function readState(
	bytes: Buffer,
	file: string,
	format: Format,
): Promise<ReadonlyMap<string, StoredTensor>> {
	if (format === 'torch') return tensorsByPath(await readTorch(bytes, file), file);
	const tensors = format === 'npz' ? await readNpz(bytes, file) : decodeSafetensors(bytes, file);
	return new Map(
		Object.entries(tensors).map(([name, tensor]) => [name, { shape: tensor.shape, toHost: () => tensor }]),
	);
}

/** Some of the names in a file that was not recognised. */
function describe(names: readonly string[]): string {
	if (names.length === 0) return 'a file without tensors';
	return `a file with ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
}
