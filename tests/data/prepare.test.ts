import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import {
	type DataSpec,
	dataSpec,
	openDataset,
	type PrepareOptions,
	prepareDataset,
} from '../../data/index.ts';

async function room(t: { teardown(undo: () => Promise<void>): void }) {
	const dir = await mkdtemp(path.join(tmpdir(), 'rtil-data-'));
	t.teardown(() => rm(dir, { recursive: true, force: true }));
	const images = path.join(dir, 'images');
	const cache = path.join(dir, 'cache');
	await mkdir(images);
	const prepare = (more: object = {}, options: Partial<PrepareOptions> = {}) =>
		prepareDataset(dataSpec.parse({ kind: 'folder', path: images, resolution: 8, ...more }) as DataSpec, {
			cache,
			...options,
		});
	return { images, cache, prepare };
}

function plain(colour: string, width = 16, height = 16) {
	return sharp({ create: { width, height, channels: 3, background: colour } });
}

test('a nested folder becomes one file in natural order, on [-1, 1], channels last', async (t) => {
	const { images, prepare } = await room(t);
	await mkdir(path.join(images, 'b'));
	await plain('#ff0000').png().toFile(path.join(images, 'a10.png'));
	await plain('#00ff00').png().toFile(path.join(images, 'a2.png'));
	await plain('#0000ff')
		.webp({ lossless: true })
		.toFile(path.join(images, 'b', 'x.webp'));
	await writeFile(path.join(images, 'notes.txt'), 'not an image');
	await writeFile(path.join(images, '._a2.png'), 'left by a system');
	const prepared = await prepare();
	t.deepEqual(prepared.names, ['a2.png', 'a10.png', 'b/x.webp']);
	t.deepEqual(prepared.skipped, []);
	using dataset = openDataset(prepared.file);
	t.is(dataset.count, 3);
	t.is(dataset.fingerprint, prepared.fingerprint);
	const batch = dataset.read([1, 2]);
	t.is(batch.length, 2 * 8 * 8 * 3);
	t.deepEqual([...batch.slice(0, 3)], [1, -1, -1]);
	t.deepEqual([...batch.slice(8 * 8 * 3, 8 * 8 * 3 + 3)], [-1, -1, 1]);
	t.throws(() => dataset.read([3]), { code: 'INVALID_INPUT' });
});

test('an image is turned upright, cropped to its centre, and mirrored when asked', async (t) => {
	const { images, prepare } = await room(t);
	// Lies on its side: 32 wide and 16 high, EXIF 6 says to turn it clockwise. Left half red, right half blue.
	const red = await plain('#ff0000', 16, 16).png().toBuffer();
	await plain('#0000ff', 32, 16)
		.composite([{ input: red, left: 0, top: 0 }])
		.withMetadata({ orientation: 6 })
		.png()
		.toFile(path.join(images, 'turned.png'));
	using dataset = openDataset((await prepare({ filter: 'nearest' })).file);
	const pixel = (data: Float32Array, x: number, y: number) => [
		...data.slice((y * 8 + x) * 3, (y * 8 + x) * 3 + 3),
	];
	const upright = dataset.read([0]);
	t.deepEqual(pixel(upright, 1, 1), [1, -1, -1]); // red above
	t.deepEqual(pixel(upright, 6, 6), [-1, -1, 1]); // blue below
	const box = { left: 0, top: 8, width: 16, height: 16 };
	using boxed = openDataset((await prepare({ filter: 'nearest', crop: box })).file);
	t.deepEqual(pixel(boxed.read([0]), 1, 3), [1, -1, -1]); // of the upright image: its border of red and blue is at 8
	t.deepEqual(pixel(boxed.read([0]), 1, 5), [-1, -1, 1]);

	await plain('#0000ff', 16, 16)
		.composite([{ input: await plain('#ff0000', 8, 16).png().toBuffer(), left: 0, top: 0 }])
		.png()
		.toFile(path.join(images, 'z.png'));
	using two = openDataset((await prepare({ filter: 'nearest' })).file);
	t.deepEqual(pixel(two.read([1], undefined, Uint8Array.of(0)), 0, 4), [1, -1, -1]);
	t.deepEqual(pixel(two.read([1], undefined, Uint8Array.of(1)), 0, 4), [-1, -1, 1]);
});

test('grey images have one channel', async (t) => {
	const { images, prepare } = await room(t);
	await plain('#808080').jpeg().toFile(path.join(images, 'a.jpg'));
	using dataset = openDataset((await prepare({ channels: 1 })).file);
	const data = dataset.read([0]);
	t.is(data.length, 64);
	t.true(Math.abs(data[0]! - (128 / 127.5 - 1)) < 0.01);
});

