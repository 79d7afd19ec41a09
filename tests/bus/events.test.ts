import test from 'ava';
import { connectTo, startServer } from './server.ts';

test('events replay from the start in order, with their bytes, and go on live', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url, { name: 'node1' });
	const png = new Uint8Array([137, 80, 0, 255]);
	await bus.publishEvent('r1', { type: 'progress', step: 1, losses: { d: 0.5 } }, { job: 'j' });
	await bus.publishEvent('r1', { type: 'sample', step: 1, png });
	await bus.publishEvent('r2', { type: 'progress', step: 99 });

	const seen = [];
	const stop = new AbortController();
	for await (const event of bus.followEvents('r1', { signal: stop.signal })) {
		seen.push(event);
		if (seen.length === 2) {
			t.false(event.behind);
			await bus.publishEvent('r1', { type: 'run', state: 'done' });
		}
		if (seen.length === 3) stop.abort();
	}
	t.deepEqual(
		seen.map(({ kind }) => kind),
		['progress', 'sample', 'run'],
	);
	t.like(seen[0], {
		run: 'r1',
		job: 'j',
		node: 'node1',
		data: { type: 'progress', step: 1, losses: { d: 0.5 } },
	});
	t.deepEqual(new Uint8Array(seen[1]!.data.png as Uint8Array), png);

	const rest = [];
	for await (const event of bus.followEvents('r1', { from: seen[1]!.sequence })) {
		rest.push(event.kind);
		if (!event.behind) break;
	}
	t.deepEqual(rest, ['sample', 'run']);
});

test('following from now shows only what comes, and only the kind asked for', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	await bus.publishEvent('r1', { type: 'log', text: 'old' });
	const followed = bus.followEvents('r1', { from: 'now', kind: 'log' })[Symbol.asyncIterator]();
	const next = followed.next();
	// the follower is up when it has its consumer; publish until it sees one
	let n = 0;
	const timer = setInterval(() => {
		void bus.publishEvent('r1', { type: 'progress', step: n });
		void bus.publishEvent('r1', { type: 'log', text: `new ${n++}` });
	}, 50);
	const { value } = await next;
	clearInterval(timer);
	t.regex(value!.data.text as string, /^new \d+$/);
	await followed.return?.(undefined);
});

test('an event that is too large is refused before it is sent', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	await t.throwsAsync(bus.publishEvent('r1', { type: 'sample', png: new Uint8Array(2 << 20) }), {
		code: 'EXHAUSTED',
		message: /event of type sample/,
	});
});
