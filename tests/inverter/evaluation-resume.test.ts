// A node that is killed in the middle of an evaluation: whoever takes the job over with the same folder goes on with it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type Bus, connectBus, startEmbeddedNats } from '../../bus/index.ts';
import { prepareDataset } from '../../data/index.ts';
import type { Evaluation } from '../../inverter/index.ts';
import { ended, storedCheckpoint, temporaryFolder } from './node-fixture.ts';

/** Starts a node; the function that kills it resolves when it is gone. */
function startProcess(t: ExecutionContext, url: string, name: string, cache: string): () => Promise<void> {
	const module = fileURLToPath(new URL('./fixtures/node.js', import.meta.url));
	const node = fork(module, [url, name, cache], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
	const kill = async (): Promise<void> => {
		if (node.exitCode !== null || node.signalCode !== null) return;
		node.kill('SIGKILL');
		await once(node, 'exit');
	};
	t.teardown(kill);
	return kill;
}

interface Seen {
	images: number;
	step: number;
}

/** The first progress of attempt number `epoch` that is accepted. */
async function progressOf(
	bus: Bus,
	job: string,
	epoch: number,
	accept: (seen: Seen) => boolean,
): Promise<Seen> {
	let now = 0;
	for await (const { data } of bus.followEvents('r1')) {
		if (data.job === job && data.state === 'running') now = data.epoch as number;
		const { images, step } = data as unknown as Seen;
		if (now === epoch && data.type === 'progress' && accept({ images, step })) return { images, step };
	}
	throw new Error('unreachable');
}

test('an evaluation goes on where its node was killed, to the same rows', async (t) => {
	const dir = await temporaryFolder(t);
	const server = await startEmbeddedNats({ dir: path.join(dir, 'nats') });
	t.teardown(() => server.stop());
	const bus = await connectBus({ url: server.url, name: 'test', timing: { ackWait: 1000 } });
	t.teardown(() => bus.close());
	const data = await prepareDataset({ kind: 'faces', count: 4, resolution: 16, seed: 1 }, { cache: dir });
	const { sha256: blob } = await bus.putBlob(data.file);
	const payload = {
		run: 'r1',
		checkpoint: await storedCheckpoint(bus, path.join(dir, 'checkpoint'), 'rtil'),
		problem: { kind: 'compressed-sensing', ratio: 0.5 },
		solver: {
			kind: 'pti',
			pivot: { steps: 150, rate: 0.1, ramp: { up: 0, down: 0 }, noise: 0.05 },
			tuning: { steps: 80, rate: 1e-3, until: 0 },
			patience: 0,
		},
		images: { blob, indices: [0, 1, 2, 3] },
		seeds: [0],
		batch: 2,
	};
	const submit = (id: string) =>
		bus.submit({ id, run: 'r1', kind: 'evaluate', class: 'invert', payload: { ...payload, arm: id } });
	const resultOf = async (id: string) => {
		const record = await ended(bus, 'r1', id);
		t.is(record.state, 'done', record.failure?.message);
		const { rows, pictures } = (await bus.result('r1', id))!.value as Evaluation;
		return { record, result: { rows: rows.map((row) => ({ ...row, arm: '', seconds: 0 })), pictures } };
	};
	const cache = path.join(dir, 'cache');
	const kept = path.join(cache, 'solves');
	await mkdir(kept, { recursive: true });
	for (const [name, days] of [
		['of-last-month.solve', 30],
		['of-yesterday.solve', 1],
	] as const) {
		await writeFile(path.join(kept, name), '');
		const then = Date.now() / 1000 - days * 24 * 3600;
		await utimes(path.join(kept, name), then, then);
	}

	const killFirst = startProcess(t, server.url, 'node1', cache);
	await submit('killed');
	// While the weights are tuned to the first image.
	const before = await progressOf(bus, 'killed', 1, ({ step }) => step > 160);
	await killFirst();
	t.deepEqual(before.images, 0);

	const killSecond = startProcess(t, server.url, 'node2', cache);
	const after = await progressOf(bus, 'killed', 2, () => true);
	t.true(after.images > 0 || after.step >= before.step, JSON.stringify({ before, after }));
	// In the search for the pivots of the last two.
	const later = await progressOf(bus, 'killed', 2, ({ images, step }) => images === 2 && step > 20);
	await killSecond();

	startProcess(t, server.url, 'node3', cache);
	const last = await progressOf(bus, 'killed', 3, () => true);
	t.true(last.images === 2 && last.step >= later.step, JSON.stringify({ later, last }));
	const killed = await resultOf('killed');
	t.like(killed.record, { epoch: 3, errors: 0, losses: 2 });
	t.deepEqual(await readdir(kept), ['of-yesterday.solve']);

	await submit('unbroken');
	t.deepEqual(killed.result, (await resultOf('unbroken')).result);
});
