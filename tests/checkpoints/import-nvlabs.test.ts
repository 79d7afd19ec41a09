import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { encodeTorch, importTorch, readGroup, toRosinality } from '../../checkpoints/index.ts';
import type { HostTensors } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import { stylegan2Discriminator, stylegan2Generator } from '../../models/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { nvlabsDiscriminator, nvlabsFile, nvlabsGenerator, nvlabsModule } from './nvlabs-files.ts';
import {
	Again,
	Call,
	hostileSource,
	Kept,
	moduleTree,
	Persistent,
	persistent,
	pickle,
	Tuple,
} from './pickles.ts';

const config = { resolution: 16, channels: [6, 5, 4], zDim: 16, wDim: 16, mappingLayers: 2 };
const wAvg = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i));

function drawn(seed: number): HostTensors {
	return toRosinality(filled(stylegan2Generator(config).init(seed), seed), 'generator');
}

/** No two entries alike, also those that begin at 0. */
function filled(params: HostTensors, seed: number): HostTensors {
	return Object.fromEntries(
		Object.entries(params).map(([name, { shape, data }], n) => [
			name,
			{ shape, data: data.map((value, i) => value + Math.cos(seed + n + i)) },
		]),
	);
}

const [g, ema] = [drawn(1), drawn(2)];
const d = toRosinality(filled(stylegan2Discriminator(config).init(3), 3), 'discriminator');
const names = { g: nvlabsGenerator(g, wAvg), ema: nvlabsGenerator(ema, wAvg), d: nvlabsDiscriminator(d, 16) };

const file = nvlabsFile({
	G: nvlabsModule(names.g, 'generator'),
	D: nvlabsModule(names.d, 'discriminator'),
	G_ema: nvlabsModule(names.ema, 'generator'),
});

async function imported(t: ExecutionContext, name: string, bytes: Buffer) {
	const home = await temporaryFolder(t);
	const from = path.join(home, name);
	await writeFile(from, bytes);
	return importTorch(from, { dir: path.join(home, 'out') });
}

test("NVIDIA's modules give the tensors that rosinality's file of the same values gives", async (t) => {
	const theirs = await imported(t, 'network-snapshot-000025.pkl', file);
	const same = encodeTorch({ g, d, g_ema: ema, latent_avg: { shape: [16], data: wAvg } });
	const ours = await imported(t, 'x.pt', same);
	t.is(theirs.manifest.id, ours.manifest.id);
	t.deepEqual(theirs.architecture, ours.architecture);
	t.deepEqual(theirs.architecture.generator, { kind: 'stylegan2', ...config });
	t.deepEqual(theirs.manifest.latent, { wMean: [...wAvg] });
	t.deepEqual(theirs.manifest.latent, ours.manifest.latent);
	t.is(theirs.manifest.images, 25_000);
	t.is(theirs.manifest.arm, 'network-snapshot-000025');
	t.deepEqual(
		theirs.networks.map(({ group, from }) => [group, from]),
		[
			['g_ema', 'G_ema'],
			['g', 'G'],
			['d', 'D'],
		],
	);
	const up = theirs.networks[0]!.tensors.find(({ to }) => to === 'convs.2.conv.weight')!;
	t.like(up, { from: 'synthesis.b16.conv0.weight', shape: [1, 4, 5, 3, 3], becomes: [3, 3, 5, 4] });
	t.false(existsSync('PWNED'));
});

test('a file with the averaged generator only is a checkpoint without a discriminator', async (t) => {
	const report = await imported(t, 'x.pkl', nvlabsFile({ G_ema: nvlabsModule(names.ema, 'generator') }));
	t.is(report.architecture.discriminator, null);
	t.deepEqual(Object.keys(report.manifest.files), ['g_ema.safetensors', 'noises.safetensors']);
	t.deepEqual(Object.keys(await readGroup(report.dir, 'g_ema')).length, report.networks[0]!.tensors.length);
});

test('what differs but does no harm is a note', async (t) => {
	const report = await imported(
		t,
		'x.pkl',
		nvlabsFile({
			G_ema: nvlabsModule(names.ema, 'generator', { 'synthesis.b16.conv1': { conv_clamp: 256 } }),
			D: nvlabsModule(names.d, 'discriminator', { 'b4.conv': { group_size: 8 } }),
		}),
	);
	t.is(report.notes.length, 2);
	t.regex(report.notes.join(), /beyond ±256 were clamped.*groups of 8/);
});

const generator = (more: Parameters<typeof nvlabsModule>[2], state = names.ema): Buffer =>
	nvlabsFile({ G_ema: nvlabsModule(state, 'generator', more) });

