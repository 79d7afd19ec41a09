import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32, deflateRawSync } from 'node:zlib';
import test from 'ava';

const script = path.join(import.meta.dirname, '..', '..', '..', 'scripts', 'setup', 'zip.mjs');
const { unzip } = (await import(pathToFileURL(script).href)) as {
	unzip(archive: string, choose: (name: string) => string | undefined): Promise<string[]>;
};

interface Entry {
	name: string;
	content: Buffer;
	deflate?: boolean;
	/** Sizes and offset in the zip64 extra field of the directory. */
	wide?: boolean;
}

/** An archive as APPNOTE lays it out; local headers have an extra field that the directory does not have. */
function zip(entries: Entry[]): Buffer {
	const files: Buffer[] = [];
	const directory: Buffer[] = [];
	let offset = 0;
	for (const { name, content, deflate, wide } of entries) {
		const data = deflate ? deflateRawSync(content) : content;
		const local = Buffer.alloc(30);
		local.writeUInt32LE(0x04034b50, 0);
		local.writeUInt16LE(deflate ? 8 : 0, 8);
		local.writeUInt32LE(crc32(content), 14);
		local.writeUInt16LE(name.length, 26);
		local.writeUInt16LE(4, 28);
		const file = Buffer.concat([local, Buffer.from(name), Buffer.from([9, 9, 0, 0]), data]);
		const extra = Buffer.alloc(wide ? 28 : 0);
		if (wide) {
			extra.writeUInt16LE(1, 0);
			extra.writeUInt16LE(24, 2);
			[content.length, data.length, offset].forEach((value, i) => {
				extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
			});
		}
		const header = Buffer.alloc(46);
		header.writeUInt32LE(0x02014b50, 0);
		header.writeUInt16LE(deflate ? 8 : 0, 10);
		header.writeUInt32LE(wide ? 0xffffffff : data.length, 20);
		header.writeUInt32LE(wide ? 0xffffffff : content.length, 24);
		header.writeUInt16LE(name.length, 28);
		header.writeUInt16LE(extra.length, 30);
		header.writeUInt32LE(wide ? 0xffffffff : offset, 42);
		directory.push(header, Buffer.from(name), extra);
		files.push(file);
		offset += file.length;
	}
	const end = Buffer.alloc(22);
	end.writeUInt32LE(0x06054b50, 0);
	end.writeUInt32LE(Buffer.concat(directory).length, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...files, ...directory, end]);
}

test('chosen entries come out as they went in: stored, deflated, empty, with zip64 fields', async (t) => {
	const folder = await mkdtemp(path.join(tmpdir(), 'rtil-zip-'));
	t.teardown(() => rm(folder, { recursive: true, force: true }));
	const large = Buffer.alloc(3_000_000, 'libtensorflow ');
	const archive = path.join(folder, 'a.whl');
	await writeFile(
		archive,
		zip([
			{ name: 'left/out', content: Buffer.from('no') },
			{ name: 'stored', content: Buffer.from('as it is') },
			{ name: 'deep/deflated', content: large, deflate: true },
			{ name: 'wide', content: large, deflate: true, wide: true },
			{ name: 'empty', content: Buffer.alloc(0) },
		]),
	);
	const out = path.join(folder, 'out');
	const names = await unzip(archive, (name) => (name === 'left/out' ? undefined : path.join(out, name)));
	t.deepEqual(names, ['stored', 'deep/deflated', 'wide', 'empty']);
	t.is(await readFile(path.join(out, 'stored'), 'utf8'), 'as it is');
	t.true(large.equals(await readFile(path.join(out, 'deep/deflated'))));
	t.true(large.equals(await readFile(path.join(out, 'wide'))));
	t.is((await readFile(path.join(out, 'empty'))).length, 0);
});

test('a file that is no archive is refused', async (t) => {
	const folder = await mkdtemp(path.join(tmpdir(), 'rtil-zip-'));
	t.teardown(() => rm(folder, { recursive: true, force: true }));
	const archive = path.join(folder, 'a.whl');
	await writeFile(archive, '<html>sign in to your network</html>');
	await t.throwsAsync(
		unzip(archive, () => undefined),
		{ message: 'not a zip archive' },
	);
});
