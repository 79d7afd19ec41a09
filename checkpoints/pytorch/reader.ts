// Files of `torch.save`: the zip container (torch 1.6 and later: data.pkl beside one entry a storage) and the legacy one
// (a sequence of pickles, then the storages one after the other). Layouts: torch/serialization.py.
import { readFile } from 'node:fs/promises';
import { fromBuffer, openZip } from '../../data/index.ts';
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError, show } from '../../errors/index.ts';
import { findGlobal, StorageType } from './globals.ts';
import { type Plain, PythonObject, unpickle } from './pickle.ts';
import { TorchStorage, TorchTensor } from './tensor.ts';

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
/** A pickle of protocol 2 with the magic number. */
const LEGACY_START = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');

/**
 * The object that a PyTorch file holds: tensors and plain data, nothing else.
 *
 * @param source the file's path or bytes.
 * @throws NOT_FOUND; CORRUPT, with the reason, for a file that is damaged or asks for more than tensors and plain data.
 */
export async function readTorch(source: string | Buffer, name?: string): Promise<Plain> {
	const file = name ?? (typeof source === 'string' ? source : 'the PyTorch file');
	const bytes = typeof source === 'string' ? await readWhole(source) : source;
	return isZip(bytes) ? readZip(bytes, file) : readLegacy(bytes, file);
}

function isZip(bytes: Buffer): boolean {
	return bytes.toString('latin1', 0, 2) === 'PK';
}

/** Is this a file of torch.save, not a plain pickle? */
export function isTorchFile(bytes: Buffer): boolean {
	return isZip(bytes) || bytes.indexOf(LEGACY_START) === 0;
}

/** The bytes of a file; throws NOT_FOUND. */
export async function readWhole(path: string): Promise<Buffer> {
	return readFile(path).catch((cause: NodeJS.ErrnoException) => {
		throw new RtilError('NOT_FOUND', `Cannot read ${path} (${cause.code})`, '', { cause });
	});
}

/** Collects the storages that a pickle refers to; their bytes come later. */
class Storages {
	readonly found = new Map<string, TorchStorage>();
	private readonly file: string;

	constructor(file: string) {
		this.file = file;
	}

	refuse(why: string): RtilError {
		return new RtilError('CORRUPT', `${this.file} is refused: ${why}`);
	}

	/** A persistent id: ('storage', type, key, device, elements[, view]). */
	resolve(id: Plain): TorchStorage {
		const [kind, type, key, , length, view] = Array.isArray(id) ? id : [];
		if (kind !== 'storage' || !(type instanceof StorageType) || typeof key !== 'string' || !isCount(length)) {
			throw this.refuse('it describes a storage wrongly');
		}
		if (view !== undefined && view !== null)
			throw this.refuse('it has views of storages (torch 0.3 or older)');
		const known = this.found.get(key);
		if (known) {
			if (known.dtype !== type.dtype || known.length !== length) {
				throw this.refuse(`it describes storage ${show(key)} in two ways`);
			}
			return known;
		}
		const storage = new TorchStorage(key, type.dtype, length);
		this.found.set(key, storage);
		return storage;
	}

