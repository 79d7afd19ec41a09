// Files in the layouts in which weights of perceptual distances are published.
import { writeFile } from 'node:fs/promises';
import { encodeTorch } from '../../checkpoints/index.ts';
import { elements, type HostTensor, type HostTensors, stream } from '../../engine/index.ts';
import { lpips, type PerceptualNetwork } from '../../models/index.ts';

/** Drawn parameters of a network's LPIPS in this project's layout; heads ≥ 0. */
export function drawnWeights(network: PerceptualNetwork, seed = 1): HostTensors {
	return Object.fromEntries(
		Object.entries(lpips({ network }).shapes).map(([name, shape]) => {
			const n = elements(shape);
			const fan = shape.length === 4 ? elements(shape.slice(0, 3)) : 1;
			const centre = name.startsWith('lin') ? 1 : 0;
			const data = stream(seed, name).uniforms(0, n);
			return [name, { shape, data: data.map((u) => ((2 * u - 1 + centre) * Math.sqrt(6)) / Math.sqrt(fan)) }];
		}),
	);
}

/** The backbone as torchvision has it: filters [O, I, kh, kw], and a classifier after it. */
export function torchvisionState(params: HostTensors): HostTensors {
	const state: HostTensors = {};
	for (const [name, tensor] of Object.entries(params)) {
		if (name.startsWith('features.')) state[name] = tensor.shape.length === 4 ? toTorch(tensor) : tensor;
	}
	return { ...state, 'classifier.1.weight': { shape: [2, 3], data: new Float32Array(6) } };
}

function toTorch({ shape, data }: HostTensor): HostTensor {
	const [h, w, inputs, outputs] = shape as [number, number, number, number];
	const out = new Float32Array(data.length);
	let at = 0;
	for (let o = 0; o < outputs; o++)
		for (let i = 0; i < inputs; i++)
			for (let p = 0; p < h * w; p++) out[at++] = data[(p * inputs + i) * outputs + o]!;
	return { shape: [outputs, inputs, h, w], data: out };
}

/** The heads under their published names. */
export function headsState(params: HostTensors): HostTensors {
	return Object.fromEntries(
		Object.entries(params)
			.filter(([name]) => name.startsWith('lin'))
			.map(([name, { shape, data }]) => [`${name}.model.1.weight`, { shape: [1, shape[0]!, 1, 1], data }]),
	);
}

/** Writes a network's backbone (zip) and heads (legacy) as `.pth` files. */
export async function writePublished(
	dir: string,
	network: PerceptualNetwork,
	params: HostTensors,
): Promise<{ backbone: string; heads: string }> {
	const files = { backbone: `${dir}/${network}-torchvision.pth`, heads: `${dir}/${network}.pth` };
	await writeFile(files.backbone, encodeTorch(torchvisionState(params)));
	await writeFile(files.heads, encodeLegacy(headsState(params)));
	return files;
}

/** A state dictionary as torch before 1.6 wrote it, from a GPU. */
export function encodeLegacy(state: HostTensors): Buffer {
	const text = (value: string) => {
		const head = Buffer.from([0x58, 0, 0, 0, 0]);
		head.writeUInt32LE(value.length, 1);
		return Buffer.concat([head, Buffer.from(value)]);
	};
	const int = (value: number) => {
		const bytes = Buffer.from([0x4a, 0, 0, 0, 0]);
		bytes.writeInt32LE(value, 1);
		return bytes;
	};
	const op = (...bytes: number[]) => Buffer.from(bytes);
	const tuple = (...items: Buffer[]) => Buffer.concat([op(0x28), ...items, op(0x74)]);
	const global = (name: string) => Buffer.from(`c${name}\n`);
	const emptyDictionary = Buffer.concat([global('collections\nOrderedDict'), op(0x29, 0x52)]);
	const pickle = (...parts: Buffer[]) => Buffer.concat([op(0x80, 2), ...parts, op(0x2e)]);

	const entries = Object.entries(state);
	const tensors = entries.map(([name, { shape, data }], i) => {
		const storage = tuple(
			text('storage'),
			global('torch\nFloatStorage'),
			text(`${i}`),
			text('cuda:0'),
			int(data.length),
			op(0x4e),
		);
		const strides = shape.map((_, axis) => elements(shape.slice(axis + 1)));
		return Buffer.concat([
			text(name),
			global('torch._utils\n_rebuild_tensor_v2'),
			tuple(
				Buffer.concat([storage, op(0x51)]),
				int(0),
				tuple(...shape.map(int)),
				tuple(...strides.map(int)),
				op(0x89),
				emptyDictionary,
			),
			op(0x52),
		]);
	});
	const storages = entries.map(([, { data }]) => {
		const count = Buffer.alloc(8);
		count.writeBigInt64LE(BigInt(data.length));
		return Buffer.concat([count, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
	});
	return Buffer.concat([
		pickle(Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex')),
		pickle(int(1001)),
		pickle(op(0x7d, 0x28), text('little_endian'), op(0x88, 0x75)),
		pickle(emptyDictionary, op(0x28), ...tensors, op(0x75)),
		pickle(op(0x5d, 0x28), ...entries.map((_, i) => text(`${i}`)), op(0x65)),
		...storages,
	]);
}
