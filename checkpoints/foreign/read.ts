// A file of networks → the groups of a checkpoint. Its networks are found wherever they lie, told by the names of their
// entries, and go through the layout that knows these.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import type { Architecture } from '../../models/index.ts';
import { fromNvlabs, type Plain, stateDict, TorchTensor } from '../pytorch/index.ts';
import type { ForeignLayout, ForeignNetwork, Left, Part } from './contract.ts';
import { layouts, refused } from './registry.ts';

export interface ImportOptions {
	/** Side of the images, for a Glow; default 64. */
	resolution?: number;
}

/** One entry of the file and what it became. */
export interface MappedTensor {
	from: string;
	shape: readonly number[];
	to: string;
	becomes: readonly number[];
}

export interface MappedNetwork {
	/** Of the checkpoint: `g_ema`, `g`, `d`. */
	group: string;
	/** Its key in the file; '' where the file is the network. */
	from: string;
	parameters: number;
	tensors: MappedTensor[];
}

export interface ForeignCheckpoint {
	layout: string;
	architecture: { generator: Architecture; discriminator: Architecture | null };
	groups: Record<string, HostTensors>;
	/** Mean of w where the file has it, [W]. */
	wMean?: Float32Array;
	networks: MappedNetwork[];
	left: Left[];
	notes: string[];
}

/** A state dictionary that a layout knows. */
interface Found {
	path: string;
	part: Part;
	layout: ForeignLayout;
	/** How messages name where it comes from. */
	source: string;
	state: HostTensors;
	/** Names of the file, where `state` has others. */
	names: Readonly<Record<string, string>>;
	wMean?: Float32Array;
	left: Left[];
	notes: string[];
}

/** Dictionaries inside dictionaries: genforce's `models`, akanimax's `generator.state_dict`. */
const MAX_DEPTH = 3;
/** Entries looked at, more than any file has: one dictionary may stand in many places. */
const MAX_VISITED = 1_000_000;
/** Keys under which code bases keep the averaged generator. */
const averages = new Set(['g_ema', 'G_ema', 'avgG', 'generator_smooth', 'shadow_generator']);

/**
 * The networks of a file.
 *
 * @param value as `readTorch` or `readPickle` gives it
 * @param file for messages
 * @throws MISMATCH when it holds no generator, two of them, or one that cannot be represented.
 */
export function readForeign(value: Plain, file: string, options: ImportOptions = {}): ForeignCheckpoint {
	const found = findNetworks(value, file);
	const average = one(found, file, 'g_ema', ({ part, path }) => part === 'generator' && isAverage(path));
	const raw = one(found, file, 'g', ({ part, path }) => part === 'generator' && !isAverage(path));
	const main = average ?? raw;
	if (!main) throw unknownFile(value, file, found);
	const field = (key: string) => (value instanceof Map ? value.get(key) : undefined);
	const read = (from: Found, generator?: Architecture): ForeignNetwork =>
		placed(file, from.path, () =>
			from.layout.read(from.state, from.part, {
				field,
				...(generator ? { generator } : {}),
				...(options.resolution === undefined ? {} : { resolution: options.resolution }),
			}),
		);

	const generator = read(main);
	const result: ForeignCheckpoint = {
		layout: main.source,
		architecture: { generator: generator.architecture, discriminator: null },
		groups: {},
		networks: [],
		left: othersLeft(value, found),
		notes: [],
	};
	const add = (group: string, from: Found, network: ForeignNetwork): void => {
		result.groups[group] = network.params;
		result.networks.push(mapped(group, from, network));
		const prefix = from.path ? `${from.path}.` : '';
		for (const { name, why } of [...from.left, ...network.left]) {
			result.left.push({ name: prefix + (from.names[name] ?? name), why });
		}
		for (const [name, noise] of Object.entries(network.noises ?? {})) {
			result.groups.noises = { ...result.groups.noises, [`${group}.${name}`]: noise };
		}
		for (const note of [...from.notes, ...network.notes]) {
			if (!result.notes.includes(note)) result.notes.push(note);
		}
	};
	add('g_ema', main, generator);
	if (!average) result.notes.push('the file has no averaged generator: its generator stands for it');
	if (average && raw) {
		const other = read(raw);
		requireSame(generator.architecture, other.architecture, file);
		add('g', raw, other);
	}
	const discriminator = one(found, file, 'd', ({ part }) => part === 'discriminator');
	if (discriminator) {
		const network = read(discriminator, generator.architecture);
		result.architecture.discriminator = network.architecture;
		add('d', discriminator, network);
	}
	const wMean = main.wMean ?? latentAverage(field('latent_avg'));
	return wMean ? { ...result, wMean } : result;
}

function isAverage(path: string): boolean {
	return path.split('.').some((key) => averages.has(key));
}

