import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
	applyRetention,
	checkpointName,
	latestCheckpoint,
	writeCheckpoint,
} from '../../checkpoints/index.ts';
import { fields, groups, temporaryFolder } from './fixture.ts';

async function run(t: ExecutionContext, steps: readonly number[]): Promise<string> {
	const dir = await temporaryFolder(t);
	for (const step of steps) {
		const metrics: Record<string, number> = step % 2 ? {} : { fid: Math.abs(step - 40) };
		await writeCheckpoint(path.join(dir, checkpointName(step)), fields(step, { metrics }), groups(step));
	}
	return dir;
}

test('there may be no checkpoint yet', async (t) => {
	const dir = await temporaryFolder(t);
	t.is(await latestCheckpoint(dir), undefined);
	t.is(await latestCheckpoint(path.join(dir, 'nowhere')), undefined);
});

test('the newest is found by its step; a damaged one is passed over and named', async (t) => {
	const dir = await run(t, [9, 10, 1000000000]);
	t.is((await latestCheckpoint(dir))!.manifest.step, 1000000000);
	await truncate(path.join(dir, checkpointName(1000000000), 'state.safetensors'), 10);
	await mkdir(path.join(dir, checkpointName(77)));
	await mkdir(path.join(dir, '.writing-x'));
	const passed: string[] = [];
	const latest = await latestCheckpoint(dir, (where, error) =>
		passed.push(`${path.basename(where)}: ${error.message}`),
	);
	t.is(latest!.manifest.step, 10);
	t.is(passed.length, 2);
	t.regex(passed[0]!, /^000000077: There is no checkpoint/);
	t.regex(passed[1]!, /^1000000000: .*has 10 bytes/);
});

test('the latest, every n-th and the best stay, and what killed writers left goes', async (t) => {
	const dir = await run(t, [10, 20, 30, 40, 50, 51, 52]);
	await mkdir(path.join(dir, '.writing-abc'));
	await writeFile(path.join(dir, '.writing-abc', 'g.safetensors'), 'half');
	const removed = await applyRetention(dir, {
		keepLast: 2,
		every: 20,
		best: { metric: 'fid', order: 'min' },
	});
	t.deepEqual(
		removed.map((name) => Number(path.basename(name))),
		[10, 30, 50],
	);
	t.deepEqual((await readdir(dir)).map(Number), [20, 40, 51, 52]);
	t.deepEqual(
		await applyRetention(dir, { keepLast: 0 }),
		['20', '40', '51'].map((step) => path.join(dir, checkpointName(Number(step)))),
	);
});
