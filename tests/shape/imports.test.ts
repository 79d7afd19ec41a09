// The shape of the tree: imports point one way, each room has one public face. DESIGN: engine ← models ← {data,
// metrics, checkpoints} ← {trainer, inverter} ← coordinator ← cli; bus and proto know nothing of tensors.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import ts from 'typescript';

const root = path.join(import.meta.dirname, '..', '..', '..');

/** For each room, the rooms it may import from. */
const allowed: Record<string, readonly string[]> = {
	errors: [],
	engine: ['errors'],
	models: ['errors', 'engine'],
	data: ['errors', 'engine', 'models'],
	metrics: ['errors', 'engine', 'models'],
	checkpoints: ['errors', 'engine', 'models', 'data'], // of data, the reader of zip containers
	proto: ['errors', 'bus'],
	bus: ['errors', 'proto'],
	report: ['errors', 'metrics', 'data'],
	trainer: ['errors', 'engine', 'models', 'data', 'metrics', 'checkpoints', 'bus', 'proto'],
	inverter: ['errors', 'engine', 'models', 'data', 'metrics', 'checkpoints', 'bus', 'proto'],
};
const library = Object.keys(allowed);
allowed.coordinator = library;
allowed.cli = [...library, 'coordinator'];
allowed.bench = library;
allowed.reference = [...library, 'coordinator'];

const rooms = Object.keys(allowed);

/** Files that may be entered beside index.ts, because loading the whole room would cost what the visitor does not need. */
const sideDoors = [
	'engine/contract.ts', // types only
	'engine/random.ts', // counter-based draws, no tensors
	'report/inputs.ts', // schemas of a run folder, no plotting
];

/** Packages that hold tensors: only rooms above the engine may see them. */
const tensorPackages = /^@tensorflow\//;
const withoutTensors = ['errors', 'proto', 'bus', 'report', 'coordinator', 'cli'];

interface Import {
	/** `room/file.ts:line`. */
	place: string;
	room: string;
	specifier: string;
	/** Path of a relative import from the root, such as `engine/index.ts`. */
	target?: string;
}

function filesOf(room: string): string[] {
	const folder = path.join(root, room);
	if (!existsSync(folder)) return [];
	return readdirSync(folder, { recursive: true, encoding: 'utf8' })
		.filter((file) => file.endsWith('.ts'))
		.map((file) => path.join(room, file));
}

function importsOf(file: string): Import[] {
	const text = readFileSync(path.join(root, file), 'utf8');
	const room = file.split(path.sep)[0]!;
	return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName: specifier, pos }) => {
		const line = text.slice(0, pos).split('\n').length;
		const target = path.normalize(path.join(path.dirname(file), specifier)).replaceAll(path.sep, '/');
		return { place: `${file}:${line}`, room, specifier, ...(specifier.startsWith('.') ? { target } : {}) };
	});
}

const imports = rooms.flatMap(filesOf).flatMap(importsOf);

test('sources are found', (t) => {
	t.true(imports.length > 100);
});

test('imports point one way', (t) => {
	const wrong = imports
		.filter(({ room, target }) => target !== undefined && !isAllowed(room, target.split('/')[0]!))
		.map(({ place, room, target }) => `${place}: ${room} may not import ${target}`);
	t.deepEqual(wrong, []);
});

function isAllowed(room: string, other: string): boolean {
	return other === room || allowed[room]!.includes(other);
}

test('a room is entered by its index.ts', (t) => {
	const wrong = imports
		.filter(({ room, target }) => target !== undefined && target.split('/')[0] !== room)
		.filter(({ target }) => !/^[^/]+\/index\.ts$/.test(target!) && !sideDoors.includes(target!))
		.map(({ place, target }) => `${place}: ${target} is private to its room`);
	t.deepEqual(wrong, []);
});

test('rooms that know nothing of tensors import no tensor package', (t) => {
	const wrong = imports
		.filter(({ room, specifier }) => withoutTensors.includes(room) && tensorPackages.test(specifier))
		.map(({ place, specifier }) => `${place}: ${specifier}`);
	t.deepEqual(wrong, []);
});

test('every room has an index.ts that begins with what the room is for', (t) => {
	const wrong = rooms
		.filter((room) => filesOf(room).length > 0)
		.map((room) => path.join(root, room, 'index.ts'))
		.filter((index) => !existsSync(index) || !/^(\/\/ \S|\/\*\*? \S)/.test(readFileSync(index, 'utf8')))
		.map((index) => path.relative(root, index));
	t.deepEqual(wrong, []);
});

test('every folder of sources that the compiler reads is a known room', (t) => {
	const { include } = JSON.parse(readFileSync(path.join(root, 'tsconfig.json'), 'utf8')) as {
		include: string[];
	};
	t.deepEqual(include.filter((folder) => folder !== 'tests').sort(), [...rooms].sort());
});
