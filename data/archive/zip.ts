// Zip archives (PKWARE APPNOTE 6.3): central directory, zip64, entries stored or deflated. Nothing is unpacked to disk,
// so entry names are only names; a size that an entry does not keep is refused before it is allocated.

import { promisify } from 'node:util';
import { constants, crc32, inflateRaw } from 'node:zlib';
import { RtilError, show } from '../../errors/index.ts';
import type { RandomAccess } from './access.ts';

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
const MAX_DIRECTORY_BYTES = 256 * 2 ** 20;
/** DEFLATE cannot shrink below 1/1032 of the original. */
const MAX_RATIO = 1032;

const inflate = promisify(inflateRaw) as (bytes: Buffer, options: object) => Promise<Buffer>;

export interface ZipEntry {
	readonly name: string;
	/** Size once unpacked. */
	readonly size: number;
	readonly crc: number;
	/** The entry's bytes, unpacked and checked against its CRC-32. */
	read(): Promise<Buffer>;
}

/**
 * The files of a zip archive by name, in the archive's order.
 *
 * @throws CORRUPT when the archive is cut short, encrypted, split, names an entry twice or contradicts itself.
 */
export async function openZip(file: RandomAccess): Promise<Map<string, ZipEntry>> {
	const refuse = (why: string) => new RtilError('CORRUPT', `${file.name} is no readable zip archive: ${why}`);
	const { offset, size, count } = await findDirectory(file, refuse);
	if (size > MAX_DIRECTORY_BYTES) throw refuse(`its directory claims ${size} bytes`);
	const directory = await file.read(offset, size);
	const entries = new Map<string, ZipEntry>();
	let at = 0;
	for (let i = 0; i < count; i++) {
		if (at + 46 > size || directory.readUInt32LE(at) !== CENTRAL)
			throw refuse(`directory entry ${i} is damaged`);
		const flags = directory.readUInt16LE(at + 8);
		const method = directory.readUInt16LE(at + 10);
		const crc = directory.readUInt32LE(at + 16);
		const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) =>
			directory.readUInt16LE(at + field),
		);
		const nameEnd = at + 46 + nameBytes!;
		const next = nameEnd + extraBytes! + commentBytes!;
		if (next > size) throw refuse(`directory entry ${i} is damaged`);
		const name = directory.toString('utf8', at + 46, nameEnd);
		const wide = zip64Fields(directory.subarray(nameEnd, nameEnd + extraBytes!));
		const field = (position: number) => {
			const value = directory.readUInt32LE(at + position);
			return value === 0xffffffff ? (wide.shift() ?? value) : value;
		};
		const unpacked = field(24); // the order of the zip64 record: unpacked size, packed size, place
		const packed = field(20);
		const place = field(42);
		at = next;
		if (name.endsWith('/')) continue;
		if (flags & 1) throw refuse(`entry ${show(name)} is encrypted`);
		if (entries.has(name)) throw refuse(`it has two entries ${show(name)}`);
		if (method !== 0 && method !== 8) throw refuse(`entry ${show(name)} uses compression method ${method}`);
		if (method === 0 ? unpacked !== packed : unpacked > packed * MAX_RATIO + 1024) {
			throw refuse(`entry ${show(name)} claims ${unpacked} bytes from ${packed}`);
		}
		entries.set(name, {
			name,
			size: unpacked,
			crc,
			read: async () => {
				const local = await file.read(place, 30);
				if (local.readUInt32LE(0) !== LOCAL)
					throw refuse(`entry ${show(name)} is not where the directory says`);
				const start = place + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
				const bytes = await file.read(start, packed);
				const plain = method === 0 ? bytes : await unpack(bytes, unpacked);
				if (plain?.length !== unpacked || crc32(plain) !== crc)
					throw refuse(`entry ${show(name)} is damaged`);
				return plain;
			},
		});
	}
	return entries;
}

async function unpack(bytes: Buffer, size: number): Promise<Buffer | undefined> {
	try {
		return await inflate(bytes, { maxOutputLength: Math.max(1, size), finishFlush: constants.Z_FINISH });
	} catch {
		return undefined;
	}
}

interface Directory {
	offset: number;
	size: number;
	count: number;
}

/** Place of the central directory, from the record at the end of the file. */
async function findDirectory(file: RandomAccess, refuse: (why: string) => RtilError): Promise<Directory> {
	const tailBytes = Math.min(file.size, END_BYTES + MAX_COMMENT);
	const tail = await file.read(file.size - tailBytes, tailBytes);
	let at = tailBytes - END_BYTES;
	while (
		at >= 0 &&
		!(tail.readUInt32LE(at) === END && at + END_BYTES + tail.readUInt16LE(at + 20) <= tailBytes)
	)
		at--;
	if (at < 0) throw refuse('its directory is missing (cut short?)');
	const directory = {
		count: tail.readUInt16LE(at + 10),
		size: tail.readUInt32LE(at + 12),
		offset: tail.readUInt32LE(at + 16),
	};
	const locator = at - 20;
	if (locator >= 0 && tail.readUInt32LE(locator) === END64_LOCATOR) {
		const record = await file.read(Number(tail.readBigUInt64LE(locator + 8)), 56);
		if (record.readUInt32LE(0) !== END64) throw refuse('its zip64 record is damaged');
		directory.count = Number(record.readBigUInt64LE(32));
		directory.size = Number(record.readBigUInt64LE(40));
		directory.offset = Number(record.readBigUInt64LE(48));
	}
	if (directory.offset + directory.size > file.size)
		throw refuse('its directory lies outside the file (cut short?)');
	if (directory.count * 46 > directory.size) throw refuse('its directory is too small for its entries');
	return directory;
}

/** The 64-bit values of a directory entry's zip64 record, in its order. */
function zip64Fields(extra: Buffer): number[] {
	for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
		if (extra.readUInt16LE(at) !== 1) continue;
		const end = Math.min(extra.length, at + 4 + extra.readUInt16LE(at + 2));
		const values: number[] = [];
		for (let field = at + 4; field + 8 <= end; field += 8) values.push(Number(extra.readBigUInt64LE(field)));
		return values;
	}
	return [];
}
