import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import sharp from 'sharp';
import { dataSpec, fromBuffer, openDataset, openZip, prepareDataset } from '../../data/index.ts';
import { type File, zip } from './zip-file.ts';

function tar(files: readonly File[]): Buffer {
	const entry = (name: string, bytes: Buffer, kind: string) => {
		const header = Buffer.alloc(512);
		header.write(name.slice(0, 100));
		header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
		header.write(kind, 156);
		header.write('ustar\x0000', 257, 'latin1');
		header.fill(' ', 148, 156);
		header.write(
			`${header
				.reduce((sum, byte) => sum + byte, 0)
				.toString(8)
				.padStart(6, '0')}\0 `,
			148,
		);
		return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
	};
	const parts = files.flatMap(({ name, bytes }) => {
		if (name.length <= 100) return entry(name, bytes, '0');
		const record = ` path=${name}\n`;
		const length = record.length + 3; // three digits
		return [...entry('pax', Buffer.from(`${length}${record}`), 'x'), ...entry(name, bytes, '0')];
	});
	return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

async function room(t: { teardown(undo: () => Promise<void>): void }) {
	const dir = await mkdtemp(path.join(tmpdir(), 'rtil-archives-'));
	t.teardown(() => rm(dir, { recursive: true, force: true }));
	const image = async (name: string, background: string): Promise<File> => ({
		name,
		bytes: await sharp({ create: { width: 9, height: 9, channels: 3, background } })
			.png()
			.toBuffer(),
	});
	const files = [
		await image(`deep/${'long'.repeat(30)}/10.png`, '#ff0000'),
		await image('2.png', '#0000ff'),
		{ name: 'readme.txt', bytes: Buffer.from('hello') },
		{ name: '__MACOSX/2.png', bytes: Buffer.from('junk') },
	];
	const prepare = async (name: string, bytes: Buffer) => {
		const file = path.join(dir, name);
		await writeFile(file, bytes);
		return prepareDataset(dataSpec.parse({ kind: 'folder', path: file, resolution: 4 }), {
			cache: path.join(dir, 'cache'),
		});
	};
	return { dir, files, prepare };
}

test('zip, tar and tar.gz give what a folder gives', async (t) => {
	const { dir, files, prepare } = await room(t);
	const prepared = [
		await prepare('a.zip', zip(files)),
		await prepare('b.zip', zip(files, 0)),
		await prepare('c.tar', tar(files)),
		await prepare('d.tar.gz', gzipSync(tar(files))),
	];
	for (const { names, fingerprint, skipped } of prepared) {
		t.deepEqual(names, ['2.png', `deep/${'long'.repeat(30)}/10.png`]);
		t.deepEqual(skipped, []);
		t.is(fingerprint, prepared[0]!.fingerprint);
	}
	using dataset = openDataset(prepared[0]!.file);
	t.deepEqual([...dataset.read([0]).slice(0, 3)], [-1, -1, 1]);
	t.deepEqual((await readdir(path.join(dir, 'cache'))).sort(), [
		`${prepared[0]!.fingerprint}.dataset`,
		'sources',
	]);
});

test('a damaged archive is refused with its reason', async (t) => {
	const { files, prepare } = await room(t);
	const whole = { zip: zip(files), tar: tar(files) };
	await t.throwsAsync(prepare('a.zip', whole.zip.subarray(0, 300)), {
		code: 'CORRUPT',
		message: /cut short/,
	});
	await t.throwsAsync(prepare('b.zip', Buffer.from('no archive')), { code: 'CORRUPT' });
	await t.throwsAsync(prepare('c.tar', whole.tar.subarray(0, 600)), {
		code: 'CORRUPT',
		message: /cut short/,
	});
	await t.throwsAsync(prepare('d.tar', Buffer.alloc(2048, 'x')), {
		code: 'CORRUPT',
		message: /header at byte 0/,
	});
	await t.throwsAsync(prepare('e.tar.gz', gzipSync(whole.tar).subarray(0, 100)), { code: 'CORRUPT' });
	const flipped = Buffer.from(whole.zip);
	const inside = 30 + files[0]!.name.length + 4 + 20; // the first image's bytes
	flipped.writeUInt8(flipped.readUInt8(inside) ^ 0xff, inside);
	const { names, skipped } = await prepare('f.zip', flipped);
	t.deepEqual(names, ['2.png']);
	t.regex(skipped[0]!.reason, /damaged/);
});

test('a zip entry that lies about its size is refused before it is unpacked', async (t) => {
	const { files } = await room(t);
	const bytes = zip([files[2]!]);
	const at = bytes.indexOf('PK\x01\x02', 0, 'latin1');
	const claim = (size: number) => {
		const changed = Buffer.from(bytes);
		changed.writeUInt32LE(size, at + 24);
		return changed;
	};
	await t.throwsAsync(openZip(fromBuffer(claim(0x7fffffff), 'x')), { message: /claims 2147483647 bytes/ });
	const entry = (await openZip(fromBuffer(claim(3), 'x'))).get('readme.txt')!;
	await t.throwsAsync(entry.read(), { message: /damaged/ });
	const twice = zip([files[2]!, files[2]!]);
	await t.throwsAsync(openZip(fromBuffer(twice, 'x')), { message: /two entries/ });
});
