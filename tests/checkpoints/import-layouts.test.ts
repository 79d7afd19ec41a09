import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
	encodeTorch,
	exportTorch,
	importTorch,
	readGroup,
	readTorch,
	stateDict,
	type Writable,
} from '../../checkpoints/index.ts';
import { toGlow, toPggan } from '../../checkpoints/pytorch/index.ts';
import type { HostTensors } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import { glow, type PgganConfig, pgganDiscriminator, pgganGenerator } from '../../models/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { fixturesDir, testGolden } from '../golden.ts';
import { Call, pickle } from './pickles.ts';

/** Every number is another, so that none can be mistaken. */
function counted(shapes: Readonly<Record<string, readonly number[]>>, from = 0): HostTensors {
	let next = from;
	return Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => {
			const size = shape.reduce((product, side) => product * side, 1);
			return [name, { shape, data: Float32Array.from({ length: size }, () => next++) }];
		}),
	);
}

async function imported(
	t: ExecutionContext,
	content: Writable | Buffer,
	options: { name?: string; resolution?: number } = {},
) {
	const home = await temporaryFolder(t);
	const from = path.join(home, 'x.pt');
	await writeFile(from, Buffer.isBuffer(content) ? content : encodeTorch(content));
	return importTorch(from, { dir: path.join(home, 'out'), ...options });
}

/** Exported, and imported again: the same checkpoint. */
async function thereAndBack(t: ExecutionContext, dir: string): Promise<void> {
	const first = await importedGroups(dir);
	const file = `${dir}-again.pt`;
	await exportTorch(dir, file);
	const again = await importTorch(file, { dir: `${dir}-again`, resolution: 8 });
	t.deepEqual(await importedGroups(again.dir), first);
}

async function importedGroups(dir: string): Promise<Record<string, HostTensors>> {
	const groups: Record<string, HostTensors> = {};
	for (const group of ['g_ema', 'g', 'd']) {
		const tensors = await readGroup(dir, group).catch(() => undefined);
		if (tensors) groups[group] = tensors;
	}
	return groups;
}

const files = {
	karras: { average: 'generator_smooth', g: 'generator', d: 'discriminator' },
	zoo: { average: 'avgG', g: 'netG', d: 'netD' },
	rtil: { average: 'g_ema', g: 'g', d: 'd' },
} as const;

for (const dialect of ['karras', 'zoo', 'rtil'] as const) {
	const config: PgganConfig = { dialect, resolution: 16, channels: [4, 4, 3], zDim: 5 };
	const generator = pgganGenerator(config);
	const discriminator = pgganDiscriminator(config);
	const [g, average, d] = [
		counted(generator.shapes),
		counted(generator.shapes, 1e4),
		counted(discriminator.shapes),
	];
	const keys = files[dialect];

	test(`a PGGAN of ${dialect} comes in with its average, its generator and its discriminator`, async (t) => {
		const report = await imported(t, {
			[keys.g]: toPggan(g, { dialect, network: 'generator' }),
			[keys.average]: toPggan(average, { dialect, network: 'generator' }),
			[keys.d]: toPggan(d, { dialect, network: 'discriminator' }),
		});
		t.deepEqual(report.architecture.generator, { kind: 'pggan', ...config });
		t.deepEqual(report.architecture.discriminator, report.architecture.generator);
		t.deepEqual(await importedGroups(report.dir), { g_ema: average, g, d });
		t.deepEqual(report.left, []);
		await thereAndBack(t, report.dir);
	});

	test(`a PGGAN of ${dialect} comes in from a bare state dictionary`, async (t) => {
		const report = await imported(t, toPggan(g, { dialect, network: 'generator' }));
		t.deepEqual(await importedGroups(report.dir), { g_ema: g });
		t.is(report.architecture.discriminator, null);
		t.regex(report.notes.join(), /no averaged generator/);
	});
}

test('fused up-scaling is told by shapes and averages before the activation in the discriminator', async (t) => {
	const config: PgganConfig = { dialect: 'karras', resolution: 16, channels: [4, 4, 3], zDim: 5 };
	const g = counted(pgganGenerator(config).shapes);
	const report = await imported(t, {
		...toPggan(g, { dialect: 'karras', network: 'generator', fusedUp: true }),
		lod: { shape: [], data: Float32Array.of(1) },
	});
	t.like(report.architecture.generator, { fusedDown: true, stage: 8 });
	t.deepEqual(await importedGroups(report.dir), { g_ema: g });
	t.like(report.left[0], { name: 'lod' });

	const equal = { ...config, channels: [4, 4, 4] };
	const untold = await imported(
		t,
		toPggan(counted(pgganGenerator(equal).shapes), { dialect: 'karras', network: 'generator' }),
	);
	t.regex(untold.notes.join(), /do not tell whether up-scaling was fused/);
});

test('a network of the RTIL code that still grows says how far it is', async (t) => {
	const config: PgganConfig = { dialect: 'rtil', resolution: 16, channels: [4, 4, 3], zDim: 5 };
	const report = await imported(t, {
		g_ema: toPggan(counted(pgganGenerator(config).shapes), { dialect: 'rtil', network: 'generator' }),
		g_optimizer: { state: {} },
		alpha: 0.25,
		step: 1,
		iteration: 700,
	});
	t.like(report.architecture.generator, { stage: 8 });
	t.is(report.manifest.step, 700);
	t.regex(report.notes.join(), /8² was fading in \(α = 0\.25\)/);
	t.regex(report.left.find(({ name }) => name === 'g_optimizer')!.why, /optimiser/);
});

