import test from 'ava';
import { type FollowedEvent, startEmbeddedNats } from '../../bus/index.ts';
import { connectTo, first, temporaryFolder } from './server.ts';

test('jobs, events, key-values and blobs survive a restart of the server under their feet', async (t) => {
	const dir = await temporaryFolder(t);
	let server = await startEmbeddedNats({ dir });
	const port = Number(new URL(server.url).port);
	const news: string[] = [];
	const node = await connectTo(t, server.url, {
		name: 'node',
		timing: { ackWait: 20_000 },
		onStatus: (text) => news.push(text),
	});
	const reader = await connectTo(t, server.url, { name: 'reader' });

	const events: FollowedEvent[] = [];
	const stop = new AbortController();
	const following = (async () => {
		for await (const event of reader.followEvents('r1', { signal: stop.signal })) events.push(event);
	})();
	const states: string[] = [];
	const watching = (async () => {
		for await (const { state } of reader.followJobs('r1', { signal: stop.signal })) states.push(state);
	})();
	const blob = await node.putBlob(Buffer.from('content'));
	await node.submit({ id: 'j', run: 'r1', kind: 'train', class: 'train', payload: 1 });
	const delivery = (await node.pullJobs('train')[Symbol.asyncIterator]().next()).value!;
	await node.publishEvent('r1', { type: 'progress', step: 1 });

	await server.stop();
	// asked for while the server is away
	const finished = (async () => {
		await node.publishEvent('r1', { type: 'progress', step: 2 });
		await delivery.complete({ ok: true });
	})();
	server = await startEmbeddedNats({ dir, port });
	t.teardown(() => server.stop());
	await finished;
	t.like(await reader.result('r1', 'j'), { value: { ok: true }, epoch: 1 });
	t.is((await node.getBlob(blob.sha256)).toString(), 'content');
	await first(reader.followEvents('r1', { kind: 'job' }), ({ data }) => data.state === 'done');
	await node.publishEvent('r1', { type: 'end' });
	while (events.at(-1)?.kind !== 'end' || states.at(-1) !== 'done') {
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	stop.abort();
	await Promise.all([following, watching]);
	t.deepEqual(
		events.map(({ kind, data }) => data.step ?? data.state ?? kind),
		['queued', 'running', 1, 2, 'done', 'end'],
	);
	t.true(news.some((text) => text.startsWith('lost the connection')));
	await node.submit({ id: 'k', run: 'r1', kind: 'train', class: 'train', payload: 2 });
	t.is((await node.pullJobs('train')[Symbol.asyncIterator]().next()).value?.job.id, 'k');
});