/** Says in which file, and under which key, something does not fit. */
function placed<T>(file: string, path: string, work: () => T): T {
	try {
		return work();
	} catch (error) {
		if (!(error instanceof RtilError)) throw error;
		const place = path ? `${file}, ${path}` : file;
		throw new RtilError(error.code, `${place}: ${error.message}`, error.remedy, { cause: error });
	}
}

function findNetworks(value: Plain, file: string): Found[] {
	const found: Found[] = [];
	let visited = 0;
	const walk = (node: Plain, path: string, depth: number): void => {
		if ((visited += 1) > MAX_VISITED) {
			throw new RtilError('CORRUPT', `${file} is refused: it has more entries than any checkpoint`);
		}
		const network = placed(file, path, () => recognise(node, path));
		if (network) found.push(network);
		else if (node instanceof Map && depth < MAX_DEPTH) {
			for (const [key, child] of node) walk(child, path ? `${path}.${String(key)}` : String(key), depth + 1);
		}
	};
	walk(value, '', 0);
	return found;
}

function recognise(node: Plain, path: string): Found | undefined {
	const module = fromNvlabs(node);
	if (module) {
		return {
			path,
			part: module.network,
			layout: layouts[0]!,
			source: "StyleGAN2 of NVIDIA's PyTorch repositories",
			state: module.state,
			names: module.names,
			left: module.constants.map((name) => ({ name, why: 'a low-pass filter, a constant here' })),
			notes: module.notes,
			...(module.wAvg ? { wMean: module.wAvg.data } : {}),
		};
	}
	if (!(node instanceof Map) || ![...node.values()].some((entry) => entry instanceof TorchTensor)) {
		return undefined;
	}
	// Data-parallel training puts `module.` before every name.
	const keys = [...node.keys()].map(String);
	const prefix = keys.every((key) => key.startsWith('module.')) ? 'module.' : '';
	const has = (name: string) => node.has(prefix + name);
	for (const layout of layouts) {
		const part = layout.recognise(has);
		if (!part) continue;
		const stored = Object.entries(stateDict(node)).map(
			([name, tensor]) => [name.slice(prefix.length), tensor] as const,
		);
		const names = prefix ? stored.map(([name]) => [name, prefix + name] as const) : [];
		return {
			path,
			part,
			layout,
			source: layout.name,
			state: Object.fromEntries(stored),
			names: Object.fromEntries(names),
			left: [],
			notes: [],
		};
	}
	const known = refused.find((layout) => layout.recognise(has));
	if (known) throw new RtilError('MISMATCH', `a ${known.name} cannot be imported: ${known.why}`);
	return undefined;
}

/** The only network of a role, or undefined; throws MISMATCH where there are several. */
function one(
	found: readonly Found[],
	file: string,
	group: string,
	is: (network: Found) => boolean,
): Found | undefined {
	const those = found.filter(is);
	if (those.length > 1) {
		const places = those.map(({ path }) => path).join(' and ');
		throw new RtilError('MISMATCH', `${file} has several networks that could be ${group}: ${places}`);
	}
	return those[0];
}

function unknownFile(value: Plain, file: string, found: readonly Found[]): RtilError {
	const keys = value instanceof Map ? [...value.keys()].slice(0, 8).map(String) : [];
	const has = found.length > 0 ? 'only a discriminator' : `the keys ${keys.join(', ') || '(none)'}`;
	return new RtilError(
		'MISMATCH',
		`${file} holds no generator that is known; it has ${has}`,
		`Known are: ${layouts.map(({ name }) => name).join('; ')}; StyleGAN2 of NVIDIA's PyTorch repositories.`,
	);
}

function requireSame(average: Architecture, other: Architecture, file: string): void {
	if (JSON.stringify(average) === JSON.stringify(other)) return;
	throw new RtilError('MISMATCH', `The two generators in ${file} have different architectures`);
}

function mapped(group: string, from: Found, { params }: ForeignNetwork): MappedNetwork {
	const tensors = Object.entries(params).map(([to, { shape }]) => ({
		from: from.names[to] ?? to,
		shape: from.state[to]!.shape,
		to,
		becomes: shape,
	}));
	const parameters = Object.values(params).reduce((sum, { data }) => sum + data.length, 0);
	return { group, from: from.path, parameters, tensors };
}

/** What the file has beside its networks. */
function othersLeft(value: Plain, found: readonly Found[]): Left[] {
	if (!(value instanceof Map) || found.some(({ path }) => path === '')) return [];
	return [...value.keys()].map(String).flatMap((key) => {
		if (key === 'latent_avg' || found.some(({ path }) => path === key || path.startsWith(`${key}.`)))
			return [];
		return [{ name: key, why: whyLeft(key) }];
	});
}

function whyLeft(key: string): string {
	if (/optim/iu.test(key)) return "an optimiser's state: training is not continued";
	if (/^ada|augment/iu.test(key)) return 'the state of an augmentation';
	return 'settings or counters, no network';
}

function latentAverage(value: Plain | undefined): Float32Array | undefined {
	return value instanceof TorchTensor ? value.toHost().data : undefined;
}
