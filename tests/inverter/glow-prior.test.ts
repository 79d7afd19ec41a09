// A Glow checkpoint: loaded, sampled, described by a node, and refused to the solvers of GANs.
import path from 'node:path';
import test from 'ava';
import { prepareDataset } from '../../data/index.ts';
import { evaluate, InversionSession, invert, loadPrior, sample } from '../../inverter/index.ts';
import { glowOf } from '../../models/index.ts';
import { rowSchema } from '../../report/inputs.ts';
import { picture, startNode, temporaryFolder, writeNetwork, writeTinyCheckpoint } from './node-fixture.ts';
import { engine, measured, prior, truth, worst } from './solving.ts';
import { tinyGlow, tinyGlowArchitecture, tinyGlowParams } from './tiny-prior.ts';

const params = tinyGlowParams(glowOf(tinyGlowArchitecture), truth);
const architecture = { generator: tinyGlowArchitecture, discriminator: null };
const write = (dir: string) => writeNetwork(dir, { arm: 'glow', step: 20, architecture, params });

test('a checkpoint of a Glow is loaded with its constants and what is derived from them', async (t) => {
	const dir = await temporaryFolder(t);
	await write(dir);
	const loaded = await loadPrior(engine, dir);
	t.is(loaded.kind, 'glow');
	const expected = tinyGlow(truth).params;
	t.deepEqual(Object.keys(loaded.params).sort(), Object.keys(expected).sort());
	for (const [name, { data }] of Object.entries(expected)) t.deepEqual(loaded.params[name]!.data, data, name);
});

test('a Glow is sampled: number i of a seed whatever the count; the temperature spreads', async (t) => {
	const dir = await temporaryFolder(t);
	await write(dir);
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const draw = (count: number, truncation: number) =>
		sample(session, { checkpoint: { dir }, count, seed: 1, truncation });
	const [three, two, cold] = [await draw(3, 1), await draw(2, 1), await draw(2, 0)];
	t.deepEqual(three.shape, [3, 16, 16, 3]);
	t.true(worst(two.data, three.data) < 1e-4);
	const each = cold.data.length / 2;
	t.true(
		worst(cold.data.subarray(0, each), cold.data.subarray(each)) < 1e-6,
		'at temperature 0 there is one image',
	);
	t.true(worst(two.data.subarray(0, each), two.data.subarray(each)) > 0.1);
	t.deepEqual([...three.png.subarray(1, 4)].map((c) => String.fromCharCode(c)).join(''), 'PNG');
});

test('solvers of GANs refuse a Glow in one line, and solvers of a Glow a GAN', async (t) => {
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const measurements = measured({ kind: 'identity' });
	await t.throwsAsync(() => session.solve(tinyGlow(truth), measurements, { kind: 'ilo' }, { seed: 0 }), {
		message: 'The solver ilo needs a GAN, but the checkpoint has a Glow.',
	});
	const error = await t.throwsAsync(() =>
		session.solve(prior, measurements, { kind: 'glow-analysis' }, { seed: 0 }),
	);
	t.is(error.message, 'The solver glow-analysis needs a Glow, but the checkpoint has a GAN.');
	await t.throwsAsync(() => session.solve(null, measurements, { kind: 'glow-synthesis' }, { seed: 0 }), {
		message: 'The solver glow-synthesis needs a prior.',
	});
});

test('images are inverted and evaluated with a Glow', async (t) => {
	const dir = await temporaryFolder(t);
	await write(path.join(dir, 'glow'));
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const checkpoint = { dir: path.join(dir, 'glow') };
	const problem = { kind: 'inpainting', mask: 'random', ratio: 0.5 };
	const solver = { kind: 'glow-analysis', steps: 20 };
	const { signal } = new AbortController();
	const input = { problem, images: [{ name: 'a', file: await picture(1, 20) }], resize: true };
	const { images } = await invert(
		session,
		{ checkpoint, input, solver, seed: 0 },
		{ signal, emit: () => {} },
	);
	t.deepEqual(images[0]!.shape, [16, 16, 3]);
	t.true(images[0]!.psnr! > 10 && images[0]!.residual < 0.1);

	const data = await prepareDataset({ kind: 'faces', count: 2, resolution: 16, seed: 1 }, { cache: dir });
	const job = {
		run: 'r',
		arm: 'glow',
		checkpoint,
		problem,
		solver,
		images: { file: data.file, indices: [0, 1] },
		seeds: [0],
	};
	const { rows } = await evaluate(session, job, { signal, emit: () => {} });
	t.deepEqual(
		rows.map((row) => row.solver),
		['glow-analysis', 'glow-analysis'],
	);
	for (const row of rows) {
		t.true(row.psnr! > 10 && row.residual! < 0.1);
		t.true(row.compositedPsnr! > row.psnr! && row.holePsnr! < row.psnr!);
		t.notThrows(() => rowSchema.parse(row));
	}
});

test('a node describes and samples a Glow', async (t) => {
	const { client, dir } = await startNode(t);
	await writeTinyCheckpoint(path.join(dir, 'runs', 'gan'));
	await write(path.join(dir, 'runs', 'glow'));
	const { checkpoint, cuts, parameters } = await client.describeCheckpoint('tiny/glow');
	t.is(checkpoint.resolution, 16);
	t.deepEqual(cuts, []);
	t.true(parameters > 1000);
	t.deepEqual((await client.sample({ checkpoint: 'tiny/glow', count: 2 })).shape, [2, 16, 16, 3]);
	t.is((await client.listCheckpoints()).length, 2);
});
