// Files that `torch.load` reads, also with `weights_only=True`: the zip container with float32 tensors and plain data.
// The layout is torch's own: data.pkl (pickle protocol 2), byteorder, data/<n>, version; entries stored, and padded so
// that every storage starts at a multiple of 64 bytes (torch maps them).
import { crc32 } from 'node:zlib';
import type { HostTensor } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import { rowMajor } from './tensor.ts';

/** What can be written: tensors in dictionaries and lists, beside numbers, strings, booleans and null. */
export type Writable =
	| null
	| boolean
	| number
	| string
	| HostTensor
	| readonly Writable[]
	| { readonly [key: string]: Writable }
	| ReadonlyMap<string | number, Writable>;

const ALIGNMENT = 64;

/**
 * The bytes of a `.pt` file. Maps and objects become dictionaries in their order (a map may have integer keys, as an
 * optimiser's state has), arrays lists, whole numbers integers.
 *
 * @param root name of the folder inside the archive; torch uses the file's name without its ending.
 */
export function encodeTorch(value: Writable, root = 'archive'): Buffer {
	const storages: Float32Array[] = [];
	const pickle = new Pickler(storages);
	pickle.opcode(0x80, 2);
	pickle.write(value, 0);
	pickle.opcode(0x2e); // STOP
	const archive = new StoredZip();
	archive.add(`${root}/data.pkl`, pickle.toBuffer());
	archive.add(`${root}/byteorder`, Buffer.from('little'));
	for (const [i, data] of storages.entries()) {
		archive.add(`${root}/data/${i}`, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
	}
	archive.add(`${root}/version`, Buffer.from('3\n'));
	return archive.close();
}

function isTensor(value: object): value is HostTensor {
	return 'data' in value && value.data instanceof Float32Array && 'shape' in value;
}

const MAX_DEPTH = 100;

class Pickler {
	private readonly parts: Buffer[] = [];
	private readonly storages: Float32Array[];
	/** Tensors that share memory share a storage. */
	private readonly keys = new Map<Float32Array, number>();

	constructor(storages: Float32Array[]) {
		this.storages = storages;
	}

	toBuffer(): Buffer {
		return Buffer.concat(this.parts);
	}

	opcode(...bytes: number[]): void {
		this.parts.push(Buffer.from(bytes));
	}

	write(value: Writable, depth: number): void {
		if (depth > MAX_DEPTH)
			throw new RtilError('INVALID_INPUT', `Expected at most ${MAX_DEPTH} levels in a PyTorch file`);
		if (value === null) this.opcode(0x4e);
		else if (typeof value === 'boolean') this.opcode(value ? 0x88 : 0x89);
		else if (typeof value === 'number') this.number(value);
		else if (typeof value === 'string') this.string(value);
		else if (isTensor(value)) this.tensor(value);
		else if (Array.isArray(value)) {
			this.opcode(0x5d, 0x28); // EMPTY_LIST MARK
			for (const item of value) this.write(item, depth + 1);
			this.opcode(0x65); // APPENDS
		} else {
			this.opcode(0x7d, 0x28); // EMPTY_DICT MARK
			for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
				this.write(key, depth + 1);
				this.write(item, depth + 1);
			}
			this.opcode(0x75); // SETITEMS
		}
	}

	private number(value: number): void {
		if (Number.isInteger(value) && Math.abs(value) < 2 ** 31 && !Object.is(value, -0)) {
			const bytes = Buffer.alloc(5);
			bytes[0] = 0x4a; // BININT
			bytes.writeInt32LE(value, 1);
			this.parts.push(bytes);
		} else if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
			const bytes = Buffer.alloc(10);
			bytes.set([0x8a, 8]); // LONG1
			bytes.writeBigInt64LE(BigInt(value), 2);
			this.parts.push(bytes);
		} else {
			const bytes = Buffer.alloc(9);
			bytes[0] = 0x47; // BINFLOAT
			bytes.writeDoubleBE(value, 1);
			this.parts.push(bytes);
		}
	}

	private string(value: string): void {
		const text = Buffer.from(value);
		const head = Buffer.alloc(5);
		head[0] = 0x58; // BINUNICODE
		head.writeUInt32LE(text.length, 1);
		this.parts.push(head, text);
	}

	private global(module: string, name: string): void {
		this.parts.push(Buffer.from(`c${module}\n${name}\n`));
	}

	private tuple(items: readonly number[]): void {
		this.opcode(0x28);
		for (const item of items) this.number(item);
		this.opcode(0x74); // TUPLE
	}

	/** torch._utils._rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, backward_hooks) */
	private tensor({ shape, data }: HostTensor): void {
		if (shape.reduce((n, side) => n * side, 1) !== data.length) {
			throw new RtilError(
				'INVALID_INPUT',
				`Expected ${shape} values for a tensor but received ${data.length}`,
			);
		}
		const key = this.keys.get(data) ?? this.storages.push(data) - 1;
		this.keys.set(data, key);
		this.global('torch._utils', '_rebuild_tensor_v2');
		this.opcode(0x28, 0x28);
		this.string('storage');
		this.global('torch', 'FloatStorage');
		this.string(`${key}`);
		this.string('cpu');
		this.number(data.length);
		this.opcode(0x74, 0x51); // TUPLE BINPERSID
		this.number(0);
		this.tuple(shape);
		this.tuple(rowMajor(shape));
		this.opcode(0x89);
		this.global('collections', 'OrderedDict');
		this.opcode(0x29, 0x52, 0x74, 0x52); // EMPTY_TUPLE REDUCE TUPLE REDUCE
	}
}