	environment() {
		return { file: this.file, find: findGlobal, persistent: (id: Plain) => this.resolve(id) };
	}
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

async function readZip(bytes: Buffer, file: string): Promise<Plain> {
	const entries = await openZip(fromBuffer(bytes, file));
	const root = [...entries.keys()]
		.find((name) => /^[^/]+\/data\.pkl$/u.test(name))
		?.slice(0, -'data.pkl'.length);
	const storages = new Storages(file);
	if (root === undefined)
		throw storages.refuse('it is a zip archive, but holds no data.pkl as torch.save writes it');
	if (entries.has(`${root}constants.pkl`)) {
		throw storages.refuse(
			'it is a TorchScript program; give the weights as torch.save(module.state_dict()) writes them',
		);
	}
	const order = (await entries.get(`${root}byteorder`)?.read())?.toString('latin1') ?? 'little';
	if (order !== 'little') throw storages.refuse(`its numbers are ${show(order)}-endian`);
	const { value } = unpickle(await entries.get(`${root}data.pkl`)!.read(), storages.environment());
	for (const storage of storages.found.values()) {
		const entry = entries.get(`${root}data/${storage.key}`);
		if (!entry) throw storages.refuse(`it lacks the storage ${show(storage.key)}`);
		if (entry.size !== storage.byteLength) {
			throw storages.refuse(
				`storage ${show(storage.key)} claims ${storage.byteLength} bytes, but its entry has ${entry.size}`,
			);
		}
		storage.bytes = await entry.read();
	}
	return value;
}

/** The object of a file in the legacy layout; @throws CORRUPT. */
export function readLegacy(bytes: Buffer, file: string): Plain {
	const storages = new Storages(file);
	const environment = storages.environment();
	const plain = { file, find: () => undefined };
	let end = 0;
	const next = (allowed: Parameters<typeof unpickle>[1]) => {
		const result = unpickle(bytes, allowed, end);
		end = result.end;
		return result.value;
	};
	// 0x80: every pickle of protocol 2 and later starts so; anything else is no file of torch.save.
	if (bytes[0] !== 0x80 || next(plain) !== LEGACY_MAGIC) throw storages.refuse('it is no file of torch.save');
	if (next(plain) !== LEGACY_PROTOCOL)
		throw storages.refuse('it has an unknown version of the legacy layout');
	const system = next(plain);
	if (system instanceof Map && system.get('little_endian') === false)
		throw storages.refuse('its numbers are big-endian');
	const value = next(environment);
	const keys = next(plain);
	if (!Array.isArray(keys)) throw storages.refuse('its list of storages is damaged');
	for (const key of keys) {
		const storage = storages.found.get(key as string);
		if (!storage) throw storages.refuse(`it holds a storage ${show(key)} that nothing refers to`);
		if (end + 8 > bytes.length) throw storages.refuse('it is cut short');
		const length = bytes.readBigInt64LE(end);
		if (length !== BigInt(storage.length)) {
			throw storages.refuse(`storage ${show(key)} has ${length} elements, not ${storage.length}`);
		}
		end += 8;
		if (end + storage.byteLength > bytes.length) throw storages.refuse('it is cut short');
		storage.bytes = bytes.subarray(end, (end += storage.byteLength));
	}
	for (const { key, bytes: found } of storages.found.values()) {
		if (!found) throw storages.refuse(`it lacks the storage ${show(key)}`);
	}
	return value;
}

/** Levels of dictionaries and lists that are followed to tensors, and how many things are looked at. */
const MAX_DEPTH = 64;
const MAX_VISITED = 4_000_000;

/**
 * Every tensor in an object by its path: keys and list positions joined by `/`, attributes of objects likewise.
 *
 * @throws CORRUPT when it is nested deeper than any checkpoint.
 */
export function tensorsByPath(value: Plain, file = 'the PyTorch file'): Map<string, TorchTensor> {
	const found = new Map<string, TorchTensor>();
	let visited = 0;
	const walk = (node: Plain, path: string, depth: number) => {
		if (node instanceof TorchTensor) {
			found.set(path, node);
			return;
		}
		const children =
			node instanceof PythonObject
				? node.attributes
				: node instanceof Map || Array.isArray(node)
					? node
					: undefined;
		if (!children) return;
		if (depth > MAX_DEPTH || (visited += 1) > MAX_VISITED) {
			throw new RtilError('CORRUPT', `${file} is refused: it is nested deeper or wider than any checkpoint`);
		}
		for (const [key, child] of children.entries()) {
			walk(child as Plain, path ? `${path}/${String(key)}` : String(key), depth + 1);
		}
	};
	walk(value, '', 0);
	return found;
}

/**
 * A state dictionary as host tensors in torch's layouts; entries that are no tensors are left out.
 *
 * @param path keys to follow first, e.g. `['g_ema']`.
 * @throws MISMATCH when there is no dictionary at the path, naming the keys there are.
 */
export function stateDict(
	value: Plain,
	path: readonly string[] = [],
	file = 'The PyTorch file',
): HostTensors {
	let node = value;
	for (const key of path) {
		const next = node instanceof Map ? node.get(key) : undefined;
		if (next === undefined) {
			const keys = node instanceof Map ? [...node.keys()].slice(0, 12).map(String).join(', ') : 'none';
			throw new RtilError('MISMATCH', `${file} has no ${path.join('.')}; it has the keys ${keys}`);
		}
		node = next;
	}
	if (!(node instanceof Map))
		throw new RtilError('MISMATCH', `${file} holds no state dictionary at ${path.join('.') || 'its top'}`);
	return toHost(
		[...node].flatMap(([key, tensor]) => (tensor instanceof TorchTensor ? [[String(key), tensor]] : [])),
	);
}

/** Numbers of one network, 4 GiB of float32: many entries may be views of one small storage. */
const MAX_NUMBERS = 2 ** 30;

/** Named tensors as host tensors; throws CORRUPT for more numbers than a network has. */
export function toHost(entries: readonly [name: string, tensor: TorchTensor][]): HostTensors {
	const numbers = entries.reduce((sum, [, { size }]) => sum + size, 0);
	if (numbers > MAX_NUMBERS)
		throw new RtilError('CORRUPT', `A network of ${numbers} numbers is refused: none has so many`);
	return Object.fromEntries(entries.map(([name, tensor]) => [name, tensor.toHost()]));
}
