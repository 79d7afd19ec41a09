import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { drawFace, generateFaces } from '../../data/index.ts';

async function pixels(svg: string): Promise<Buffer> {
	return sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
}

test('a face depends on its seed and index only', (t) => {
	t.is(drawFace(3, 17, 32), drawFace(3, 17, 32));
	t.not(drawFace(3, 17, 32), drawFace(3, 18, 32));
	t.not(drawFace(3, 17, 32), drawFace(4, 17, 32));
});

test('the size changes the pixels, not the person', (t) => {
	t.is(drawFace(1, 2, 32).replaceAll('"32"', '"64"'), drawFace(1, 2, 64));
});

test('every face renders whole and none is flat or like another', async (t) => {
	const seen = new Set<string>();
	for (let index = 0; index < 60; index++) {
		const bytes = await pixels(drawFace(9, index, 32));
		t.is(bytes.length, 32 * 32 * 3);
		seen.add(bytes.toString('base64'));
		const mean = bytes.reduce((sum, value) => sum + value, 0) / bytes.length;
		const deviation = Math.sqrt(bytes.reduce((sum, value) => sum + (value - mean) ** 2, 0) / bytes.length);
		t.true(deviation > 15, `face ${index} is flat`);
	}
	t.is(seen.size, 60);
});

test('the eyes lie where FFHQ has them: the mean face is darker there than on the cheeks below', async (t) => {
	const size = 64;
	const mean = new Float64Array(size * size);
	for (let index = 0; index < 80; index++) {
		const bytes = await pixels(drawFace(5, index, size));
		for (let i = 0; i < mean.length; i++) mean[i]! += bytes[3 * i]! + bytes[3 * i + 1]! + bytes[3 * i + 2]!;
	}
	const at = (x: number, y: number) => mean[Math.round(y * size) * size + Math.round(x * size)]!;
	for (const x of [0.37, 0.63]) t.true(at(x, 0.48) < 0.9 * at(x, 0.58));
});

test('a folder of faces appears whole or not at all', async (t) => {
	const dir = await mkdtemp(path.join(tmpdir(), 'rtil-faces-'));
	t.teardown(() => rm(dir, { recursive: true, force: true }));
	const faces = { dir: path.join(dir, 'faces'), count: 20, resolution: 16, seed: 1 };
	const stop = new AbortController();
	await t.throwsAsync(generateFaces({ ...faces, signal: stop.signal, onProgress: () => stop.abort() }), {
		code: 'CANCELLED',
	});
	t.deepEqual(await readdir(dir), []);
	await generateFaces(faces);
	t.is((await readdir(faces.dir)).length, 20);
	t.deepEqual(
		await sharp(path.join(faces.dir, 'face-3.png')).raw().toBuffer(),
		await pixels(drawFace(1, 3, 16)),
	);
	await t.throwsAsync(generateFaces(faces), { code: 'ALREADY_EXISTS' });
	t.deepEqual(await readdir(dir), ['faces']);
});
