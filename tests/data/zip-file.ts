// A zip archive, written field by field.
import { crc32, deflateRawSync } from 'node:zlib';

export interface File {
	name: string;
	bytes: Buffer;
}

/** Entries packed (method 8) or as they are (0). */
export function zip(files: readonly File[], method: 0 | 8 = 8): Buffer {
	const parts: Buffer[] = [];
	const directory: Buffer[] = [];
	let offset = 0;
	for (const { name, bytes } of files) {
		const packed = method ? deflateRawSync(bytes) : bytes;
		const fields = Buffer.alloc(22);
		fields.writeUInt16LE(method, 4);
		fields.writeUInt32LE(crc32(bytes), 10);
		fields.writeUInt32LE(packed.length, 14);
		fields.writeUInt32LE(bytes.length, 18);
		const local = Buffer.concat([
			Buffer.from('PK\x03\x04'),
			fields.subarray(0, 22),
			Buffer.from([name.length, 0, 4, 0]),
			Buffer.from(name),
			Buffer.alloc(4),
		]);
		const central = Buffer.alloc(46);
		central.write('PK\x01\x02');
		fields.copy(central, 6);
		central.writeUInt16LE(name.length, 28);
		central.writeUInt32LE(offset, 42);
		directory.push(central, Buffer.from(name));
		parts.push(local, packed);
		offset += local.length + packed.length;
	}
	const body = Buffer.concat(directory);
	const end = Buffer.alloc(22);
	end.write('PK\x05\x06');
	end.writeUInt16LE(files.length, 8);
	end.writeUInt16LE(files.length, 10);
	end.writeUInt32LE(body.length, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...parts, body, end]);
}
