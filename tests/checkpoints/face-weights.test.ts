// Files of face networks: which are taken in, and which are refused and why.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import {
	addWeights,
	encodeSafetensors,
	encodeTorch,
	knownWeights,
	loadFace,
} from '../../checkpoints/index.ts';
import type { ErrorCode } from '../../errors/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { faceGraph, faceOnnx, faceState, TINY_FEATURES, TINY_SIDE } from './face-files.ts';
import {
	attribute,
	encodeOnnx,
	externalTensor,
	floatTensor,
	intTensor,
	type OnnxFile,
} from './onnx-files.ts';
import { drawnWeights, torchvisionState } from './weights-files.ts';

const state = faceState();

test('depths and widths are read from the shapes; a network replaces the one before', async (t) => {
	const home = await temporaryFolder(t);
	const dir = path.join(home, 'weights');
	await t.throwsAsync(loadFace({ dir }), { code: 'NOT_FOUND', message: /needs a face network/ });
	const file = path.join(home, 'tiny.pth');
	await writeFile(file, encodeTorch(state));
	const added = await addWeights(file, { dir });
	t.like(added, { kind: 'face-backbone', network: 'face', version: null });
	t.deepEqual(added.face, {
		network: {
			kind: 'iresnet',
			stem: 4,
			stages: [
				{ width: 4, blocks: 1 },
				{ width: 6, blocks: 2 },
				{ width: 5, blocks: 1 },
				{ width: 8, blocks: 1 },
			],
			side: 2,
			features: TINY_FEATURES,
		},
		input: { range: 'signed', channels: 'rgb', crop: 1 },
	});
	t.like((await loadFace({ dir })).network, { height: TINY_SIDE, width: TINY_SIDE, features: TINY_FEATURES });

	// Known by its bytes, whatever the name.
	const other = path.join(home, 'tiny');
	await writeFile(other, faceOnnx(state));
	await addWeights(other, { dir, face: { range: 'bytes', channels: 'bgr', crop: 0.75 } });
	const [known, ...rest] = await knownWeights({ dir });
	t.deepEqual(rest, []);
	t.deepEqual(known!.face, {
		network: { kind: 'onnx' },
		input: { range: 'bytes', channels: 'bgr', crop: 0.75 },
	});
	t.deepEqual((await readdir(dir)).sort(), [known!.file.name, 'face-backbone.json'].sort());
	t.regex((await loadFace({ dir })).name, /^tiny, [0-9a-f]{12}, range bytes, bgr, central 0\.75$/);

	const place = path.join(dir, known!.file.name);
	await writeFile(place, (await readFile(place)).subarray(1));
	await t.throwsAsync(loadFace({ dir }), { code: 'CORRUPT', message: /sha256 is not/ });
});

test('LPIPS backbones may be safetensors files, too', async (t) => {
	const home = await temporaryFolder(t);
	const file = path.join(home, 'squeeze.bin');
	await writeFile(file, encodeSafetensors(torchvisionState(drawnWeights('squeeze'))));
	t.like(await addWeights(file, { dir: home }), { network: 'squeeze', part: 'backbone' });
});

test('a crop that is no share is refused', async (t) => {
	const home = await temporaryFolder(t);
	const file = path.join(home, 'tiny.pth');
	await writeFile(file, encodeTorch(state));
	for (const crop of [0, 1.5, Number.NaN])
		await t.throwsAsync(addWeights(file, { dir: home, face: { crop } }), { message: /a share in \(0, 1\]/ });
});

const without = (name: string): typeof state =>
	Object.fromEntries(Object.entries(state).filter(([key]) => key !== name));
const withNumbers = (name: string, shape: number[], value = 0): typeof state => ({
	...state,
	[name]: { shape, data: new Float32Array(shape.reduce((n, side) => n * side, 1)).fill(value) },
});

/** The tiny network's graph, changed. */
function changed(change: (graph: OnnxFile) => void): Buffer {
	const graph = faceGraph(state);
	change(graph);
	return encodeOnnx(graph);
}
const whole = faceOnnx(state);

