// Python's pickle format, protocols 0 to 5 (docs.python.org/3/library/pickletools), as far as plain data and tensors
// need it. A pickle is a program for a stack machine, and its power is that it may call whatever it names. Here it may
// name only what a given table holds, and what the table holds only builds values: nothing of a file is ever run.
import { RtilError, show } from '../../errors/index.ts';

/** What a pickle builds. Dictionaries become maps, tuples become arrays, integers beyond 2⁵³ bigints. */
export type Plain =
	| null
	| boolean
	| number
	| bigint
	| string
	| Uint8Array
	| Plain[]
	| Map<Plain, Plain>
	| Set<Plain>
	| object;

/** Something that a pickle makes first and gives its state afterwards. */
export abstract class Stateful {
	/** @throws Error when it is no state for this. */
	abstract setState(state: Plain): void;
}

/** An instance of an allowed Python class, as its name and attributes. */
export class PythonObject extends Stateful {
	readonly className: string;
	attributes: Map<Plain, Plain> = new Map();

	constructor(className: string) {
		super();
		this.className = className;
	}

	/** A dictionary of attributes, or a tuple of such and of None. */
	setState(state: Plain): void {
		for (const part of Array.isArray(state) ? state : [state]) {
			if (part instanceof Map) for (const [key, value] of part) this.attributes.set(key, value);
			else if (part !== null) throw new Error(`its ${this.className} has a state that is no dictionary`);
		}
	}
}

/** A named thing that a pickle may refer to; without `call` it cannot be called. */
export interface Global {
	readonly name: string;
	readonly call?: (args: readonly Plain[]) => Plain;
}

export interface PickleEnvironment {
	/** For messages. */
	readonly file: string;
	/** The thing of a module, or undefined when pickles may not refer to it. */
	find(module: string, name: string): Plain | undefined;
	/** What a persistent id stands for (a storage); absent: there are none. */
	persistent?(id: Plain): Plain;
}

/** Items on the stack and in the memo: more than a large optimiser state needs, too few to exhaust memory. */
const MAX_ITEMS = 16_000_000;

type Step = (machine: Machine) => void;

/** The state of the machine; one a pickle. */
class Machine {
	readonly bytes: Buffer;
	readonly environment: PickleEnvironment;
	at: number;
	stack: Plain[] = [];
	readonly marks: number[] = [];
	readonly memo = new Map<number, Plain>();
	done = false;

	constructor(bytes: Buffer, at: number, environment: PickleEnvironment) {
		this.bytes = bytes;
		this.at = at;
		this.environment = environment;
	}

	refuse(why: string): RtilError {
		return new RtilError('CORRUPT', `${this.environment.file} is refused: ${why} (pickle byte ${this.at})`);
	}

	/** The next `length` bytes. */
	take(length: number): Buffer {
		if (!(length >= 0 && this.at + length <= this.bytes.length)) throw this.refuse('its pickle is cut short');
		return this.bytes.subarray(this.at, (this.at += length));
	}

	line(): string {
		const end = this.bytes.indexOf(0x0a, this.at);
		if (end < 0) throw this.refuse('its pickle is cut short');
		const text = this.bytes.toString('utf8', this.at, end);
		this.at = end + 1;
		return text;
	}

	push(value: Plain): void {
		if (this.stack.length >= MAX_ITEMS) throw this.refuse('its pickle holds too many items');
		this.stack.push(value);
	}

	pop(): Plain {
		if (this.stack.length <= (this.marks.at(-1) ?? 0))
			throw this.refuse('its pickle takes what is not there');
		return this.stack.pop()!;
	}

	top(): Plain {
		const value = this.pop();
		this.stack.push(value);
		return value;
	}

	/** Everything above the latest mark. */
	popMark(): Plain[] {
		const mark = this.marks.pop();
		if (mark === undefined) throw this.refuse('its pickle takes what is not there');
		return this.stack.splice(mark);
	}

	remember(key: number): void {
		if (this.memo.size >= MAX_ITEMS) throw this.refuse('its pickle holds too many items');
		this.memo.set(key, this.top());
	}

	recall(key: number): void {
		const value = this.memo.get(key);
		if (value === undefined) throw this.refuse(`its pickle recalls item ${key}, which it never kept`);
		this.push(value);
	}

