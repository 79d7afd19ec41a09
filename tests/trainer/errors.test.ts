// What training refuses, before it begins or when it goes wrong, and in which words.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { latestCheckpoint, readGroup } from '../../checkpoints/index.ts';
import { type Dataset, openDataset } from '../../data/index.ts';
import { openEngine } from '../../engine/index.ts';
import { type ArmConfig, type ArmOf, armConfigSchema, buildArm } from '../../trainer/index.ts';
import { tinyConfig, tinyFaces, trainTiny } from './tiny.ts';

const engine = await openEngine({ capture: false });
const folder = await mkdtemp(path.join(tmpdir(), 'rtil-errors-'));
const { file } = await tinyFaces(folder);
test.after.always(() => rm(folder, { recursive: true, force: true }));

const model = { resolution: 16, channels: [8, 8, 8], zDim: 8, wDim: 8, mappingLayers: 2 };
const refused: [string, object, string, string?][] = [
	[
		'a batch that is no multiple of 4',
		{ training: { batch: 6 } },
		'Expected a multiple of 4 for training.batch but received 6',
	],
	[
		'a cut that is not there',
		{ rtil: { cuts: ['b4', 'b32'] } },
		'Expected cuts among b4, b8 for rtil.cuts but received "b32"',
	],
	[
		'a batch too small to be split over the family',
		{ rtil: { cuts: ['b4', 'b8'] }, training: { batch: 8, pathLength: { batchShrink: 1 } } },
		'Expected at least 12 (4 for each of 3 members) for training.batch but received 8',
		'Use fewer cuts, family: pair, or batch: each',
	],
	[
		'too few samples for the path lengths of a split family',
		{ rtil: { cuts: ['b4', 'b8'] }, training: { batch: 12, pathLength: { batchShrink: 6 } } },
		'Expected at most 4 for training.pathLength.batchShrink but received 6',
	],
	[
		'no samples for path lengths',
		{ rtil: { cuts: ['b4'], batch: 'each' }, training: { batch: 8, pathLength: { batchShrink: 9 } } },
		'Expected at most 8 for training.pathLength.batchShrink but received 9',
	],
	[
		'a resolution that is no power of two',
		{ model: { ...model, resolution: 24 } },
		'Expected a power of two from 8 to 1024 for resolution but received 24',
	],
	[
		'channels that do not fit the resolution',
		{ model: { ...model, channels: [8] } },
		'Expected 3 numbers, one a resolution from 4 to 16 for channels but received [8]',
	],
];

for (const [what, config, message, remedy] of refused) {
	test(`${what} is refused`, (t) => {
		const error = t.throws(
			() => buildArm(armConfigSchema.parse({ model, ...config }) as ArmOf<'stylegan2'>),
			{ message },
		);
		if (remedy) t.is((error as unknown as { remedy: string }).remedy, remedy);
	});
}

test('a batch for each member needs no larger one for more members', (t) => {
	const arm = buildArm(
		armConfigSchema.parse({
			model,
			rtil: { cuts: ['b4', 'b8'], batch: 'each' },
			training: { batch: 4, pathLength: { batchShrink: 4 } },
		}) as ArmOf<'stylegan2'>,
	);
	t.deepEqual(
		[arm.parts, arm.pathParts].map((parts) => parts.map(({ size }) => size)),
		[
			[4, 4, 4],
			[1, 1, 1],
		],
	);
});

test('unknown keys of a configuration are refused', (t) => {
	t.throws(() => armConfigSchema.parse({ model: { ...model, chanels: [8, 8, 8] } }), { message: /chanels/ });
	t.throws(() => armConfigSchema.parse({ model, training: { lr: 1 } }), { message: /lr/ });
});

test('images of another size than the network are refused', async (t) => {
	const other = await tinyFaces(folder, 16);
	await t.throwsAsync(
		trainTiny(engine, 'vanilla', { file: other.file, directory: path.join(folder, 'size'), steps: 1 }),
		{
			code: 'INVALID_INPUT',
			message: 'Expected images of 8×8×3 for the data set but received "16×16×3"',
		},
	);
});