const unlike: [title: string, bytes: Buffer, message: RegExp][] = [
	['with classes', generator({ '': { c_dim: 10 } }), /G_ema: .*conditional on 10 classes/],
	['of grey images', generator({ '': { img_channels: 1 } }), /images have 1 channels/],
	[
		'of another architecture',
		generator({ 'synthesis.b8': { architecture: 'resnet' } }),
		/synthesis\.b8 has the architecture resnet, not skip/,
	],
	[
		'with another activation',
		generator({ 'synthesis.b8.conv1': { activation: 'relu' } }),
		/conv1 has the activation relu/,
	],
	['with another rate', generator({ 'mapping.fc0': { bias_gain: 1 } }), /fc0 learns at 1 times the rate/],
	[
		'with another filter',
		generator(
			{},
			{
				...names.ema,
				'synthesis.b8.conv0.resample_filter': { shape: [4, 4], data: new Float32Array(16).fill(1 / 16) },
			},
		),
		/not the filter \[1, 3, 3, 1\]/,
	],
	[
		'with an entry that none has',
		generator({}, { ...names.ema, 'synthesis.b8.extra.weight': names.ema['mapping.w_avg']! }),
		/it has synthesis\.b8\.extra\.weight, which no such network has/,
	],
	[
		'of StyleGAN3',
		nvlabsFile({ G_ema: moduleTree({ 'synthesis.L0_36_512.weight': names.ema['mapping.w_avg']! }) }),
		/StyleGAN3/,
	],
	[
		'of TensorFlow',
		pickle(new Tuple(new Call('dnnlib.tflib.network.Network', [], { version: 4, variables: [] }))),
		/networks for TensorFlow, which is not read/,
	],
	['of a discriminator alone', nvlabsFile({ D: nvlabsModule(names.d, 'discriminator') }), /no generator/],
];

for (const [title, bytes, message] of unlike) {
	test(`a file ${title} is refused and no checkpoint is left`, async (t) => {
		const home = await temporaryFolder(t);
		const from = path.join(home, 'x.pkl');
		await writeFile(from, bytes);
		const dir = path.join(home, 'out');
		await t.throwsAsync(importTorch(from, { dir }), { instanceOf: RtilError, code: 'MISMATCH', message });
		t.false(existsSync(dir));
	});
}

const system = new Call('os.system', ['touch PWNED']);
const wrapped = (state: Record<string, unknown>) => pickle({ G_ema: persistent('Generator', state) });
const hostile: [title: string, bytes: Buffer, message: RegExp][] = [
	['that calls os.system', pickle(system), /asks for "os\.system".*nothing was run/],
	['whose module would, in its state', wrapped({ _parameters: system }), /asks for "os\.system"/],
	[
		'that executes its source',
		pickle(new Call('builtins.exec', [hostileSource])),
		/asks for "builtins\.exec"/,
	],
	[
		'that imports by name',
		pickle(new Call('importlib.import_module', ['os'])),
		/asks for "importlib\.import_module"/,
	],
	[
		'whose storage would run code',
		wrapped({ x: new Call('torch.storage._load_from_bytes', [pickle(system)]) }),
		/A storage in .* is refused: it asks for "os\.system"|it is no file of torch\.save/,
	],
	[
		'whose storage is a tensor file',
		wrapped({
			x: new Call('torch.storage._load_from_bytes', [
				encodeTorch({ a: { shape: [1], data: new Float32Array(1) } }),
			]),
		}),
		/refused/,
	],
	[
		'with a function as persistent object',
		pickle(
			new Call('torch_utils.persistence._reconstruct_persistent_obj', [
				{ type: 'function', version: 6, module_src: hostileSource, class_name: 'f', state: {} },
			]),
		),
		/a module is damaged/,
	],
	['with storages outside', pickle(new Persistent(new Tuple('storage'))), /refers to storages/],
	['that is text', Buffer.from('hello'), /neither a file of torch\.save nor a pickle/],
	[
		'with big-endian numbers',
		pickle(new Call('numpy.dtype', ['f4'], new Tuple(3, '>', null, null, null, -1, -1, 0))),
		/not little-endian/,
	],
	[
		'with a number cut short',
		pickle(new Call('numpy.core.multiarray.scalar', [new Call('numpy.dtype', ['f8']), Buffer.alloc(4)])),
		/a number of numpy's is damaged/,
	],
	['with objects of numpy', pickle(new Call('numpy.dtype', ['O8'])), /numpy's type O8/],
	['that is cut short', file.subarray(0, file.length - 100), /cut short/],
];

for (const [title, bytes, message] of hostile) {
	test(`a pickle ${title} is refused with its reason`, async (t) => {
		const home = await temporaryFolder(t);
		const from = path.join(home, 'x.pkl');
		await writeFile(from, bytes);
		const error = await t.throwsAsync(importTorch(from, { dir: path.join(home, 'out') }), {
			instanceOf: RtilError,
		});
		t.is(error.code, 'CORRUPT');
		t.regex(error.message, message);
		t.false(existsSync('PWNED'));
		t.false(existsSync(path.join(home, 'out')));
	});
}

test('modules that stand in many places are refused at once', async (t) => {
	let module: unknown = persistent('Module', {});
	// Each has the one before as two children: 2⁴⁰ paths.
	for (let i = 0; i < 40; i++) {
		module = persistent('Module', { _modules: { a: new Kept(i, module), b: new Again(i) } });
	}
	await t.throwsAsync(imported(t, 'x.pkl', pickle({ G_ema: module })), {
		code: 'CORRUPT',
		message: /more modules than any network/,
	});
});