	global(module: string, name: string): void {
		const found = this.environment.find(module, name);
		if (found === undefined) {
			throw this.refuse(
				`it asks for ${show(`${module}.${name}`)}, which no file of tensors needs; nothing was run`,
			);
		}
		this.push(found);
	}

	call(target: Plain, args: Plain): void {
		const { call, name } = target as Partial<Global>;
		if (!call) throw this.refuse(`it calls ${name ?? 'what cannot be called'}`);
		if (!Array.isArray(args)) throw this.refuse(`it calls ${name} without a tuple of arguments`);
		this.push(this.refusing(() => call(args)));
	}

	/** What building a value throws, as the reason why the file is refused. */
	refusing<T>(make: () => T): T {
		try {
			return make();
		} catch (error) {
			if (error instanceof RtilError) throw error;
			throw this.refuse((error as Error).message);
		}
	}

	put(pairs: readonly Plain[]): void {
		const map = this.top();
		if (!(map instanceof Map) || pairs.length % 2)
			throw this.refuse('its pickle fills what is no dictionary');
		for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i]!, pairs[i + 1]!);
	}

	append(items: readonly Plain[]): void {
		const list = this.top();
		if (!Array.isArray(list)) throw this.refuse('its pickle appends to what is no list');
		for (const item of items) list.push(item);
	}

	/** Attributes of the object on top; those of dictionaries and tensors (`_metadata`, hooks) are left out. */
	build(state: Plain): void {
		const target = this.top();
		if (target instanceof Stateful) this.refusing(() => target.setState(state));
	}
}

/** A little-endian two's complement integer of any length. */
function integer(bytes: Buffer): number | bigint {
	if (bytes.length === 0) return 0;
	let value = 0n;
	for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
	if (bytes.at(-1)! & 0x80) value -= 1n << BigInt(8 * bytes.length);
	return narrow(value);
}

function narrow(value: bigint): number | bigint {
	const number = Number(value);
	return Number.isSafeInteger(number) ? number : value;
}

const MAX_INTEGER_BYTES = 1024;

function decimal(machine: Machine, text: string): number | bigint {
	const digits = text.replace(/L$/u, '');
	if (!/^-?\d+$/u.test(digits) || digits.length > MAX_INTEGER_BYTES)
		throw machine.refuse('a number is damaged');
	return narrow(BigInt(digits));
}

function size8(machine: Machine): number {
	return Number(machine.take(8).readBigUInt64LE());
}

function text(machine: Machine, length: number): void {
	machine.push(machine.take(length).toString('utf8'));
}

function bytes(machine: Machine, length: number): void {
	machine.push(new Uint8Array(machine.take(length)));
}

