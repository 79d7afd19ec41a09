// Everything that a pickle of tensors may name, and what each builds. The list is the whole of what is allowed.
import { type Global, type Plain, PythonObject } from './pickle.ts';
import { storageDtypes, TorchStorage, TorchTensor, torchDtypes } from './tensor.ts';

/** A dtype named in a file (`torch.float16`), as data. */
export class TorchDtype {
	readonly name: string;

	constructor(name: string) {
		this.name = name;
	}
}

/** A storage class named in a file; torch 2 also has one without a dtype, of bytes. */
export class StorageType {
	readonly dtype: string;

	constructor(dtype: string) {
		this.dtype = dtype;
	}
}

function sizes(value: Plain | undefined): number[] {
	if (Array.isArray(value) && value.every((n) => typeof n === 'number')) return value as number[];
	throw new Error('a tensor has a damaged shape');
}

function rebuildTensor([storage, offset, shape, stride, requiresGrad]: readonly Plain[]): TorchTensor {
	if (!(storage instanceof TorchStorage) || typeof offset !== 'number')
		throw new Error('a tensor is damaged');
	return new TorchTensor(storage, offset, sizes(shape), sizes(stride), {
		requiresGrad: requiresGrad === true,
	});
}

function rebuildParameter([data, requiresGrad]: readonly Plain[]): TorchTensor {
	if (!(data instanceof TorchTensor)) throw new Error('a parameter is damaged');
	return data.asParameter(requiresGrad === true);
}

/** `dict(pairs)`, of which an OrderedDict is one. */
export function dictionary([pairs = []]: readonly Plain[]): Map<Plain, Plain> {
	if (pairs instanceof Map) return new Map(pairs);
	if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2)) {
		throw new Error('a dictionary is damaged');
	}
	return new Map(pairs as [Plain, Plain][]);
}

/** How pickles of protocol 2 write bytes: as text in which every character is one. */
function encode([text, encoding]: readonly Plain[]): Uint8Array {
	if (typeof text !== 'string' || encoding !== 'latin1') throw new Error('bytes are damaged');
	return new Uint8Array(Buffer.from(text, 'latin1'));
}

function set([items = []]: readonly Plain[]): Set<Plain> {
	if (!Array.isArray(items)) throw new Error('a set is damaged');
	return new Set(items);
}

const functions: Record<string, Global['call']> = {
	'collections.OrderedDict': dictionary,
	'builtins.set': set,
	'__builtin__.set': set,
	'builtins.frozenset': set,
	'__builtin__.frozenset': set,
	'_codecs.encode': encode,
	'torch._utils._rebuild_tensor': rebuildTensor,
	'torch._utils._rebuild_tensor_v2': rebuildTensor,
	'torch._utils._rebuild_parameter': rebuildParameter,
	'torch._utils._rebuild_parameter_with_state': rebuildParameter,
	'torch.Size': ([items = []]) => [...sizes(items)],
	'torch.device': ([kind, index]) => (index === undefined ? kind! : `${kind}:${index}`),
	// Classes without behaviour that hold settings; the second is pytorch_GAN_zoo's.
	'argparse.Namespace': () => new PythonObject('argparse.Namespace'),
	'models.utils.config.BaseConfig': () => new PythonObject('models.utils.config.BaseConfig'),
};

/** The thing that a module and a name stand for, or undefined: it is not allowed. */
export function findGlobal(module: string, name: string): Plain | undefined {
	const full = `${module}.${name}`;
	if (Object.hasOwn(functions, full)) return { name: full, call: functions[full] } as Global;
	if (module === 'torch' || module === 'torch.cuda') {
		if (Object.hasOwn(storageDtypes, name)) return new StorageType(storageDtypes[name]!);
	}
	if (module === 'torch' && Object.hasOwn(torchDtypes, name)) return new TorchDtype(name);
	if (module === 'torch.storage' && name === 'UntypedStorage') return new StorageType('uint8');
	return undefined;
}
