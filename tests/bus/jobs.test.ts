import test from 'ava';
import type { Bus, JobDelivery } from '../../bus/index.ts';
import type { Job } from '../../proto/index.ts';
import { connectTo, startServer } from './server.ts';

const job: Job = { id: 'train.vanilla', run: 'r1', kind: 'train', class: 'train', payload: { steps: 10 } };

const take = async (bus: Bus) =>
	(await bus.pullJobs('train')[Symbol.asyncIterator]().next()).value as JobDelivery;

test('a job is delivered to one node only, and its result is kept', async (t) => {
	const { url } = await startServer(t);
	const coordinator = await connectTo(t, url, { name: 'coordinator' });
	const node = await connectTo(t, url, { name: 'node1' });
	const other = await connectTo(t, url, { name: 'node2' });
	await coordinator.submit(job);
	await coordinator.submit(job); // the same again is nothing
	t.like(await coordinator.job('r1', 'train.vanilla'), { state: 'queued', epoch: 0, job });

	const delivered: string[] = [];
	const idle = new AbortController();
	const nothing = (async () => {
		for await (const delivery of other.pullJobs('invert', { signal: idle.signal }))
			delivered.push(delivery.job.id);
	})();
	const delivery = await take(node);
	t.deepEqual(delivery.job, job);
	t.is(delivery.epoch, 1);
	await delivery.complete({ loss: 0.5 });
	idle.abort();
	await nothing;
	t.deepEqual(delivered, []);

	t.like(await coordinator.job('r1', 'train.vanilla'), {
		state: 'done',
		epoch: 1,
		node: 'node1',
		errors: 0,
		losses: 0,
	});
	t.like(await coordinator.result('r1', 'train.vanilla'), { value: { loss: 0.5 }, epoch: 1, node: 'node1' });
	const states = [];
	for await (const { data, behind } of coordinator.followEvents('r1', { kind: 'job' })) {
		states.push(data.state);
		if (!behind) break;
	}
	t.deepEqual(states, ['queued', 'running', 'done']);
});

test('another job of the same name is refused, and so is one too large', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	await bus.submit(job);
	await t.throwsAsync(bus.submit({ ...job, payload: { steps: 11 } }), { code: 'ALREADY_EXISTS' });
	await t.throwsAsync(bus.submit({ ...job, id: 'big', payload: 'x'.repeat(300_000) }), { code: 'EXHAUSTED' });
	await t.throwsAsync(bus.submit({ ...job, run: 'a b' }), { code: 'INVALID_INPUT' });
	t.is(await bus.job('r1', 'big'), null);
});

test('a job whose node falls silent goes to another, and what the first one writes later is refused', async (t) => {
	const { url } = await startServer(t);
	const coordinator = await connectTo(t, url, { name: 'coordinator' });
	// a node whose clock never ends a wait: it does not keep its jobs alive
	const frozen = await connectTo(t, url, {
		name: 'frozen',
		clock: { now: () => Date.now(), sleep: () => new Promise(() => {}) },
	});
	const healthy = await connectTo(t, url, { name: 'healthy' });
	await coordinator.submit(job);
	const pulled = frozen.pullJobs('train')[Symbol.asyncIterator]();
	const zombie = (await pulled.next()).value!;
	const second = healthy.pullJobs('train')[Symbol.asyncIterator]();
	const delivery = (await second.next()).value!;
	t.is(delivery.epoch, 2);
	t.is(delivery.losses, 1);
	if (!zombie.signal.aborted)
		await new Promise((resolve) => zombie.signal.addEventListener('abort', resolve));
	t.like(zombie.signal.reason, { code: 'CONFLICT' });
	await t.throwsAsync(zombie.complete({ by: 'zombie' }), { code: 'CONFLICT' });
	await delivery.complete({ by: 'healthy' });
	t.like(await coordinator.result('r1', 'train.vanilla'), { value: { by: 'healthy' }, epoch: 2 });
	t.like(await coordinator.job('r1', 'train.vanilla'), {
		state: 'done',
		epoch: 2,
		node: 'healthy',
		losses: 1,
	});
	await t.throwsAsync(zombie.fail(new Error('late')), { message: /has ended already/ });
});

test('a long job is kept alive well beyond the wait for an acknowledgement', async (t) => {
	const { url } = await startServer(t);
	const node = await connectTo(t, url, { name: 'node' });
	await node.submit(job);
	const delivery = (await node.pullJobs('train')[Symbol.asyncIterator]().next()).value!;
	const stop = new AbortController();
	const second = node.pullJobs('train', { signal: stop.signal })[Symbol.asyncIterator]().next();
	await new Promise((resolve) => setTimeout(resolve, 2500)); // two and a half times the wait
	await delivery.complete(null);
	stop.abort();
	t.true((await second).done);
	t.like(await node.job('r1', 'train.vanilla'), { state: 'done', epoch: 1, losses: 0 });
});

test('a job that keeps failing becomes a dead letter with its reason, and can be submitted anew', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	await bus.submit(job);
	const outcomes = [];
	for await (const delivery of bus.pullJobs('train')) {
		const outcome = await delivery.fail(new Error(`attempt ${delivery.epoch} failed`));
		outcomes.push(outcome);
		if (outcome === 'dead') break;
	}
	t.deepEqual(outcomes, ['queued', 'queued', 'dead']);
	const dead = await bus.job('r1', 'train.vanilla');
	t.like(dead, { state: 'dead', errors: 3 });
	t.is(dead?.failure?.message, 'attempt 3 failed');
	const letters = await bus.deadLetters('r1');
	t.is(letters.length, 1);
	t.like(letters[0], { job, errors: 3, losses: 0 });
	t.is(letters[0]?.failure.message, 'attempt 3 failed');
	t.deepEqual(await bus.deadLetters('another'), []);

	await bus.resubmit('r1', 'train.vanilla');
	const delivery = await take(bus);
	t.like(delivery, { epoch: 4, errors: 0 });
	await t.throwsAsync(bus.resubmit('r1', 'train.vanilla'), { code: 'CONFLICT' });
});

test('a cancelled run stops its running job and drops its queued ones', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	await bus.submit(job);
	await bus.submit({ ...job, id: 'train.rtil' });
	await bus.submit({ ...job, run: 'r2' });
	const pulled = bus.pullJobs('train')[Symbol.asyncIterator]();
	const delivery = (await pulled.next()).value!;
	await bus.cancelRun('r1', 'wrong data');
	if (!delivery.signal.aborted)
		await new Promise((resolve) => delivery.signal.addEventListener('abort', resolve));
	t.is(delivery.signal.reason.code, 'CANCELLED');
	t.regex(delivery.signal.reason.message, /wrong data/);
	await delivery.cancelled();
	t.deepEqual(
		(await bus.jobs('r1')).map(({ state }) => state),
		['cancelled', 'cancelled'],
	);
	t.is((await pulled.next()).value?.job.run, 'r2');
	await t.throwsAsync(bus.submit({ ...job, id: 'late' }), { code: 'CANCELLED' });
	await bus.uncancelRun('r1');
	await bus.submit({ ...job, id: 'late' });
	t.is((await bus.jobs('r1')).length, 3);
});

test('a job given back is taken again without penalty', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	await bus.submit(job);
	const pulled = bus.pullJobs('train')[Symbol.asyncIterator]();
	await (await pulled.next()).value!.release();
	t.like((await pulled.next()).value, { epoch: 2, errors: 0, losses: 0 });
});
