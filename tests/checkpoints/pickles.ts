// Pickles as Python writes them, for files in layouts that no fixture has: plain data, calls of named functions, tensors
// as torch pickles them outside torch.save, and modules as torch_utils/persistence.py of NVIDIA's does.
import type { HostTensor, HostTensors } from '../../engine/index.ts';

/** A thing by its name. */
export class Name {
	readonly full: string;

	/** @param full `os.system`: the module and, after the last dot, the name. */
	constructor(full: string) {
		this.full = full;
	}
}

/** A call of something: what a pickle says instead of a value. */
export class Call {
	readonly target: Name;
	readonly args: readonly unknown[];
	readonly state: unknown;

	constructor(target: string, args: readonly unknown[] = [], state?: unknown) {
		this.target = new Name(target);
		this.args = args;
		this.state = state;
	}
}

export class Tuple {
	readonly items: readonly unknown[];

	constructor(...items: readonly unknown[]) {
		this.items = items;
	}
}

/** A value that is kept under a number below 256, to be named again. */
export class Kept {
	readonly key: number;
	readonly value: unknown;

	constructor(key: number, value: unknown) {
		this.key = key;
		this.value = value;
	}
}

/** The value that was kept under a number. */
export class Again {
	readonly key: number;

	constructor(key: number) {
		this.key = key;
	}
}

/** Something outside the pickle. */
export class Persistent {
	readonly id: unknown;

	constructor(id: unknown) {
		this.id = id;
	}
}

const sized = (opcode: number, length: number): Buffer => {
	const head = Buffer.from([opcode, 0, 0, 0, 0]);
	head.writeUInt32LE(length, 1);
	return head;
};

function parts(value: unknown): Buffer[] {
	const op = (...bytes: number[]) => Buffer.from(bytes);
	const all = (items: readonly unknown[]) => items.flatMap(parts);
	if (value === null) return [op(0x4e)];
	if (value === true || value === false) return [op(value ? 0x88 : 0x89)];
	if (typeof value === 'number' && Number.isInteger(value)) {
		const bytes = sized(0x4a, 0);
		bytes.writeInt32LE(value, 1);
		return [bytes];
	}
	if (typeof value === 'number') {
		const bytes = Buffer.alloc(9, 0x47);
		bytes.writeDoubleBE(value, 1);
		return [bytes];
	}
	if (typeof value === 'string') return [sized(0x58, Buffer.byteLength(value)), Buffer.from(value)];
	if (value instanceof Uint8Array) return [sized(0x42, value.length), Buffer.from(value)];
	if (value instanceof Name) {
		const at = value.full.lastIndexOf('.');
		return [Buffer.from(`c${value.full.slice(0, at)}\n${value.full.slice(at + 1)}\n`)];
	}
	if (value instanceof Tuple) return [op(0x28), ...all(value.items), op(0x74)];
	if (value instanceof Kept) return [...parts(value.value), op(0x71, value.key)];
	if (value instanceof Again) return [op(0x68, value.key)];
	if (value instanceof Persistent) return [...parts(value.id), op(0x51)];
	if (value instanceof Call) {
		const made = [...parts(value.target), ...parts(new Tuple(...value.args)), op(0x52)];
		return value.state === undefined ? made : [...made, ...parts(value.state), op(0x62)];
	}
	if (Array.isArray(value)) return [op(0x5d, 0x28), ...all(value), op(0x65)];
	const entries = value instanceof Map ? [...value] : Object.entries(value as object);
	return [op(0x7d, 0x28), ...all(entries.flat()), op(0x75)];
}

/** A pickle of protocol 3. */
export function pickle(value: unknown): Buffer {
	return Buffer.concat([Buffer.from([0x80, 3]), ...parts(value), Buffer.from('.')]);
}

const emptyOrdered = new Call('collections.OrderedDict');

/** A tensor in a plain pickle: its storage is a whole legacy file of torch.save, as bytes. */
export function tensor({ shape, data }: HostTensor): Call {
	const id = new Tuple('storage', new Name('torch.FloatStorage'), '0', 'cpu', data.length, null);
	const count = Buffer.alloc(8);
	count.writeBigInt64LE(BigInt(data.length));
	const stored = Buffer.concat([
		Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
		pickle(1001),
		pickle({ protocol_version: 1001, little_endian: true }),
		pickle(new Persistent(id)),
		pickle(['0']),
		count,
		Buffer.from(data.buffer, data.byteOffset, data.byteLength),
	]);
	const strides = shape.map((_, i) => shape.slice(i + 1).reduce((n, side) => n * side, 1));
	return new Call('torch._utils._rebuild_tensor_v2', [
		new Call('torch.storage._load_from_bytes', [stored]),
		0,
		new Tuple(...shape),
		new Tuple(...strides),
		false,
		emptyOrdered,
	]);
}

/** numpy.float64, in which networks there keep their gains. */
export function float64(value: number): Call {
	const bytes = Buffer.alloc(8);
	bytes.writeDoubleLE(value);
	const state = new Tuple(3, '<', null, null, null, -1, -1, 0);
	const dtype = new Call('numpy.dtype', ['f8', false, true], state);
	return new Call('numpy.core.multiarray.scalar', [dtype, bytes]);
}

/** Source text that must not be run: it would leave a file. */
export const hostileSource = "open('PWNED', 'w').close()\n";

/** A module that torch_utils/persistence.py pickles: source text and state. */
export function persistent(className: string, state: Record<string, unknown>): Call {
	return new Call('torch_utils.persistence._reconstruct_persistent_obj', [
		{ type: 'class', version: 6, module_src: hostileSource, class_name: className, state },
	]);
}

/** Attributes of modules by their path (`''`: the root): what their constructors kept. */
export type Attributes = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A tree of modules from a state dictionary: `mapping.fc0.weight` is the parameter `weight` of two nested modules. */
export function moduleTree(
	state: HostTensors,
	attributes: Attributes = {},
	isBuffer: (name: string) => boolean = () => false,
	path = '',
): Call {
	const inner = (name: string) => (path ? `${path}.${name}` : name);
	const own = Object.entries(state)
		.filter(([name]) => path === '' || name.startsWith(`${path}.`))
		.map(([name, value]) => [path ? name.slice(path.length + 1) : name, value] as const);
	const children = [
		...new Set(own.flatMap(([name]) => (name.includes('.') ? [name.slice(0, name.indexOf('.'))] : []))),
	];
	const tensors = own.filter(([name]) => !name.includes('.'));
	const parameters = tensors.filter(([name]) => !isBuffer(name));
	const buffers = tensors.filter(([name]) => isBuffer(name));
	const ordered = (entries: [string, unknown][]) =>
		new Call('collections.OrderedDict', [entries.map((entry) => new Tuple(...entry))]);
	return persistent('Module', {
		training: false,
		_parameters: ordered(
			parameters.map(([name, value]) => [
				name,
				new Call('torch._utils._rebuild_parameter', [tensor(value), true, emptyOrdered]),
			]),
		),
		_buffers: ordered(buffers.map(([name, value]) => [name, tensor(value)])),
		_modules: ordered(children.map((name) => [name, moduleTree(state, attributes, isBuffer, inner(name))])),
		...attributes[path],
	});
}
