import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { type EventData, startWorker, WorkerLost, type WorkerOptions } from '../../bus/index.ts';
import { untilGone } from './server.ts';

function start(t: ExecutionContext, options: Partial<WorkerOptions> = {}) {
	const module = new URL('./fixtures/worker.js', import.meta.url);
	const worker = startWorker({ module, name: 'test', ladder: { term: 200, kill: 200 }, ...options });
	t.teardown(() => worker.stop());
	return worker;
}

test('a worker tells what it can do, and typed arrays pass both ways', async (t) => {
	const worker = start(t);
	const { kinds, description } = await worker.ready;
	t.true(kinds.includes('double'));
	t.like(description as object, { engine: 'none', pid: worker.pid });
	const values = Float32Array.of(1, 2.5, -3);
	t.deepEqual(await worker.call('double', { values }), Float32Array.of(2, 5, -6));
	t.true(worker.memory > 0);
});

test('events of a call arrive in order before its result', async (t) => {
	const worker = start(t);
	const steps: unknown[] = [];
	await worker.call('count', { steps: 5 }, { onEvent: (event) => steps.push(event.step) });
	t.deepEqual(steps, [1, 2, 3, 4, 5]);
});

test('errors keep their code, remedy and message across the border', async (t) => {
	const worker = start(t);
	await t.throwsAsync(worker.call('refuse', null), { code: 'DIVERGED', message: 'the loss became NaN' });
	await t.throwsAsync(worker.call('fail', null), { message: 'flaky' });
	await t.throwsAsync(worker.call('unknown', null), { code: 'INVALID_INPUT', message: /echo/ });
	t.is(await worker.call('echo', 'still there'), 'still there');
});

test('a worker that dies fails its call with the cause, and the next call finds a new one', async (t) => {
	const worker = start(t);
	const killed = await t.throwsAsync(worker.call('die', { signal: 'SIGKILL' }), { instanceOf: WorkerLost });
	t.regex(killed.message, /killed \(SIGKILL\), likely because memory ran out/);
	const aborted = worker.call('die', { signal: 'SIGABRT' });
	const waiting = worker.call('echo', 1);
	await t.throwsAsync(aborted, { message: /ended by SIGABRT/ });
	t.is(await waiting, 1);
});

test('the queue is bounded and refuses at once', async (t) => {
	const worker = start(t, { queue: 1 });
	await worker.ready;
	const one = worker.call('count', { steps: 3, wait: 30 });
	const two = worker.call('echo', 2);
	await t.throwsAsync(worker.call('echo', 3), { code: 'EXHAUSTED' });
	await one;
	t.is(await two, 2);
});

test('a cancelled call stops by message and the worker lives on', async (t) => {
	const worker = start(t);
	await worker.ready;
	const { pid } = worker;
	const cancel = new AbortController();
	const call = worker.call(
		'count',
		{ steps: 1e6 },
		{ signal: cancel.signal, onEvent: () => cancel.abort('enough') },
	);
	t.is(await call.catch((error: unknown) => error), 'enough');
	t.is(await worker.call('echo', 1), 1);
	t.is(worker.pid, pid);
	const queued = new AbortController();
	const running = worker.call('count', { steps: 5 });
	const waiting = worker.call('echo', 1, { signal: queued.signal });
	queued.abort('never mind');
	t.is(await waiting.catch((error: unknown) => error), 'never mind');
	await running;
});

test('a worker that ignores the message and SIGTERM is killed', async (t) => {
	const lines: string[] = [];
	const worker = start(t, { onLog: (_, line) => lines.push(line) });
	const cancel = new AbortController();
	let pid = 0;
	const onEvent = (event: EventData) => {
		pid = event.pid as number;
		cancel.abort('enough');
	};
	const call = worker.call('stubborn', null, { signal: cancel.signal, onEvent });
	t.is(await call.catch((error: unknown) => error), 'enough');
	await untilGone(pid);
	t.true(lines.some((line) => line.includes('SIGTERM')) && lines.some((line) => line.includes('SIGKILL')));
	t.is(await worker.call('echo', 1), 1);
});

test('a worker that cannot start says why', async (t) => {
	const worker = start(t, { module: new URL('./fixtures/broken-worker.js', import.meta.url) });
	const call = worker.call('echo', 1);
	await t.throwsAsync(worker.ready, { code: 'ENVIRONMENT', message: /no engine on this machine/ });
	await t.throwsAsync(call, { code: 'ENVIRONMENT' });
});

test('stop ends the worker and what waits', async (t) => {
	const worker = start(t);
	await worker.ready;
	const { pid } = worker;
	const running = worker.call('count', { steps: 1e6 });
	const waiting = worker.call('echo', 1);
	const outcomes = Promise.allSettled([running, waiting]);
	await worker.stop();
	await untilGone(pid);
	for (const outcome of await outcomes)
		t.like(outcome, { status: 'rejected', reason: { code: 'CANCELLED' } });
	await t.throwsAsync(worker.call('echo', 1), { code: 'CANCELLED' });
});

test('a worker does not outlive a parent that is killed, even while it blocks', async (t) => {
	const { fork } = await import('node:child_process');
	const { fileURLToPath } = await import('node:url');
	const parent = fork(fileURLToPath(new URL('./fixtures/worker-parent.js', import.meta.url)));
	const [pid] = (await once(parent, 'message')) as [number];
	parent.kill('SIGKILL');
	await untilGone(pid);
	t.pass();
});