test('a run does not go on with another architecture, family, seed, batch or data set', async (t) => {
	const directory = path.join(folder, 'other');
	await trainTiny(engine, 'vanilla', { file, directory, steps: 2 });
	const config = tinyConfig('vanilla');
	const otherFaces = await tinyFaces(folder, 8, 2);
	const changed = (change: (config: ArmConfig) => void): { config: ArmConfig } => {
		const copy = structuredClone(config);
		change(copy);
		return { config: copy };
	};
	const attempts: [object, RegExp][] = [
		[
			changed((c) => {
				Object.assign(c.model, { channels: [8, 4] });
			}),
			/another architecture: generator\.channels\.1 is 8, not 4/,
		],
		[
			changed((c) => {
				c.rtil = tinyConfig('rtil').rtil;
			}),
			/has another rtil: null, not \{"cuts":\["b4"\]/,
		],
		[
			changed((c) => {
				c.training.batch = 16;
			}),
			/has another batch: 8, not 16/,
		],
		[{ seed: 8 }, /has another seed: 7, not 8/],
		[{ file: otherFaces.file }, /has another data set: [0-9a-f]{64}, not [0-9a-f]{64}/],
	];
	for (const [change, message] of attempts) {
		const error = await t.throwsAsync(
			trainTiny(engine, 'vanilla', { file, directory, steps: 4, ...change }),
			{ message },
		);
		t.is((error as unknown as { code: string }).code, 'MISMATCH');
	}
	t.is((await latestCheckpoint(directory))!.manifest.step, 2, 'nothing was written');
});

/** Images of which one batch, once, is no numbers. */
function faulty(at: number): Dataset {
	const images = openDataset(file);
	let reads = 0;
	return {
		...images,
		read: (...args) => (++reads === at ? images.read(...args).fill(Number.NaN) : images.read(...args)),
	};
}

test('a run that diverges is rolled back, goes on with other draws, and says so', async (t) => {
	const run = (name: string, change: object) =>
		trainTiny(engine, 'vanilla', {
			file,
			directory: path.join(folder, name),
			steps: 8,
			now: clock(),
			...change,
		});
	const { checkpoint, dir, events } = await run('rolled', {
		dataset: faulty(7),
		onDivergence: { rollback: 1 },
	});
	t.is(checkpoint.step, 8);
	t.is(checkpoint.metrics.attempt, 1);
	const warnings = events.flatMap((event) => (event.type === 'log' ? [event.text] : []));
	t.is(warnings.length, 1);
	t.regex(
		warnings[0]!,
		/^Arm vanilla diverged before step \d: .*Attempt 1: it goes on from step \d with other draws$/,
	);
	const whole = await run('unbroken', {});
	t.is(whole.checkpoint.metrics.attempt, undefined);
	t.notDeepEqual(await readGroup(dir, 'g'), await readGroup(whole.dir, 'g'));
	await t.throwsAsync(run('stopped', { dataset: faulty(7) }), { message: /diverged/ });
});

test('a run that diverges every time is rolled back so often and no more', async (t) => {
	const directory = path.join(folder, 'hopeless');
	const config = tinyConfig('vanilla');
	await trainTiny(engine, 'vanilla', { file, directory, steps: 2 });
	config.training.learningRate = 1e25;
	let told = 0;
	await t.throwsAsync(
		trainTiny(engine, 'vanilla', {
			file,
			directory,
			steps: 100,
			config,
			onDivergence: { rollback: 2 },
			emit: (event) => {
				if (event.type === 'log' && /Attempt/.test(event.text)) told++;
			},
		}),
		{ message: /diverged/ },
	);
	t.is(told, 2);
});

/** Every look at it is two seconds later: progress is reported, and looked at, at every step. */
function clock(): () => number {
	let time = 0;
	return () => (time += 2000);
}

test('a run that diverges ends with its reason, and the last checkpoint holds finite numbers', async (t) => {
	const directory = path.join(folder, 'diverges');
	const config = tinyConfig('vanilla');
	await trainTiny(engine, 'vanilla', { file, directory, steps: 2 });
	config.training.learningRate = 1e25;
	const error = await t.throwsAsync(
		trainTiny(engine, 'vanilla', { file, directory, steps: 100, config, checkpointEvery: { steps: 1 } }),
		{ message: /^Arm vanilla diverged before step \d+: .* is (NaN|-?Infinity|-?\d)/ },
	);
	t.is((error as unknown as { code: string }).code, 'DIVERGED');
	const last = (await latestCheckpoint(directory))!;
	t.true(last.manifest.step >= 2);
	for (const group of ['g', 'd', 'g_ema', 'g_optimizer', 'd_optimizer']) {
		for (const [name, { data }] of Object.entries(await readGroup(last.dir, group))) {
			t.true(data.every(Number.isFinite), `${group} ${name}`);
		}
	}
});
