import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { addWeights, encodeTorch, knownWeights, loadPerceptual } from '../../checkpoints/index.ts';
import { type ErrorCode, RtilError } from '../../errors/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { drawnWeights, encodeLegacy, headsState, torchvisionState, writePublished } from './weights-files.ts';

for (const network of ['squeeze', 'alex', 'vgg'] as const) {
	test.serial(
		`published files of ${network} are known by their names and give back every number`,
		async (t) => {
			const home = await temporaryFolder(t);
			const dir = path.join(home, 'weights');
			const params = drawnWeights(network);
			const files = await writePublished(home, network, params);
			const heads = await addWeights(files.heads, { dir });
			t.like(heads, { network, part: 'heads', version: '0.1', versionBy: 'assumed' });
			t.is(
				heads.source.sha256,
				createHash('sha256')
					.update(await readFile(files.heads))
					.digest('hex'),
			);
			t.like(await addWeights(files.backbone, { dir }), { network, part: 'backbone', version: null });
			t.deepEqual(
				(await knownWeights({ dir })).map(({ kind }) => kind),
				[`${network}-backbone`, `${network}-heads-0.1`],
			);
			const loaded = await loadPerceptual(network, { dir });
			t.like(loaded, { network, version: '0.1' });
			t.deepEqual(Object.keys(loaded.params).sort(), Object.keys(params).sort());
			for (const [name, { shape, data }] of Object.entries(params)) {
				t.deepEqual(loaded.params[name]!.shape, shape);
				t.true(Buffer.from(data.buffer).equals(Buffer.from(loaded.params[name]!.data.buffer)), name);
			}
		},
	);
}

test('a file of the same kind replaces the one before; versions stand side by side', async (t) => {
	const dir = await temporaryFolder(t);
	for (const [seed, version] of [
		[1, '0.1'],
		[2, '0.1'],
		[3, '0.0'],
	] as const) {
		const file = path.join(dir, `${seed}.pth`);
		await writeFile(file, encodeLegacy(headsState(drawnWeights('squeeze', seed))));
		t.like(await addWeights(file, { dir: path.join(dir, 'w'), version }), { version, versionBy: 'stated' });
	}
	const known = await knownWeights({ dir: path.join(dir, 'w') });
	t.deepEqual(
		known.map(({ kind, source }) => [kind, source.name]),
		[
			['squeeze-heads-0.0', '3.pth'],
			['squeeze-heads-0.1', '2.pth'],
		],
	);
	t.is((await readdir(path.join(dir, 'w'))).length, 4);
});

test('what is missing is named with the command that adds it', async (t) => {
	const dir = await temporaryFolder(t);
	t.deepEqual(await knownWeights({ dir: path.join(dir, 'nowhere') }), []);
	const error = await t.throwsAsync(loadPerceptual('alex', { dir }), { instanceOf: RtilError });
	t.is(error.code, 'NOT_FOUND');
	t.regex(error.message, /alex-backbone and alex-heads-0\.1/);
	t.regex(error.remedy, /torchvision's alexnet .* heads alex\.pth .*rtil weights add FILE/);
});

const state = headsState(drawnWeights('squeeze'));
const backbone = torchvisionState(drawnWeights('squeeze'));
const lin0 = 'lin0.model.1.weight';
const refused: [title: string, bytes: Buffer, code: ErrorCode, message: RegExp][] = [
	['that is no PyTorch file', Buffer.from('hello'), 'CORRUPT', /refused/],
	[
		'of another network',
		encodeTorch({ 'conv1.weight': { shape: [1], data: new Float32Array(1) } }),
		'INVALID_INPUT',
		/AlexNet, VGG16, SqueezeNet 1\.1.*conv1\.weight/,
	],
	[
		'with a layer too many',
		encodeTorch({ ...backbone, 'features.13.weight': { shape: [1], data: new Float32Array(1) } }),
		'INVALID_INPUT',
		/Expected a state dictionary of torchvision/,
	],
	[
		'with a layer of another shape',
		encodeTorch({ ...backbone, 'features.0.bias': { shape: [96], data: new Float32Array(96) } }),
		'MISMATCH',
		/features\.0\.bias has shape \[96\].*not \[64\]/,
	],
	[
		'with negative heads',
		encodeLegacy({ ...state, [lin0]: { shape: [1, 64, 1, 1], data: new Float32Array(64).fill(-1) } }),
		'CORRUPT',
		/lin0\.model\.1\.weight has the value -1/,
	],
];

for (const [title, bytes, code, message] of refused) {
	test(`a file ${title} is refused and nothing is kept`, async (t) => {
		const dir = await temporaryFolder(t);
		const file = path.join(dir, 'x.pth');
		await writeFile(file, bytes);
		const error = await t.throwsAsync(addWeights(file, { dir: path.join(dir, 'w') }), {
			instanceOf: RtilError,
		});
		t.is(error.code, code);
		t.regex(error.message, message);
		t.deepEqual(await knownWeights({ dir: path.join(dir, 'w') }), []);
	});
}

test('weights that were damaged on the disk are refused', async (t) => {
	const dir = await temporaryFolder(t);
	const files = await writePublished(dir, 'squeeze', drawnWeights('squeeze'));
	const added = await addWeights(files.heads, { dir });
	await addWeights(files.backbone, { dir });
	const place = path.join(dir, added.file.name);
	const bytes = await readFile(place);
	bytes[bytes.length - 1]! ^= 1;
	await writeFile(place, bytes);
	const error = await t.throwsAsync(loadPerceptual('squeeze', { dir }), { instanceOf: RtilError });
	t.is(error.code, 'CORRUPT');
	t.true(error.message.includes(added.file.name));
	await writeFile(path.join(dir, `${added.kind}.json`), '{"format":1}');
	await t.throwsAsync(knownWeights({ dir }), { message: /squeeze-heads-0\.1\.json is damaged/ });
});
