import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { connect } from '@nats-io/transport-node';
import test from 'ava';
import { connectTo, startServer, temporaryFolder } from './server.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test('a blob comes back as it was put, in memory and as a file, and is sent only once', async (t) => {
	const { url } = await startServer(t);
	const dir = await temporaryFolder(t);
	const bus = await connectTo(t, url, { cache: join(dir, 'cache') });
	const content = randomBytes(3_000_001); // several chunks
	const file = join(dir, 'content');
	await writeFile(file, content);
	const ref = { sha256: sha256(content), bytes: content.length };
	t.false(await bus.hasBlob(ref.sha256));
	t.deepEqual(await bus.putBlob(file), ref);
	t.true(await bus.hasBlob(ref.sha256));
	t.deepEqual(await bus.putBlob(content), ref);
	t.true(content.equals(await bus.getBlob(ref.sha256)));
	const cached = await bus.getBlobFile(ref.sha256);
	t.true(cached.startsWith(join(dir, 'cache')));
	t.true(content.equals(await readFile(cached)));
	t.is(await bus.getBlobFile(ref.sha256), cached);
	const elsewhere = join(dir, 'deep', 'copy');
	t.is(await bus.getBlobFile(ref.sha256, elsewhere), elsewhere);
	t.true(content.equals(await readFile(elsewhere)));
	t.deepEqual(await readdir(join(dir, 'deep')), ['copy']);
	const empty = await bus.putBlob(new Uint8Array());
	t.is((await bus.getBlob(empty.sha256)).length, 0);
});

test('content that is not what its name says is refused, leaves no file, and is mended by a put', async (t) => {
	const { url } = await startServer(t);
	const dir = await temporaryFolder(t);
	const bus = await connectTo(t, url, { cache: dir });
	const content = randomBytes(10_000);
	const name = sha256(content);
	const nc = await connect({ servers: url.replace('nats://', '') });
	const store = await new Objm(jetstream(nc)).create('blobs');
	await store.putBlob({ name }, randomBytes(10_000));
	await nc.close();
	await t.throwsAsync(bus.getBlob(name), { code: 'CORRUPT' });
	await t.throwsAsync(bus.getBlobFile(name), { code: 'CORRUPT' });
	t.deepEqual(await readdir(join(dir, name.slice(0, 2))), []);
	t.false(await bus.hasBlob(name));
	await bus.putBlob(content);
	t.true(content.equals(await bus.getBlob(name)));
});

test('a damaged file in the cache is fetched again', async (t) => {
	const { url } = await startServer(t);
	const dir = await temporaryFolder(t);
	const bus = await connectTo(t, url, { cache: dir });
	const { sha256: name } = await bus.putBlob(Buffer.from('good'));
	await mkdir(join(dir, name.slice(0, 2)));
	await writeFile(join(dir, name.slice(0, 2), name), 'evil');
	t.is(await readFile(await bus.getBlobFile(name), 'utf8'), 'good');
});

test('what does not exist is named', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const nothing = '0'.repeat(64);
	await t.throwsAsync(bus.getBlob(nothing), { code: 'NOT_FOUND', message: new RegExp(nothing) });
	await t.throwsAsync(bus.putBlob('/nowhere/file'), { code: 'NOT_FOUND' });
	await t.throwsAsync(bus.getBlob('../etc'), { code: 'INVALID_INPUT' });
});
