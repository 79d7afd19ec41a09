// Tar archives (POSIX ustar and pax, GNU long names): where each file lies, read without unpacking.
import { RtilError } from '../../errors/index.ts';
import type { RandomAccess } from './access.ts';

const BLOCK = 512;
const MAX_NAME_BYTES = 2 ** 20;

export interface TarEntry {
	readonly name: string;
	readonly offset: number;
	readonly size: number;
}

/**
 * The regular files of a tar archive, in its order.
 *
 * @throws CORRUPT when a header's checksum is wrong or the archive is cut short.
 */
export async function listTar(file: RandomAccess): Promise<TarEntry[]> {
	const entries: TarEntry[] = [];
	let longName: string | undefined;
	for (let at = 0; at + BLOCK <= file.size; ) {
		const header = await file.read(at, BLOCK);
		if (header.every((byte) => byte === 0)) break;
		checkHeader(header, file.name, at);
		const size = number(header.subarray(124, 136));
		const offset = at + BLOCK;
		if (!(size >= 0 && offset + size <= file.size)) {
			throw new RtilError(
				'CORRUPT',
				`${file.name} is cut short: the entry at byte ${at} claims ${size} bytes`,
			);
		}
		const kind = String.fromCharCode(header[156]!);
		if (kind === 'L' || kind === 'x') {
			if (size > MAX_NAME_BYTES) throw new RtilError('CORRUPT', `${file.name} has a name of ${size} bytes`);
			const text = await file.read(offset, size);
			longName = kind === 'L' ? string(text) : (paxPath(text) ?? longName);
		} else {
			const ustar = header.toString('latin1', 257, 262) === 'ustar' && header[263] !== 0x20;
			const prefix = ustar ? string(header.subarray(345, 500)) : '';
			const name = string(header.subarray(0, 100));
			if (kind === '0' || kind === '\0') {
				entries.push({ name: longName ?? (prefix ? `${prefix}/${name}` : name), offset, size });
			}
			longName = undefined;
		}
		at = offset + Math.ceil(size / BLOCK) * BLOCK;
	}
	return entries;
}

function checkHeader(header: Buffer, name: string, at: number): void {
	// The checksum counts its own field as spaces.
	let sum = 8 * 0x20;
	for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i]!;
	if (sum !== number(header.subarray(148, 156))) {
		throw new RtilError('CORRUPT', `${name} is no readable tar archive: the header at byte ${at} is damaged`);
	}
}

/** A numeric field: octal text, or big-endian binary when its first bit is set. */
function number(field: Buffer): number {
	if (field[0]! & 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
	return Number.parseInt(string(field).trim() || '0', 8);
}

function string(field: Buffer): string {
	const end = field.indexOf(0);
	return field.toString('utf8', 0, end < 0 ? field.length : end);
}

/** The `path` of a pax header: records of `length key=value\n`. */
function paxPath(text: Buffer): string | undefined {
	for (let at = 0; at < text.length; ) {
		const length = Number.parseInt(text.toString('latin1', at, at + 12), 10);
		if (!(length > 0)) return undefined;
		const record = text.toString('utf8', at, at + length);
		const value = /^\d+ path=(.*)\n$/su.exec(record)?.[1];
		if (value !== undefined) return value;
		at += length;
	}
	return undefined;
}
