// Pickles of NVIDIA's repositories (stylegan2-ada-pytorch, stylegan3): dictionaries of modules. A module comes with the
// source text of its class, to be executed, and its state (torch_utils/persistence.py). Here the text is not looked at:
// a module is the name of its class and its attributes, in which torch keeps `_parameters`, `_buffers` and `_modules`.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import { dictionary, findGlobal } from './globals.ts';
import { numpyGlobals } from './numpy.ts';
import { type Global, type Plain, PythonObject, unpickle } from './pickle.ts';
import { readLegacy, toHost } from './reader.ts';
import { TorchStorage, TorchTensor } from './tensor.ts';

/** Modules of one network, more than any has: a file may name one module in many places. */
const MAX_MODULES = 10_000;

/**
 * The object in a plain pickle: tensors, plain data, and modules as their state.
 *
 * @throws CORRUPT, with the reason, for one that is damaged or asks for more than that.
 */
export function readPickle(bytes: Buffer, file: string): Plain {
	// 0x80: every pickle of protocol 2 and later starts so.
	if (bytes[0] !== 0x80)
		throw new RtilError('CORRUPT', `${file} is refused: it is neither a file of torch.save nor a pickle`);
	const functions: Record<string, Global['call']> = {
		...numpyGlobals,
		'torch_utils.persistence._reconstruct_persistent_obj': persistentObject,
		'torch.storage._load_from_bytes': ([stored]) => storage(stored, file),
		// A dict whose keys can be read as attributes.
		'dnnlib.util.EasyDict': dictionary,
	};
	const find = (module: string, name: string): Plain | undefined => {
		const full = `${module}.${name}`;
		if (tensorFlowNetworks.has(full)) throw tensorFlow(file);
		return Object.hasOwn(functions, full)
			? ({ name: full, call: functions[full] } as Global)
			: findGlobal(module, name);
	};
	return unpickle(bytes, { file, find }).value;
}

/** Classes of networks in pickles of StyleGAN, StyleGAN2 and PGGAN for TensorFlow. */
const tensorFlowNetworks = new Set(['dnnlib.tflib.network.Network', 'tfutil.Network', 'network.Network']);

function tensorFlow(file: string): RtilError {
	return new RtilError(
		'MISMATCH',
		`${file} is a pickle of networks for TensorFlow, which is not read`,
		'Convert it: StyleGAN2 with legacy.py of NVlabs/stylegan2-ada-pytorch (to .pkl), PGGAN with convert_model.py of genforce/genforce (to .pth).',
	);
}

/** {type, version, module_src, class_name, state} → the class's name and the state. */
function persistentObject([meta]: readonly Plain[]): PythonObject {
	const field = (key: string): Plain | undefined => (meta instanceof Map ? meta.get(key) : undefined);
	const [name, state] = [field('class_name'), field('state')];
	if (field('type') !== 'class' || typeof name !== 'string' || !(state instanceof Map)) {
		throw new Error('a module is damaged');
	}
	const module = new PythonObject(name);
	module.setState(state);
	return module;
}

/** The storage that a whole file of the legacy layout holds, written into the pickle as bytes. */
function storage(stored: Plain | undefined, file: string): TorchStorage {
	if (!(stored instanceof Uint8Array)) throw new Error('a storage is damaged');
	const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
	const value = readLegacy(bytes, `A storage in ${file}`);
	if (!(value instanceof TorchStorage)) throw new Error('a storage is something else');
	return value;
}

/** A module and all below it, with their paths: `''`, `synthesis`, `synthesis.b4`, … */
export function modules(root: PythonObject): [path: string, module: PythonObject][] {
	const found: [string, PythonObject][] = [['', root]];
	for (const [path, { attributes }] of found) {
		const children = attributes.get('_modules');
		for (const [name, child] of children instanceof Map ? children : []) {
			if (child instanceof PythonObject) found.push([path ? `${path}.${name}` : String(name), child]);
		}
		if (found.length > MAX_MODULES) {
			throw new RtilError('CORRUPT', 'The file is refused: it has more modules than any network');
		}
	}
	return found;
}

/** Parameters and buffers of a module as `state_dict()` names them. */
export function moduleState(root: PythonObject): HostTensors {
	return toHost(
		modules(root).flatMap(([path, { attributes }]) =>
			['_parameters', '_buffers'].flatMap((kind) => {
				const tensors = attributes.get(kind);
				return [...(tensors instanceof Map ? tensors : [])].flatMap(
					([name, tensor]): [string, TorchTensor][] =>
						tensor instanceof TorchTensor ? [[path ? `${path}.${name}` : String(name), tensor]] : [],
				);
			}),
		),
	);
}
