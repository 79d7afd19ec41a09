import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { connectBus, findNatsServer, runningNats, startEmbeddedNats } from '../../bus/index.ts';
import { startServer, temporaryFolder, untilGone } from './server.ts';

test('a server starts on a free loopback port with JetStream, and is gone after stop', async (t) => {
	const dir = await temporaryFolder(t);
	const server = await startEmbeddedNats({ dir });
	t.regex(server.url, /^nats:\/\/127\.0\.0\.1:\d+$/);
	t.is(await runningNats(dir), server.url);
	const bus = await connectBus({ url: server.url, name: 'test' });
	t.is(bus.serverVersion, server.version);
	await bus.close();
	await server.stop();
	await server.stop();
	await untilGone(server.pid);
	t.is(await runningNats(dir), null);
	t.regex(await readFile(`${dir}/nats-server.conf`, 'utf8'), /sync_interval: always/);
	t.false((await readdir(dir)).includes('server.json'));
});

test('a server does not outlive a parent that is killed, and its folder can be used again at once', async (t) => {
	const dir = await temporaryFolder(t);
	const parent = fork(fileURLToPath(new URL('./fixtures/parent.js', import.meta.url)), [dir]);
	const [{ pid, url }] = (await once(parent, 'message')) as [{ pid: number; url: string }];
	t.is(await runningNats(dir), url);
	parent.kill('SIGKILL');
	const again = await startEmbeddedNats({ dir });
	t.not(again.pid, pid);
	await untilGone(pid);
	await again.stop();
	t.pass();
});

test('a port in use is named', async (t) => {
	const blocker = createServer().listen(0, '127.0.0.1');
	await once(blocker, 'listening');
	const { port } = blocker.address() as { port: number };
	await t.throwsAsync(startEmbeddedNats({ dir: await temporaryFolder(t), port }), {
		code: 'UNAVAILABLE',
		message: `Port ${port} on 127.0.0.1 is in use`,
	});
	blocker.close();
});

test('a folder in use is refused', async (t) => {
	const { dir, url } = await startServer(t);
	const error = await t.throwsAsync(startEmbeddedNats({ dir }), { code: 'UNAVAILABLE' });
	t.true(error.message.includes(dir) && error.message.includes(url));
});

test('an abort during the start leaves no server', async (t) => {
	const dir = await temporaryFolder(t);
	const abort = new AbortController();
	const starting = startEmbeddedNats({ dir, signal: abort.signal });
	abort.abort(new Error('changed my mind'));
	await t.throwsAsync(starting, { message: 'changed my mind' });
	t.is(await runningNats(dir), null);
});

test('a missing binary is named with the remedy', async (t) => {
	const empty = await temporaryFolder(t);
	const error = await t.throwsAsync(findNatsServer({ PATH: empty, RTIL_CACHE: empty }), {
		code: 'ENVIRONMENT',
	});
	t.like(error, { remedy: 'Run `npm run setup`, or install nats-server 2.10 or newer.' });
	await t.throwsAsync(findNatsServer({ RTIL_NATS_SERVER: `${empty}/nope` }), {
		code: 'ENVIRONMENT',
		message: /RTIL_NATS_SERVER/,
	});
});

test('an address where nobody answers is named within five seconds', async (t) => {
	const started = Date.now();
	await t.throwsAsync(connectBus({ url: 'nats://127.0.0.1:1', name: 'test' }), {
		code: 'UNAVAILABLE',
		message: 'No NATS server answers at nats://127.0.0.1:1',
	});
	const silent = createServer().listen(0, '127.0.0.1'); // takes the connection and says nothing
	silent.on('connection', (socket) => t.teardown(() => socket.destroy()));
	await once(silent, 'listening');
	const { port } = silent.address() as { port: number };
	await t.throwsAsync(connectBus({ url: `nats://user:secret@127.0.0.1:${port}`, name: 'test' }), {
		code: 'UNAVAILABLE',
		message: `No NATS server answers at nats://127.0.0.1:${port}`,
	});
	t.true(Date.now() - started < 5000);
	silent.close();
	await t.throwsAsync(connectBus({ url: 'http://127.0.0.1', name: 'test' }), { code: 'INVALID_INPUT' });
});