/** A quoted string of protocol 0, without escapes: those that torch ever wrote have none. */
function quoted(machine: Machine): void {
	const found = /^(['"])([^\\]*)\1$/u.exec(machine.line());
	if (!found) throw machine.refuse('a string is damaged');
	machine.push(found[2]!);
}

const steps: Record<number, Step> = {};
const define = (opcode: string, step: Step) => {
	steps[opcode.charCodeAt(0)] = step;
};

define('\x80', (m) => {
	const protocol = m.take(1)[0]!;
	if (protocol > 5) throw m.refuse(`its pickle has protocol ${protocol}; 0 to 5 are known`);
});
define('\x95', (m) => void m.take(8)); // FRAME: its length is a hint for buffering
define('.', (m) => {
	m.done = true;
});
define('(', (m) => void m.marks.push(m.stack.length));
define('0', (m) => {
	if (m.marks.at(-1) === m.stack.length) m.marks.pop();
	else m.pop();
});
define('1', (m) => void m.popMark());
define('2', (m) => m.push(m.top()));

define('N', (m) => m.push(null));
define('\x88', (m) => m.push(true));
define('\x89', (m) => m.push(false));
define('I', (m) => {
	const line = m.line();
	m.push(line === '00' || line === '01' ? line === '01' : decimal(m, line));
});
define('L', (m) => m.push(decimal(m, m.line())));
define('K', (m) => m.push(m.take(1)[0]!));
define('M', (m) => m.push(m.take(2).readUInt16LE()));
define('J', (m) => m.push(m.take(4).readInt32LE()));
define('\x8a', (m) => m.push(integer(m.take(m.take(1)[0]!))));
define('\x8b', (m) => {
	const length = m.take(4).readInt32LE();
	if (length > MAX_INTEGER_BYTES) throw m.refuse(`a number has ${length} bytes`);
	m.push(integer(m.take(length)));
});
define('F', (m) => {
	const line = m.line();
	const named: Record<string, number> = { inf: Infinity, '-inf': -Infinity, nan: Number.NaN };
	const value = named[line] ?? Number(line || 'x');
	if (Number.isNaN(value) && line !== 'nan') throw m.refuse('a number is damaged');
	m.push(value);
});
define('G', (m) => m.push(m.take(8).readDoubleBE()));

define('S', quoted);
define('T', (m) => text(m, m.take(4).readInt32LE()));
define('U', (m) => text(m, m.take(1)[0]!));
define('V', (m) =>
	m.push(
		m.line().replace(/\\u([0-9a-f]{4})/giu, (_, code) => String.fromCharCode(Number.parseInt(code, 16))),
	),
);
define('X', (m) => text(m, m.take(4).readUInt32LE()));
define('\x8c', (m) => text(m, m.take(1)[0]!));
define('\x8d', (m) => text(m, size8(m)));
define('B', (m) => bytes(m, m.take(4).readUInt32LE()));
define('C', (m) => bytes(m, m.take(1)[0]!));
define('\x8e', (m) => bytes(m, size8(m)));
define('\x96', (m) => bytes(m, size8(m)));

define(')', (m) => m.push([]));
define('t', (m) => m.push(m.popMark()));
define('\x85', (m) => m.push([m.pop()]));
define('\x86', (m) => m.push([m.pop(), m.pop()].reverse()));
define('\x87', (m) => m.push([m.pop(), m.pop(), m.pop()].reverse()));
define(']', (m) => m.push([]));
define('l', (m) => m.push(m.popMark()));
define('a', (m) => m.append([m.pop()]));
define('e', (m) => m.append(m.popMark()));
define('}', (m) => m.push(new Map()));
define('d', (m) => {
	const pairs = m.popMark();
	m.push(new Map());
	m.put(pairs);
});
define('s', (m) => m.put([m.pop(), m.pop()].reverse()));
define('u', (m) => m.put(m.popMark()));
define('\x8f', (m) => m.push(new Set()));
define('\x90', (m) => {
	const items = m.popMark();
	const set = m.top();
	if (!(set instanceof Set)) throw m.refuse('its pickle adds to what is no set');
	for (const item of items) set.add(item);
});
define('\x91', (m) => m.push(new Set(m.popMark())));

define('p', (m) => m.remember(Number(decimal(m, m.line()))));
define('q', (m) => m.remember(m.take(1)[0]!));
define('r', (m) => m.remember(m.take(4).readUInt32LE()));
define('\x94', (m) => m.remember(m.memo.size));
define('g', (m) => m.recall(Number(decimal(m, m.line()))));
define('h', (m) => m.recall(m.take(1)[0]!));
define('j', (m) => m.recall(m.take(4).readUInt32LE()));

define('c', (m) => m.global(m.line(), m.line()));
define('\x93', (m) => {
	const [name, module] = [m.pop(), m.pop()];
	if (typeof name !== 'string' || typeof module !== 'string') throw m.refuse('a name is damaged');
	m.global(module, name);
});
define('R', (m) => {
	const args = m.pop();
	m.call(m.pop(), args);
});
define('\x81', (m) => {
	const args = m.pop();
	m.call(m.pop(), args);
});
define('b', (m) => m.build(m.pop()));
define('Q', (m) => m.push(persistent(m, m.pop())));
define('P', (m) => m.push(persistent(m, m.line())));

function persistent(machine: Machine, id: Plain): Plain {
	if (!machine.environment.persistent)
		throw machine.refuse('its pickle refers to storages, which it has none of');
	return machine.environment.persistent(id);
}

/**
 * Runs one pickle and gives what it built, and where it ended.
 *
 * @throws CORRUPT when it is cut short, damaged, or names or does anything that is not allowed.
 */
export function unpickle(
	file: Buffer,
	environment: PickleEnvironment,
	start = 0,
): { value: Plain; end: number } {
	const machine = new Machine(file, start, environment);
	while (!machine.done) {
		const opcode = machine.take(1)[0]!;
		const step = steps[opcode];
		if (!step)
			throw machine.refuse(`its pickle has an operation that is not allowed, 0x${opcode.toString(16)}`);
		step(machine);
	}
	return { value: machine.pop(), end: machine.at };
}