const refused: [title: string, name: string, bytes: Buffer, code: ErrorCode, message: RegExp][] = [
	['without a layer', 'x.pth', encodeTorch(without('bn2.running_var')), 'MISMATCH', /lacks bn2\.running_var/],
	[
		'without a stage',
		'x.pth',
		encodeTorch(without('layer3.0.conv1.weight')),
		'MISMATCH',
		/lacks layer3\.0\.conv1/,
	],
	[
		'with a layer of another shape',
		'x.pth',
		encodeTorch(withNumbers('layer2.1.conv2.weight', [6, 6, 1, 1])),
		'MISMATCH',
		/layer2\.1\.conv2\.weight has shape \[6,6,1,1\].*not \[6,6,3,3\]/,
	],
	[
		'with a layer too many',
		'x.safetensors',
		encodeSafetensors(withNumbers('layer1.0.se.fc.weight', [4, 4])),
		'MISMATCH',
		/has layer1\.0\.se\.fc\.weight, which no iresnet has/,
	],
	[
		'whose last layer fits no square',
		'x.pth',
		encodeTorch(withNumbers('fc.weight', [5, 24])),
		'MISMATCH',
		/reads 24 numbers/,
	],
	[
		'with broken numbers',
		'x.pth',
		encodeTorch(withNumbers('bn1.weight', [4], Number.NaN)),
		'CORRUPT',
		/bn1\.weight has the value NaN/,
	],
	[
		'with a negative variance',
		'x.pth',
		encodeTorch(withNumbers('bn1.running_var', [4], -1)),
		'CORRUPT',
		/bn1 has a negative variance/,
	],
	['that is cut short', 'x.onnx', whole.subarray(0, whole.length - 100), 'CORRUPT', /cut short or damaged/],
	['that is empty', 'x.onnx', Buffer.alloc(0), 'CORRUPT', /holds no graph/],
	['that is no protobuf', 'x.onnx', Buffer.from('hello, world'), 'CORRUPT', /cut short or damaged/],
	[
		'with an operator that is not known',
		'x.onnx',
		changed((graph) => {
			graph.nodes[3]!.operator = 'Loop';
		}),
		'MISMATCH',
		/The ONNX operator Loop \(node Loop_3\) is not supported/,
	],
	[
		'with an operator of somebody else',
		'x.onnx',
		changed((graph) => {
			graph.nodes[3]!.domain = 'com.example';
		}),
		'MISMATCH',
		/has the operator BatchNormalization of "com\.example"/,
	],
	[
		'without an initialiser',
		'x.onnx',
		changed((graph) => {
			delete graph.initialisers['fc.weight'];
		}),
		'MISMATCH',
		/Gemm.* needs fc\.weight, which is neither an initialiser nor made before/,
	],
	[
		'with an initialiser of huge size',
		'x.onnx',
		changed((graph) => {
			const { 'conv1.weight': weight, ...rest } = graph.initialisers;
			graph.initialisers = rest;
			graph.raw = [floatTensor('conv1.weight', weight!, [2 ** 30, 2 ** 30, 3, 3])];
		}),
		'CORRUPT',
		/"conv1\.weight" has 108 numbers, not the \d+/,
	],
	[
		'with an initialiser twice',
		'x.onnx',
		changed((graph) => {
			graph.raw = [intTensor('fc.bias', [1, 2])];
		}),
		'CORRUPT',
		/the initialiser "fc\.bias" twice/,
	],
	[
		'with numbers in another file',
		'x.onnx',
		changed((graph) => {
			graph.raw = [externalTensor('other', [4])];
		}),
		'MISMATCH',
		/"other" lies in another file/,
	],
	[
		'with an attribute that holds a graph',
		'x.onnx',
		changed((graph) => {
			graph.nodes[0]!.attributes = { body: Buffer.from([0xa0, 0x01, 0x05]) };
		}),
		'MISMATCH',
		/node Conv_0 has the attribute "body" of a type that is not supported/,
	],
	[
		'with broken numbers in ONNX',
		'x.onnx',
		changed((graph) => {
			graph.initialisers['fc.bias'] = { shape: [5], data: new Float32Array(5).fill(Number.NaN) };
		}),
		'CORRUPT',
		/"fc\.bias" has the value NaN/,
	],
	[
		'with operators of another age',
		'x.onnx',
		changed((graph) => {
			graph.opset = 3;
		}),
		'MISMATCH',
		/operators are of version 3/,
	],
	[
		'of images of huge size',
		'x.onnx',
		changed((graph) => {
			graph.input.shape = [1, 3, 1e9, 1e9];
		}),
		'MISMATCH',
		/images \[N, 3, H, W\] with sides of 1 to 1024/,
	],
	[
		'with an attribute that is not known',
		'x.onnx',
		changed((graph) => {
			graph.nodes[0]!.attributes!.auto_pad = attribute.text('SAME_LOWER');
		}),
		'MISMATCH',
		/Conv_0 \(Conv\) is refused: it has auto_pad "SAME_LOWER"/,
	],
];

for (const [title, name, bytes, code, message] of refused) {
	test(`a face network ${title} is refused in one line and nothing is kept`, async (t) => {
		const dir = await temporaryFolder(t);
		const file = path.join(dir, name);
		await writeFile(file, bytes);
		const error = await t.throwsAsync(addWeights(file, { dir: path.join(dir, 'w') }), { code, message });
		t.notRegex(error!.message, /\n/);
		t.deepEqual(await knownWeights({ dir: path.join(dir, 'w') }), []);
	});
}
