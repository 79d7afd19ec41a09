// Event files as TensorBoard reads them.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { createEventFile } from '../../coordinator/tensorboard.ts';
import { encodePng } from '../../data/index.ts';
import { crc32c, readEvents } from './event-files.ts';

test('the checksum of the test is the published one', (t) => {
	t.is(crc32c(Buffer.from('123456789')), 0xe3069283);
	t.is(crc32c(Buffer.alloc(32)), 0x8a9136aa); // RFC 3720, appendix B.4
});

test('curves and pictures come back as they were written, after a version and a fresh start', async (t) => {
	const dir = await mkdtemp(path.join(tmpdir(), 'rtil-events-'));
	t.teardown(() => rm(dir, { recursive: true, force: true }));
	const time = Date.UTC(2026, 10, 28, 12);
	const png = await encodePng(new Float32Array(6 * 4 * 3).fill(0.5), { width: 6, height: 4, channels: 3 });
	{
		await using events = await createEventFile(dir, time);
		await events.scalars({ step: 300, time: time + 1500 }, { 'losses/d': 0.75, 'losses/g': -2.5 });
		await events.scalars({ step: 301, time }, { 'losses/d': null, 'losses/g': Number.NaN });
		await events.image({ step: 2 ** 40, time }, 'samples', png);
	}
	await (await createEventFile(dir, time))[Symbol.asyncDispose]();
	const names = (await readdir(dir)).sort();
	t.is(names.length, 2, 'a second file has a name of its own, behind the first');
	t.true(names.every((name) => /^events\.out\.tfevents\.\d{10}\.rtil$/.test(name)));

	const [version, start, curves, picture, ...rest] = await readEvents(path.join(dir, names[0]!));
	t.is(version!.version, 'brain.Event:2');
	t.like(start, { session: 1, step: 0 });
	t.deepEqual(curves, {
		time: time / 1000 + 1.5,
		step: 300,
		scalars: { 'losses/d': 0.75, 'losses/g': -2.5 },
		images: {},
	});
	t.is(picture!.step, 2 ** 40);
	t.like(picture!.images.samples, { height: 4, width: 6 });
	t.true(picture!.images.samples!.png.equals(png));
	t.deepEqual(rest, [], 'what is no number makes no event');
});
