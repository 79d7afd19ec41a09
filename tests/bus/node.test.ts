import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type Bus, runNode, startWorker } from '../../bus/index.ts';
import type { JobState } from '../../proto/index.ts';
import { connectTo, first, startServer, temporaryFolder, untilGone } from './server.ts';

function startNode(t: ExecutionContext, url: string, name: string): ChildProcess {
	const module = fileURLToPath(new URL('./fixtures/node.js', import.meta.url));
	const node = fork(module, [url, name], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
	t.teardown(async () => {
		if (node.exitCode !== null || node.signalCode !== null) return;
		node.kill('SIGKILL');
		await once(node, 'exit');
	});
	return node;
}

const survive = (marker: string, times: number) => ({
	id: 'survive',
	run: 'r1',
	kind: 'survive',
	class: 'train',
	payload: { marker, times },
});

const untilState = (bus: Bus, state: JobState) =>
	first(bus.followJobs('r1'), (record) => record.state === state);

async function startedWorker(bus: Bus, nth: number): Promise<number> {
	let seen = 0;
	const { data } = await first(bus.followEvents('r1', { kind: 'started' }), () => ++seen === nth);
	return data.pid as number;
}

test('a job whose worker is killed is done again, once, and shows why', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const marker = join(await temporaryFolder(t), 'starts');
	startNode(t, url, 'node1');
	await bus.submit(survive(marker, 1));
	process.kill(await startedWorker(bus, 1), 'SIGKILL');
	const record = await untilState(bus, 'done');
	t.like(record, { epoch: 2, errors: 0, losses: 1, node: 'node1' });
	t.like(await bus.result('r1', 'survive'), { value: { starts: 2 } });
	const states = [];
	// The event of the end follows the record of it: wait for it, not for the last one there is.
	for await (const { data } of bus.followEvents('r1', { kind: 'job' })) {
		states.push(data);
		if (data.state === 'done') break;
	}
	t.deepEqual(
		states.map(({ state }) => state),
		['queued', 'running', 'queued', 'running', 'done'],
	);
	t.regex((states[2]!.failure as { message: string }).message, /SIGKILL.*memory/);
});

test('a job whose node is killed is finished by another, and no worker is left', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const marker = join(await temporaryFolder(t), 'starts');
	const node = startNode(t, url, 'node1');
	await bus.submit(survive(marker, 1));
	const pid = await startedWorker(bus, 1);
	t.like((await bus.nodes())[0], { name: 'node1', class: 'train', state: 'busy', job: 'survive' });
	node.kill('SIGKILL');
	await untilGone(pid);
	startNode(t, url, 'node2');
	const record = await untilState(bus, 'done');
	t.like(record, { epoch: 2, errors: 0, losses: 1, node: 'node2' });
	t.like(await bus.result('r1', 'survive'), { value: { starts: 2 }, node: 'node2' });
});

test('a node that is told to end gives its job back without penalty and is forgotten', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const node = startNode(t, url, 'node1');
	await bus.submit({ id: 'count', run: 'r1', kind: 'count', class: 'train', payload: { steps: 1e6 } });
	await first(bus.followEvents('r1', { kind: 'progress' }));
	node.kill('SIGTERM');
	t.deepEqual(await once(node, 'exit'), [0, null]);
	t.like(await bus.job('r1', 'count'), { state: 'queued', errors: 0, losses: 0 });
	t.deepEqual(await bus.nodes(), []);
});

test('cancelling a run stops the work within the ladder, and the node takes the next job', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url, { name: 'here' });
	const worker = startWorker({
		module: new URL('./fixtures/worker.js', import.meta.url),
		name: 'test',
		ladder: { term: 100, kill: 100 },
	});
	const end = new AbortController();
	const node = runNode({ bus, jobClass: 'train', worker, signal: end.signal });
	await bus.submit({ id: 'stubborn', run: 'r1', kind: 'stubborn', class: 'train', payload: null });
	const pid = await startedWorker(bus, 1);
	await bus.cancelRun('r1');
	await untilGone(pid);
	t.like(await untilState(bus, 'cancelled'), { errors: 0, losses: 0 });
	await bus.submit({ id: 'echo', run: 'r2', kind: 'echo', class: 'train', payload: { a: 1 } });
	await first(bus.followJobs('r2'), ({ state }) => state === 'done');
	t.like(await bus.result('r2', 'echo'), { value: { a: 1 } });
	end.abort();
	await node;
	await worker.stop();
});

test('the hooks see job, events and result, and a hopeless error is not tried again', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url, { name: 'here' });
	const worker = startWorker({ module: new URL('./fixtures/worker.js', import.meta.url), name: 'test' });
	const end = new AbortController();
	const node = runNode({
		bus,
		jobClass: 'train',
		worker,
		signal: end.signal,
		prepare: async (job) => ({ ...(job.payload as object), steps: 3 }),
		onEvent: (event) => (event.step === 2 ? null : { ...event, seen: true }),
		finish: async (result, job) => ({ ...(result as object), by: job.id }),
	});
	await bus.submit({ id: 'count', run: 'r1', kind: 'count', class: 'train', payload: {} });
	await untilState(bus, 'done');
	t.like(await bus.result('r1', 'count'), { value: { steps: 3, by: 'count' } });
	const steps = [];
	for await (const { data, behind } of bus.followEvents('r1', { kind: 'progress' })) {
		steps.push([data.step, data.seen, [...(data.png as Uint8Array)]]);
		if (!behind) break;
	}
	t.deepEqual(steps, [
		[1, true, [1]],
		[3, true, [3]],
	]);
	await bus.submit({ id: 'refuse', run: 'r1', kind: 'refuse', class: 'train', payload: {} });
	t.like(await untilState(bus, 'dead'), { errors: 1, failure: { code: 'DIVERGED' } });
	end.abort();
	await node;
	await worker.stop();
});

test('a node whose worker cannot start ends with the reason and leaves its jobs to others', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url, { name: 'here' });
	const module = new URL('./fixtures/broken-worker.js', import.meta.url);
	const worker = startWorker({ module, name: 'test' });
	await bus.submit({ id: 'echo', run: 'r1', kind: 'echo', class: 'train', payload: 1 });
	const node = runNode({ bus, jobClass: 'train', worker, signal: new AbortController().signal });
	await t.throwsAsync(node, { code: 'ENVIRONMENT', message: /no engine on this machine/ });
	t.like(await bus.job('r1', 'echo'), { state: 'queued', errors: 0, losses: 0 });
	t.deepEqual(await bus.nodes(), []);
});