for (const [plainBlocks, coupling] of [
	[0, 'affine'],
	[1, 'additive'],
] as const) {
	test(`a Glow of ${coupling} coupling comes in, also from data-parallel training`, async (t) => {
		const config = { resolution: 8, blocks: 2, steps: 2, coupling, filters: 5 };
		const { shapes, constants } = glow({ ...config, plainBlocks });
		const params = counted({ ...shapes, ...constants });
		const state = Object.fromEntries(
			Object.entries(toGlow(params)).map(([name, tensor]) => [`module.${name}`, tensor]),
		);
		state['module.blocks.1.flows.0.invconv.l_mask'] = { shape: [1], data: Float32Array.of(1) };
		const report = await imported(t, state, { resolution: 8 });
		t.deepEqual(report.architecture.generator, {
			kind: 'glow',
			...config,
			...(plainBlocks > 0 ? { plainBlocks } : {}),
		});
		t.deepEqual(await importedGroups(report.dir), { g_ema: params });
		t.deepEqual(report.left, [{ name: 'module.blocks.1.flows.0.invconv.l_mask', why: 'a constant here' }]);
		t.true(report.networks[0]!.tensors.every(({ from, to }) => from === `module.${to}`));
		await thereAndBack(t, report.dir);
	});
}

testGolden(
	"an exported Glow has the reference's state dictionary: its names, shapes and values",
	'glow',
	async (t, f) => {
		const state = f.group('p.');
		const report = await imported(t, state, { resolution: f.config.size });
		t.like(report.architecture.generator, {
			blocks: f.config.n_block,
			steps: f.config.n_flow,
			coupling: f.config.affine ? 'affine' : 'additive',
			filters: f.config.filter_size,
		});
		const file = `${report.dir}.pt`;
		await exportTorch(report.dir, file);
		const written = stateDict(await readTorch(file));
		const flags = Object.keys(written).filter((name) => name.endsWith('.initialized'));
		t.is(flags.length, f.config.n_block * f.config.n_flow);
		for (const [name, tensor] of Object.entries(state)) {
			t.deepEqual(written[name]?.shape, [...tensor.shape], name);
			t.deepEqual(written[name]?.data, tensor.data, name);
		}
		const more = Object.keys(written).filter((name) => !Object.hasOwn(state, name) && !flags.includes(name));
		t.deepEqual(more, []);
	},
);

const other = { shape: [4], data: new Float32Array(4) };
const zoo = toPggan(
	counted(pgganGenerator({ dialect: 'zoo', resolution: 8, channels: [4, 3], zDim: 5 }).shapes),
	{
		dialect: 'zoo',
		network: 'generator',
	},
);

const refused: [title: string, content: Writable | Buffer, message: RegExp][] = [
	[
		'of akanimax',
		{
			generator: {
				conf: { depth: 4 },
				state_dict: { 'layers.0.conv_1.weight': other, 'rgb_converters.0.weight': other },
			},
		},
		/x\.pt, generator\.state_dict: a PGGAN of akanimax.* no PixelNorm between the first two layers/,
	],
	['of no known network', { weights: { a: other } }, /no generator that is known; it has the keys weights/],
	['with two averages', { g_ema: zoo, avgG: zoo }, /several networks that could be g_ema: g_ema and avgG/],
	['with an entry too many', { avgG: { ...zoo, extra: other } }, /avgG: The state dictionary has extra/],
	[
		'with an entry of another shape',
		{ avgG: { ...zoo, 'formatLayer.module.bias': other } },
		/formatLayer\.module\.bias has shape \[4\]/,
	],
	[
		'of two architectures',
		{
			avgG: zoo,
			netG: toPggan(
				counted(pgganGenerator({ dialect: 'zoo', resolution: 8, channels: [4, 4], zDim: 5 }).shapes),
				{ dialect: 'zoo', network: 'generator' },
			),
		},
		/two generators .* different architectures/,
	],
];

for (const [title, content, message] of refused) {
	test(`a file ${title} is refused by name`, async (t) => {
		await t.throwsAsync(imported(t, content), { code: 'MISMATCH', message });
	});
}

testGolden('hostile files are refused by an import and leave nothing', 'pt_serialization', async (t, f) => {
	const home = await temporaryFolder(t);
	const dir = path.join(home, 'out');
	for (const name of Object.keys(f.json.files)) {
		await t.throwsAsync(importTorch(path.join(fixturesDir, name), { dir }), { instanceOf: RtilError }, name);
	}
	t.deepEqual(await readdir(home), []);
	t.false(existsSync('PWNED'));
});

test('what is in the folder already is never replaced', async (t) => {
	const home = await temporaryFolder(t);
	const file = path.join(home, 'x.pt');
	await writeFile(file, encodeTorch({ avgG: zoo }));
	await t.throwsAsync(importTorch(file, { dir: home }), { code: 'ALREADY_EXISTS', message: /not empty/ });
	await t.throwsAsync(importTorch(file, { dir: file }), { code: 'ALREADY_EXISTS', message: /no folder/ });
	await t.throwsAsync(importTorch(path.join(home, 'nowhere.pt'), { dir: path.join(home, 'out') }), {
		code: 'NOT_FOUND',
	});
});

test('a pickle of a list is no checkpoint', async (t) => {
	await t.throwsAsync(imported(t, pickle([new Call('dnnlib.util.EasyDict')])), {
		code: 'MISMATCH',
		message: /no generator that is known/,
	});
});
