// What stays of an arm's training in the folder of its run, whatever happens in between.
import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openArmRecord, readLines, trainingRecorder } from '../../coordinator/index.ts';
import { encodePng } from '../../data/index.ts';
import type { MetricsLine } from '../../report/index.ts';
import { type ReadEvent, readEvents } from './event-files.ts';

const png = await encodePng(new Float32Array(4 * 4 * 3), { width: 4, height: 4, channels: 3 });
const metrics = 'arms/rtil/metrics.jsonl';

const line = (step: number, d = step / 10): MetricsLine => ({
	step,
	images: 8 * step,
	losses: { d },
	imagesPerSecond: 20,
	seconds: 0.4 * step,
	memoryBytes: 2 ** 30,
	time: 1e12 + step,
});

async function room(t: ExecutionContext): Promise<string> {
	const dir = await mkdtemp(path.join(tmpdir(), 'rtil-record-'));
	t.teardown(() => rm(dir, { recursive: true, force: true }));
	return dir;
}

/** Of the one event file: curve and pictures as a reader of the whole file sees them. */
async function events(t: ExecutionContext, dir: string): Promise<ReadEvent[]> {
	const folder = path.join(dir, 'arms/rtil/tensorboard');
	const names = await readdir(folder);
	t.is(names.length, 1);
	return await readEvents(path.join(folder, names[0]!));
}

const curve = (read: ReadEvent[], tag: string): [number, number][] =>
	read.filter(({ scalars }) => tag in scalars).map(({ step, scalars }) => [step, scalars[tag]!]);

test('lines and curves are those that were added', async (t) => {
	const dir = await room(t);
	{
		await using record = await openArmRecord(dir, 'rtil');
		t.is(await record.sample(0, png, 1e12), 'arms/rtil/samples/0.png');
		for (const step of [10, 20]) await record.add(line(step));
	}
	t.deepEqual(await readLines(path.join(dir, metrics)), [line(10), line(20)]);
	const read = await events(t, dir);
	t.deepEqual(curve(read, 'losses/d'), [
		[10, 1],
		[20, 2],
	]);
	t.deepEqual(curve(read, 'progress/kimg')[1], [20, Math.fround(0.16)]);
	t.deepEqual(curve(read, 'progress/memory GiB')[1], [20, 1]);
	t.true(read.some(({ step, images }) => step === 0 && images.samples?.png.equals(png)));
});

test('a run that goes on from a checkpoint cuts what came after it and goes on exactly there', async (t) => {
	const dir = await room(t);
	{
		await using record = await openArmRecord(dir, 'rtil');
		for (const step of [10, 20, 30]) {
			await record.add(line(step));
			await record.sample(step, png, 1e12 + step);
		}
	}
	await appendFile(path.join(dir, metrics), '{"step": 40, "los'); // a writer that was killed
	{
		await using record = await openArmRecord(dir, 'rtil');
		const recorder = trainingRecorder(record, () => 1e12 + 25);
		const progress = { type: 'progress', arm: 'rtil', steps: 40, images: 0, imagesPerSecond: 0 } as const;
		recorder.take({ ...progress, step: 20, losses: {}, secondsLeft: null });
		const { step, images, losses, imagesPerSecond } = line(25, 7);
		recorder.take({ ...progress, step, images, losses, imagesPerSecond, secondsLeft: 1 });
		await recorder.settled();
	}
	const { seconds: _, memoryBytes: __, ...added } = line(25, 7);
	t.deepEqual(await readLines(path.join(dir, metrics)), [line(10), line(20), added]);
	const read = await events(t, dir);
	t.deepEqual(curve(read, 'losses/d'), [
		[10, 1],
		[20, 2],
		[25, 7],
	]);
	t.deepEqual(
		read.filter(({ images }) => images.samples).map(({ step }) => step),
		[10, 20],
	);
});

test('lines that repeat a step take the place of those from it on', async (t) => {
	const dir = await room(t);
	await using record = await openArmRecord(dir, 'rtil');
	for (const step of [1, 2, 3]) await record.add(line(step));
	await record.add(line(2, 9));
	t.deepEqual(await readLines(path.join(dir, metrics)), [line(1), line(2, 9)]);
	t.deepEqual(curve(await events(t, dir), 'losses/d'), [
		[1, Math.fround(0.1)],
		[2, 9],
	]);
});

test('what cannot be written is an error when the recorder is asked', async (t) => {
	const dir = await room(t);
	const file = path.join(dir, 'arms');
	await appendFile(file, 'a file where a folder should be');
	const recorder = trainingRecorder(await openArmRecord(dir, 'rtil'), Date.now);
	recorder.take({ type: 'sample', step: 1, png });
	await t.throwsAsync(recorder.settled(), { message: /ENOTDIR|EEXIST/ });
	t.is(await readFile(file, 'utf8'), 'a file where a folder should be');
});
