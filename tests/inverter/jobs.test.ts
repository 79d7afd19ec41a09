import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { connectBus, startEmbeddedNats } from '../../bus/index.ts';
import { addWeights, encodeTorch } from '../../checkpoints/index.ts';
import { decodeImage, prepareDataset } from '../../data/index.ts';
import { rowSchema } from '../../report/inputs.ts';
import { faceState } from '../checkpoints/face-files.ts';
import { ended, picture, startNode, storedCheckpoint, temporaryFolder } from './node-fixture.ts';

test('a node evaluates a checkpoint it fetches over the bus and serves one as soon as it is announced', async (t) => {
	const dir = await temporaryFolder(t);
	const server = await startEmbeddedNats({ dir: path.join(dir, 'nats') });
	t.teardown(() => server.stop());
	// After the server was found in the cache of this machine.
	process.env.RTIL_CACHE = path.join(dir, 'cache');
	const face = path.join(dir, 'tiny.pth');
	await writeFile(face, encodeTorch(faceState()));
	await addWeights(face);
	const bus = await connectBus({ url: server.url, name: 'test' });
	t.teardown(() => bus.close());
	const data = await prepareDataset({ kind: 'faces', count: 5, resolution: 16, seed: 1 }, { cache: dir });
	const { sha256: blob } = await bus.putBlob(data.file);
	const manifest = await storedCheckpoint(bus, path.join(dir, 'checkpoint'), 'rtil');
	const nodeBus = await connectBus({ url: server.url, name: 'inverter-1', cache: path.join(dir, 'node') });
	t.teardown(() => nodeBus.close());
	// It knows a face network, and no LPIPS.
	const env = { RTIL_THREADS: '1', RTIL_CACHE: path.join(dir, 'cache') };
	const { client } = await startNode(t, { bus: nodeBus, checkpoints: [], env });

	const problem = { kind: 'compressed-sensing', ratio: 0.3 };
	const payload = {
		run: 'r1',
		arm: 'rtil',
		checkpoint: manifest,
		problem,
		solver: { kind: 'ilo', steps: [10, 5] },
		images: { blob, indices: [0, 2, 4] },
		seeds: [0, 1],
	};
	await bus.submit({ id: 'e1', run: 'r1', kind: 'evaluate', class: 'invert', payload });
	const record = await ended(bus, 'r1', 'e1');
	t.is(record.state, 'done', record.failure?.message);
	const { value } = (await bus.result('r1', 'e1'))!;
	const { rows, pictures } = value as { rows: unknown[]; pictures: Record<string, string> };
	const parsed = rows.map((row) => rowSchema.parse(row));
	t.deepEqual(
		parsed.map(({ image, seed }) => `${image} ${seed}`),
		[0, 1].flatMap((seed) => [0, 2, 4].map((index) => `${data.names[index]} ${seed}`)),
	);
	for (const {
		arm,
		solver,
		problem: kind,
		level,
		psnr,
		ssim,
		residual,
		seconds,
		identity,
		identityBy,
	} of parsed) {
		t.deepEqual([arm, solver, kind, level], ['rtil', 'ilo', 'compressed-sensing', 0.3]);
		t.true(identity! > -1 && identity! < 1);
		t.regex(identityBy!, /^identity \(iresnet 1-2-1-1 of tiny\.pth, [0-9a-f]{12}\)$/);
		t.true(psnr! > 0 && psnr! < 60 && ssim! > -1 && ssim! < 1 && residual! > 0 && seconds! > 0);
	}
	t.not(parsed[0]!.psnr, parsed[3]!.psnr, 'the seed changes the measurement');
	for (const shown of ['truth', 'measurement', 'reconstruction']) {
		const picture = await decodeImage(await bus.getBlob(pictures[shown]!));
		t.true(picture.width > 2.9 * picture.height, `${shown} is one row of three`);
	}

	// Announced: listed and usable, its files fetched when first asked for.
	const announcement = {
		id: manifest.id,
		run: 'tiny',
		arm: 'rtil',
		step: manifest.step,
		manifest,
		files: Object.entries(manifest.files).map(([name, file]) => ({ name, ...file })),
		node: 'test',
		at: Date.now(),
	};
	t.deepEqual(await client.listCheckpoints(), []);
	await bus.announceCheckpoint(announcement);
	let listed = await client.listCheckpoints();
	while (listed.length === 0) listed = await client.listCheckpoints();
	t.is(listed[0]!.id, manifest.id);
	t.deepEqual((await client.sample({ checkpoint: 'tiny/rtil', count: 2 })).shape, [2, 16, 16, 3]);
	const images = [{ name: 'one', file: await picture(1) }];
	const asked = { checkpoint: 'tiny/rtil', input: { problem, images }, solver: payload.solver };
	for await (const { reconstruction } of client.invert(asked)) {
		if (!reconstruction) continue;
		t.is(reconstruction.identityBy, parsed[0]!.identityBy);
		t.true(reconstruction.identity! > -1 && reconstruction.identity! < 1);
	}

	const noise = { kind: 'gaussian', sigma: 0.1 };
	const weighing = { kind: 'ilo', perceptual: { weight: 1, network: 'vgg' } };
	// What cannot work is refused with one line, and dead at once.
	for (const [id, change, message] of [
		['bad-problem', { problem: { kind: 'inpainting' } }, /problem/],
		['bad-solver', { solver: { kind: 'ilo', cuts: ['b64'] } }, /no cut "b64"/],
		['bad-image', { images: { blob, indices: [99] } }, /99/],
		['no-blob', { images: { blob: '0'.repeat(64), indices: [0] } }, /no blob 0{64}/],
		['no-weights', { problem: { kind: 'denoising', noise }, solver: weighing }, /vgg.* are not known/],
		['no-checkpoint', { checkpoint: { id: 'x' } }, /no checkpoint manifest/],
	] as const) {
		await bus.submit({
			id,
			run: 'r1',
			kind: 'evaluate',
			class: 'invert',
			payload: { ...payload, ...change },
		});
		const refused = await ended(bus, 'r1', id);
		t.is(refused.state, 'dead', id);
		t.regex(refused.failure!.message, message);
		t.is(refused.errors, 1, `${id} is not tried again`);
	}
});
