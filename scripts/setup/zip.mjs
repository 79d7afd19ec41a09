// Reads a zip archive (a Python wheel) entry by entry, streaming: a library in it is 800 MB. Zip64 included.
// Format: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14-16 (its end), 4.5.3 (zip64).
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

const STORED = 0;
const DEFLATED = 8;
const IN_ZIP64 = 0xffffffff;

/**
 * Writes the entries for which `choose(name)` gives a path to that path; gives the names written.
 * @param {string} archive
 * @param {(name: string) => string | undefined} choose
 */
export async function unzip(archive, choose) {
	const file = await open(archive);
	try {
		const written = [];
		for (const entry of await readDirectory(file)) {
			const target = entry.name.endsWith('/') ? undefined : choose(entry.name);
			if (target === undefined) continue;
			await mkdir(dirname(target), { recursive: true });
			await extract(archive, await findContent(file, entry), entry, target);
			written.push(entry.name);
		}
		return written;
	} finally {
		await file.close();
	}
}

async function read(file, position, length) {
	const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
	if (bytesRead < length) throw new Error('not a complete zip archive');
	return buffer;
}

async function readDirectory(file) {
	const { size } = await file.stat();
	const tailLength = Math.min(size, 65_557);
	const tail = await read(file, size - tailLength, tailLength);
	const end = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1');
	if (end < 0) throw new Error('not a zip archive');
	let length = tail.readUInt32LE(end + 12);
	let offset = tail.readUInt32LE(end + 16);
	if (length === IN_ZIP64 || offset === IN_ZIP64) {
		const locator = tail.lastIndexOf('PK\x06\x07', end, 'latin1');
		const end64 = await read(file, Number(tail.readBigUInt64LE(locator + 8)), 56);
		length = Number(end64.readBigUInt64LE(40));
		offset = Number(end64.readBigUInt64LE(48));
	}
	const directory = await read(file, offset, length);
	const entries = [];
	for (let at = 0; at < length; ) {
		const nameLength = directory.readUInt16LE(at + 28);
		const extraLength = directory.readUInt16LE(at + 30);
		const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
		const extra = directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
		const wide = readZip64(
			extra,
			[24, 20, 42].map((field) => directory.readUInt32LE(at + field)),
		);
		const [, compressed, header] = wide;
		entries.push({ name, method: directory.readUInt16LE(at + 10), compressed, header });
		at += 46 + nameLength + extraLength + directory.readUInt16LE(at + 32);
	}
	return entries;
}

/** [size, compressed size, header offset], those that did not fit in 32 bits taken from the zip64 extra field. */
function readZip64(extra, values) {
	if (!values.includes(IN_ZIP64)) return values;
	let at = 0;
	while (extra.readUInt16LE(at) !== 1) at += 4 + extra.readUInt16LE(at + 2);
	at += 4;
	return values.map((value) => {
		if (value !== IN_ZIP64) return value;
		at += 8;
		return Number(extra.readBigUInt64LE(at - 8));
	});
}

/** Where the bytes of an entry start: behind its local header, whose variable part may differ from the directory's. */
async function findContent(file, { header }) {
	const local = await read(file, header, 30);
	return header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
}

async function extract(archive, start, { name, method, compressed }, target) {
	if (method !== STORED && method !== DEFLATED) throw new Error(`unknown compression ${method} of ${name}`);
	if (compressed === 0) return writeFile(target, '');
	const source = createReadStream(archive, { start, end: start + compressed - 1, highWaterMark: 1 << 20 });
	const inflate = method === DEFLATED ? [createInflateRaw({ chunkSize: 1 << 20 })] : [];
	return pipeline(source, ...inflate, createWriteStream(target));
}
