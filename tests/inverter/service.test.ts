import path from 'node:path';
import test from 'ava';
import { decodeImage } from '../../data/index.ts';
import { invertRemote, type WireInvertEvent, type WireReconstruction } from '../../inverter/index.ts';
import { picture, startNode, writeTinyCheckpoint } from './node-fixture.ts';

async function collect(events: AsyncIterable<WireInvertEvent>): Promise<WireInvertEvent[]> {
	const all: WireInvertEvent[] = [];
	for await (const event of events) all.push(event);
	return all;
}
const resultsOf = (events: WireInvertEvent[]): WireReconstruction[] =>
	events.flatMap(({ reconstruction }) => (reconstruction ? [reconstruction] : []));

test('a node lists, describes, samples, inverts images and inverts measurements alone', async (t) => {
	const { client, dir, address } = await startNode(t);
	t.deepEqual(await client.listCheckpoints(), []);
	const vanilla = await writeTinyCheckpoint(path.join(dir, 'runs/tiny/arms/vanilla/checkpoints/10'));
	const rtil = await writeTinyCheckpoint(path.join(dir, 'runs/tiny/arms/rtil/checkpoints/20'), 'rtil', 20);

	const listed = await client.listCheckpoints();
	t.deepEqual(
		listed.map(({ id, arm, step, resolution, rtil: trained }) => ({ id, arm, step, resolution, trained })),
		[
			{ id: vanilla.id, arm: 'vanilla', step: 10, resolution: 16, trained: false },
			{ id: rtil.id, arm: 'rtil', step: 20, resolution: 16, trained: true },
		],
	);
	const described = await client.describeCheckpoint(vanilla.id.slice(0, 8));
	t.is(described.checkpoint.id, vanilla.id);
	t.deepEqual(
		described.cuts.map(({ name }) => name),
		['b4', 'b8'],
	);
	t.true(described.parameters > 1000);
	t.is(JSON.parse(described.manifestJson).run, 'tiny');
	t.is((await client.describeCheckpoint()).checkpoint.id, rtil.id, 'the newest by default');
	t.is((await client.describeCheckpoint('tiny/vanilla')).checkpoint.id, vanilla.id);

	const problems = await client.listProblems();
	t.true(problems.some(({ kind }) => kind === 'compressed-sensing'));
	t.true(JSON.parse(problems[0]!.schemaJson).required.includes('ratio'));
	const solvers = await client.listSolvers();
	t.deepEqual(
		solvers.slice(0, 2).map(({ kind, presets }) => [kind, presets[0]!.name]),
		[
			['csgm', 'quick'],
			['ilo', 'quick'],
		],
	);
	t.truthy(JSON.parse(solvers[1]!.schemaJson).properties.steps);

	const three = await client.sample({ checkpoint: vanilla.id, count: 3, seed: 4 });
	t.deepEqual(three.shape, [3, 16, 16, 3]);
	t.is((await decodeImage(Buffer.from(three.png))).channels, 3);
	const one = await client.sample({ checkpoint: vanilla.id, seed: 4 });
	t.true(
		one.data.every((value, i) => Math.abs(value - three.data[i]!) < 1e-4),
		'sample 0 is the same alone',
	);
	const truncated = await client.sample({ checkpoint: vanilla.id, count: 2, seed: 4, truncation: 0 });
	t.true(truncated.data.slice(0, 768).every((value, i) => Math.abs(value - truncated.data[768 + i]!) < 1e-4));

	const images = [
		{ name: 'first', file: await picture(1) },
		{ name: 'second', file: await picture(2) },
	];
	const problem = { kind: 'inpainting', mask: 'random', ratio: 0.5 };
	const solver = { kind: 'ilo', steps: [20, 10] };
	const events = await collect(
		invertRemote(address, {
			input: { problem, images },
			solver,
			seed: 3,
			progressEvery: 5,
			previewEvery: 10,
		}),
	);
	t.is(events[0]!.event, 'accepted');
	t.is(events[0]!.accepted!.checkpoint.id, rtil.id);
	t.is(JSON.parse(events[0]!.accepted!.solverJson).misfit, 0.2, 'the options are complete');
	const progress = events.flatMap(({ progress }) => (progress ? [progress] : []));
	t.true(progress.length > 4);
	t.is(progress.at(-1)!.layer, 'b4');
	t.is(progress.at(-1)!.step, 30);
	t.is(progress[0]!.residual.length, 2);
	t.true(events.some(({ preview }) => preview && preview.png.byteLength > 50));
	const results = resultsOf(events);
	t.deepEqual(
		results.map(({ index, name }) => [index, name]),
		[
			[0, 'first'],
			[1, 'second'],
		],
	);
	for (const { image, png, psnr, ssim, oraclePsnr, residual, selectedBy, stopReason, ...more } of results) {
		t.true(
			more.holePsnr! > 0 && more.holeSsim! < 1 && more.compositedPsnr! > psnr! && more.compositedSsim! < 1,
		);
		t.deepEqual(image.shape, [16, 16, 3]);
		t.is(image.data.byteLength, 4 * 768);
		t.is((await decodeImage(Buffer.from(png))).width, 16);
		t.true(psnr! > 0 && ssim! < 1 && oraclePsnr! > 0 && residual < 2);
		t.is(selectedBy, 'held-out');
		t.is(stopReason, 'steps');
	}

	// The measurement files alone give the same images, and no figure that needs a truth.
	const files = results.map(({ measurement }) => measurement);
	const blind = resultsOf(await collect(client.invert({ input: { measurements: files }, solver, seed: 3 })));
	t.is(blind.length, 2);
	t.deepEqual(
		Object.keys(blind[0]!).filter((key) => /psnr|ssim/i.test(key) && !key.startsWith('_') && blind[0]!.psnr),
		[],
	);
	const values = ({ image }: WireReconstruction) => new Float32Array(Uint8Array.from(image.data).buffer);
	t.true(values(blind[1]!).every((value, i) => Math.abs(value - values(results[1]!)[i]!) < 2e-3));

	for (const [options, code, message] of [
		[{ input: { problem, images: [] }, solver }, 'INVALID_INPUT', /at least one image/],
		[{ input: { problem: { kind: 'inpaint' }, images }, solver }, 'INVALID_INPUT', /problem\.kind/],
		[
			{ input: { problem, images }, solver: { kind: 'ilo', stepz: 1 } },
			'INVALID_INPUT',
			/Unknown key "stepz"/,
		],
		[{ input: { problem, images }, solver, checkpoint: 'ffff' }, 'NOT_FOUND', /no checkpoint "ffff"/],
		[
			{ input: { problem, images: [{ name: 'x', file: await picture(1, 20) }] }, solver },
			'MISMATCH',
			/16 × 16.*20 × 20/,
		],
		[
			{ input: { problem, images: [{ name: 'x', file: Buffer.from('no') }] }, solver },
			'MISMATCH',
			/readable image/,
		],
		[{ input: { measurements: [Buffer.from('no')] }, solver }, 'MISMATCH', /measurement 1/],
		[{ input: { problem, images }, solver: { kind: 'ilo', cuts: ['b32'] } }, 'MISMATCH', /no cut "b32"/],
	] as const) {
		await t.throwsAsync(collect(client.invert(options as never)), { code, message }, String(message));
	}
	const resized = { problem, images: [{ name: 'x', file: await picture(1, 20) }], resize: true };
	t.is(resultsOf(await collect(client.invert({ input: resized, solver }))).length, 1);
});
