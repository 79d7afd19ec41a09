import test from 'ava';
import sharp from 'sharp';
import { decodeImage, encodePng, imageGrid, splitBatch } from '../../data/index.ts';

test('an image comes back from its PNG to half a grey level', async (t) => {
	const data = Float32Array.from({ length: 5 * 7 * 3 }, (_, i) => Math.sin(i));
	const back = await decodeImage(await encodePng(data, { width: 7, height: 5, channels: 3 }));
	t.like(back, { width: 7, height: 5, channels: 3 });
	for (const [i, value] of back.data.entries()) t.true(Math.abs(value - data[i]!) <= 0.5 / 127.5 + 1e-6);
});

test('values outside [-1, 1] are cut and NaN is black', async (t) => {
	const data = Float32Array.of(-9, 9, Number.NaN, 0);
	const { data: bytes } = await sharp(await encodePng(data, { width: 4, height: 1, channels: 1 }))
		.toColourspace('b-w')
		.raw()
		.toBuffer({ resolveWithObject: true });
	t.deepEqual([...bytes], [0, 255, 0, 128]);
});

test('an image is resized, its transparent parts white', async (t) => {
	const clear = await sharp({ create: { width: 20, height: 10, channels: 4, background: '#00000000' } })
		.png()
		.toBuffer();
	const { data, ...size } = await decodeImage(clear, { width: 4, height: 4, channels: 1 });
	t.deepEqual(size, { width: 4, height: 4, channels: 1 });
	t.true(data.every((value) => value === 1));
});

test('what is no image is refused', async (t) => {
	await t.throwsAsync(decodeImage('nowhere.png'), { code: 'NOT_FOUND' });
	await t.throwsAsync(decodeImage(Buffer.from('text')), { code: 'CORRUPT' });
});

test('a grid has its images row by row with a gap between', async (t) => {
	const batch = Float32Array.from({ length: 3 * 2 * 2 }, (_, i) => (i < 4 ? -1 : i < 8 ? 0 : 1));
	const images = splitBatch(batch, { width: 2, height: 2, channels: 1 });
	const grid = await imageGrid(images, { columns: 2, gap: 1, zoom: 2 });
	const { data, info } = await sharp(grid).raw().toBuffer({ resolveWithObject: true });
	t.like(info, { width: 9, height: 9, channels: 3 });
	const at = (x: number, y: number) => data[(y * 9 + x) * 3];
	t.deepEqual([at(0, 0), at(4, 0), at(5, 0), at(8, 3), at(0, 5), at(8, 8)], [0, 255, 128, 128, 255, 255]);
});
