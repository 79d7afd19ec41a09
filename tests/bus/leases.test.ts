import { once } from 'node:events';
import test from 'ava';
import { connectTo, first, startServer } from './server.ts';

test('a lease has one holder, and its token grows from holder to holder', async (t) => {
	const { url } = await startServer(t);
	const a = await connectTo(t, url, { name: 'a' });
	const b = await connectTo(t, url, { name: 'b' });
	const held = await a.tryLease('leader');
	t.truthy(held);
	t.is(await b.tryLease('leader'), null);
	const waiting = b.lease('leader');
	await held!.release();
	const next = await waiting;
	t.true(next.token > held!.token);
	t.false(held!.signal.aborted);
	await next.release();
});

test('a lease outlives its time when it is renewed', async (t) => {
	const { url } = await startServer(t);
	const a = await connectTo(t, url, { name: 'a' });
	const b = await connectTo(t, url, { name: 'b' });
	const held = await a.lease('leader');
	await new Promise((resolve) => setTimeout(resolve, 2200)); // twice its time
	t.is(await b.tryLease('leader'), null);
	t.false(held.signal.aborted);
});

test('a lease that is not renewed expires, and its former holder is told', async (t) => {
	const { url } = await startServer(t);
	let frozen = false;
	const a = await connectTo(t, url, {
		name: 'a',
		clock: {
			now: () => Date.now(),
			// frozen, this process does nothing until it is woken: like one that was suspended
			sleep: async (ms, signal) => {
				await new Promise((resolve) => setTimeout(resolve, ms));
				while (frozen) await new Promise((resolve) => setTimeout(resolve, 20));
				signal?.throwIfAborted();
			},
		},
	});
	const b = await connectTo(t, url, { name: 'b' });
	const held = await a.lease('leader');
	frozen = true;
	const next = await b.lease('leader');
	t.true(next.token > held.token);
	frozen = false;
	if (!held.signal.aborted) await once(held.signal, 'abort');
	t.is(held.signal.reason.code, 'CONFLICT');
	await held.release(); // harmless
	t.is(await a.tryLease('leader'), null);
});

test('key-values are written by compare-and-set and watched', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const store = bus.kv<{ n: number }>('runs');
	const one = await store.create('r1.state', { n: 1 });
	await t.throwsAsync(store.create('r1.state', { n: 9 }), { code: 'ALREADY_EXISTS' });
	const two = await store.update('r1.state', { n: 2 }, one);
	await t.throwsAsync(store.update('r1.state', { n: 3 }, one), { code: 'CONFLICT' });
	t.deepEqual(await store.get('r1.state'), { key: 'r1.state', value: { n: 2 }, revision: two });
	await store.put('r2.state', { n: 7 });
	t.deepEqual((await store.entries('r1.>')).length, 1);
	t.deepEqual((await store.entries()).length, 2);

	const changes = [];
	for await (const change of store.watch('r1.>')) {
		changes.push([change.value, change.live]);
		if (changes.length === 1) await store.delete('r1.state', two);
		if (changes.length === 2) await store.create('r1.state', { n: 4 });
		if (changes.length === 3) break;
	}
	t.deepEqual(changes, [
		[{ n: 2 }, true],
		[null, true],
		[{ n: 4 }, true],
	]);
	t.is(await store.get('nothing'), null);
	await t.throwsAsync(store.get('a b'), { code: 'INVALID_INPUT' });
	t.like(await first(store.watch('r2.*')), { value: { n: 7 } });
});