/** A zip archive of stored entries whose contents are aligned. Sizes below 4 GiB: no zip64. */
class StoredZip {
	private readonly parts: Buffer[] = [];
	private readonly directory: Buffer[] = [];
	private at = 0;
	private count = 0;

	add(name: string, content: Buffer): void {
		const path = Buffer.from(name);
		// An extra field ('FB', as torch has it) fills the space up to the next multiple.
		const bare = this.at + 30 + path.length + 4;
		const padding = (ALIGNMENT - (bare % ALIGNMENT)) % ALIGNMENT;
		const common = Buffer.alloc(26);
		common.writeUInt16LE(20, 0);
		common.writeUInt16LE(0x0800, 2); // names are UTF-8
		common.writeUInt16LE(0x21, 8); // 1980-01-01: equal content gives equal files
		common.writeUInt32LE(crc32(content), 10);
		common.writeUInt32LE(content.length, 14);
		common.writeUInt32LE(content.length, 18);
		common.writeUInt16LE(path.length, 22);
		const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, path, Buffer.alloc(4 + padding, 'Z')]);
		local.writeUInt16LE(4 + padding, 28);
		local.write('FB', 30 + path.length);
		local.writeUInt16LE(padding, 32 + path.length);
		const central = Buffer.alloc(46);
		central.write('PK\x01\x02');
		central.writeUInt16LE(20, 4);
		common.copy(central, 6);
		central.writeUInt32LE(this.at, 42);
		this.directory.push(central, path);
		this.parts.push(local, content);
		this.at += local.length + content.length;
		this.count++;
		if (this.at >= 2 ** 32) throw new RtilError('EXHAUSTED', 'A PyTorch file is written up to 4 GiB only');
	}

	close(): Buffer {
		const directory = Buffer.concat(this.directory);
		const end = Buffer.alloc(22);
		end.write('PK\x05\x06');
		end.writeUInt16LE(this.count, 8);
		end.writeUInt16LE(this.count, 10);
		end.writeUInt32LE(directory.length, 12);
		end.writeUInt32LE(this.at, 16);
		return Buffer.concat([...this.parts, directory, end]);
	}
}
