// Bytes at a place of a file or a buffer: what the archive readers stand on.
import { open } from 'node:fs/promises';
import { RtilError } from '../../errors/index.ts';

export interface RandomAccess extends AsyncDisposable {
	/** For messages. */
	readonly name: string;
	readonly size: number;
	/** Exactly `length` bytes from `offset`; throws CORRUPT when the file ends before. */
	read(offset: number, length: number): Promise<Buffer>;
}

export async function openFile(file: string, name = file): Promise<RandomAccess> {
	const handle = await open(file).catch((cause: NodeJS.ErrnoException) => {
		throw new RtilError('NOT_FOUND', `Cannot read ${name} (${cause.code})`, '', { cause });
	});
	const { size } = await handle.stat();
	return {
		name,
		size,
		async read(offset, length) {
			checkRange(name, size, offset, length);
			const bytes = Buffer.allocUnsafe(length);
			for (let at = 0; at < length; ) {
				const { bytesRead } = await handle.read(bytes, at, length - at, offset + at);
				if (bytesRead === 0) throw new RtilError('CORRUPT', `${name} ends at byte ${offset + at} of ${size}`);
				at += bytesRead;
			}
			return bytes;
		},
		[Symbol.asyncDispose]: () => handle.close(),
	};
}

export function fromBuffer(bytes: Buffer, name: string): RandomAccess {
	return {
		name,
		size: bytes.length,
		async read(offset, length) {
			checkRange(name, bytes.length, offset, length);
			return bytes.subarray(offset, offset + length);
		},
		async [Symbol.asyncDispose]() {},
	};
}

function checkRange(name: string, size: number, offset: number, length: number): void {
	if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
		throw new RtilError(
			'CORRUPT',
			`${name} is cut short: bytes ${offset} to ${offset + length} of ${size} are missing`,
		);
	}
}
