import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { temporaryFolder } from '../bus/server.ts';
import { faceOnnx, faceState } from '../checkpoints/face-files.ts';
import { drawnWeights, writePublished } from '../checkpoints/weights-files.ts';
import { runRtil } from './rtil.ts';

test('rtil weights add takes files in, rtil weights lists them', async (t) => {
	const dir = await temporaryFolder(t);
	const env = { RTIL_CACHE: path.join(dir, 'cache') };
	const empty = await runRtil(t, ['weights'], env);
	t.is(empty.code, 0, empty.err);
	t.regex(empty.out, /^No weights yet\..*rtil weights add FILE/);

	const files = await writePublished(dir, 'squeeze', drawnWeights('squeeze'));
	const added = await runRtil(t, ['weights', 'add', files.backbone, files.heads, '--lpips', '0.0'], env);
	t.is(added.code, 0, added.err);
	t.regex(added.out, /squeeze +backbone +– +squeeze-torchvision\.pth/);
	t.regex(added.out, /squeeze +heads +0\.0 +squeeze\.pth/);

	const again = await runRtil(t, ['weights', 'add', files.heads, '--json'], env);
	t.like(JSON.parse(again.out)[0], { kind: 'squeeze-heads-0.1', versionBy: 'assumed' });
	const listed = await runRtil(t, ['weights', '--json'], env);
	t.deepEqual(
		JSON.parse(listed.out).map(({ kind }: { kind: string }) => kind),
		['squeeze-backbone', 'squeeze-heads-0.0', 'squeeze-heads-0.1'],
	);
});

test('a face network is taken in with what it expects, and what is not supported is one line', async (t) => {
	const dir = await temporaryFolder(t);
	const env = { RTIL_CACHE: path.join(dir, 'cache') };
	const file = path.join(dir, 'tiny.onnx');
	await writeFile(file, faceOnnx(faceState()));
	const options = ['--face-range', 'unit', '--face-channels', 'bgr', '--face-crop', '0.75', '--json'];
	const added = await runRtil(t, ['weights', 'add', file, ...options], env);
	t.is(added.code, 0, added.err);
	t.like(JSON.parse(added.out)[0], { face: { input: { range: 'unit', channels: 'bgr', crop: 0.75 } } });
	t.regex((await runRtil(t, ['weights'], env)).out, /face +backbone +– +tiny\.onnx/);

	const bytes = faceOnnx(faceState());
	bytes[bytes.indexOf('PRelu')] = 'Q'.charCodeAt(0);
	await writeFile(file, bytes);
	const { code, err } = await runRtil(t, ['weights', 'add', file], env);
	t.is(code, 2);
	t.regex(err, /^rtil: The ONNX operator QRelu \(node QRelu_2\) is not supported.*\n$/);
});

test('a file that is not there is one line', async (t) => {
	const dir = await temporaryFolder(t);
	const { code, err } = await runRtil(t, ['weights', 'add', 'nowhere.pth'], { RTIL_CACHE: dir });
	t.is(code, 2);
	t.is(err, 'rtil: Cannot read nowhere.pth (ENOENT)\n');
});

test('rtil train says at once that FID needs an Inception which is not known', async (t) => {
	const dir = await temporaryFolder(t);
	const file = path.join(dir, 'measured.yaml');
	await writeFile(
		file,
		'{ name: measured, resolution: 8, data: faces, arms: [vanilla], budget: { steps: 2 }, quality: {} }',
	);
	const { code, out, err } = await runRtil(t, ['train', file, '--out', dir], { RTIL_CACHE: dir });
	t.is(code, 2);
	t.is(out, '');
	t.regex(err, /^rtil: FID and KID need the weights of an Inception.*rtil weights add FILE\n$/);
});