test('nothing is decoded again until a file changes; equal pixels have one fingerprint', async (t) => {
	const { images, cache, prepare } = await room(t);
	await plain('#123456').png().toFile(path.join(images, 'a.png'));
	const first = await prepare();
	t.false(first.reused);
	t.like(await prepare(), { reused: true, fingerprint: first.fingerprint });
	await plain('#654321').png().toFile(path.join(images, 'b.png'));
	const second = await prepare();
	t.false(second.reused);
	t.not(second.fingerprint, first.fingerprint);
	await rm(path.join(images, 'b.png'));
	t.is((await prepare()).fingerprint, first.fingerprint);
	await truncate(first.file, 100);
	t.throws(() => openDataset(first.file), { code: 'CORRUPT' });
	t.like(await prepare(), { reused: false, fingerprint: first.fingerprint });
	t.deepEqual(
		(await readdir(cache)).filter((name) => name.startsWith('.')),
		[],
	);
});

test('a broken file is named and skipped, or refused when strict', async (t) => {
	const { images, prepare } = await room(t);
	await plain('#123456').png().toFile(path.join(images, 'a.png'));
	const whole = await sharp({
		create: {
			width: 64,
			height: 64,
			channels: 3,
			background: '#888',
			noise: { type: 'gaussian', mean: 128, sigma: 40 },
		},
	})
		.png()
		.toBuffer();
	await writeFile(path.join(images, 'b.png'), whole.subarray(0, whole.length / 2));
	await writeFile(path.join(images, 'c.jpg'), 'this is no image');
	const seen: number[] = [];
	const { names, skipped } = await prepare({}, { onProgress: ({ done }) => seen.push(done) });
	t.deepEqual(names, ['a.png']);
	t.deepEqual(
		skipped.map(({ name }) => name),
		['b.png', 'c.jpg'],
	);
	t.true(skipped.every(({ reason }) => reason.length > 5));
	t.deepEqual(seen, [1, 2, 3]);
	await t.throwsAsync(prepare({}, { strict: true }), { code: 'CORRUPT', message: /^b\.png/ }); // from the cache
	await t.throwsAsync(prepare({ resolution: 16 }, { strict: true }), { code: 'CORRUPT', message: /^b\.png/ });
});

test('what cannot be prepared is one clear error', async (t) => {
	const { images, prepare } = await room(t);
	await t.throwsAsync(prepare(), { code: 'INVALID_INPUT', message: /^There are no images in / });
	await t.throwsAsync(prepare({ path: path.join(images, 'none') }), {
		code: 'NOT_FOUND',
		message: /cannot be read/,
	});
	await writeFile(path.join(images, 'c.jpg'), 'this is no image');
	await t.throwsAsync(prepare(), { code: 'CORRUPT', message: /None of the 1 images/ });
	await t.throwsAsync(prepare({ path: path.join(images, 'c.jpg') }), {
		code: 'INVALID_INPUT',
		message: /folder, \.zip/,
	});
});

test('a cancelled preparation leaves nothing half-written', async (t) => {
	const { cache } = await room(t);
	const stop = new AbortController();
	const going = prepareDataset(dataSpec.parse({ kind: 'faces', count: 500, resolution: 8 }), {
		cache,
		signal: stop.signal,
		onProgress: ({ done }) => done === 3 && stop.abort(),
	});
	await t.throwsAsync(going, { code: 'CANCELLED' });
	t.deepEqual(await readdir(cache), ['sources']);
	t.deepEqual(await readdir(path.join(cache, 'sources')), []);
});

test('a split by name keeps a part back, disjoint from the rest, whatever else is in the folder', async (t) => {
	const { cache } = await room(t);
	const faces = (part: 'train' | 'holdout', count: number) =>
		prepareDataset(
			dataSpec.parse({ kind: 'faces', count, resolution: 8, seed: 1, split: { holdout: 0.25, part } }),
			{ cache },
		);
	const [train, held, more] = await Promise.all([
		faces('train', 80),
		faces('holdout', 80),
		faces('holdout', 100),
	]);
	t.is(train.count + held.count, 80);
	t.true(held.count > 10 && held.count < 30);
	t.deepEqual(
		held.names.filter((name) => train.names.includes(name)),
		[],
	);
	t.deepEqual(more.names.slice(0, held.count), held.names);
});
