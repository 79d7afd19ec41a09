// What is not there: the report is written all the same and says so.
import { mkdir, truncate } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { runFiles, writeReport } from '../../report/index.ts';
import { completeRun, emptyRun, put, reportOf, row, rows, textOf } from './run.ts';

test('an empty run folder gives a page that names what is missing', async (t) => {
	const folder = await emptyRun(t);
	const text = textOf(await reportOf(folder));
	t.true(text.includes('This run has no arms yet'));
	t.true(text.includes('results.json is missing'));
	t.true(text.includes('resolved.json is missing'));
	const { missing } = await writeReport(folder);
	t.is(missing.length, 2);
});

test('a folder that does not exist is refused', async (t) => {
	await t.throwsAsync(writeReport(path.join(await emptyRun(t), 'none')), { code: 'NOT_FOUND' } as object);
});

test('a cancelled run shows its state, its reason and the samples it made', async (t) => {
	const folder = await completeRun(t);
	await put(folder, runFiles.results, {
		rows: [],
		provenance: {
			run: 'small',
			state: 'cancelled',
			reason: 'Ctrl-C',
			arms: [
				{ name: 'vanilla', state: 'complete' },
				{ name: 'rtil', state: 'cancelled', reason: 'Ctrl-C at step 120' },
			],
		},
	});
	const page = await reportOf(folder);
	const text = textOf(page);
	t.true(text.includes('The run is cancelled: Ctrl-C.'));
	t.true(text.includes('RTIL is cancelled: Ctrl-C at step 120'));
	t.true(text.includes('Nothing was evaluated yet'));
	t.is(page.match(/<img /g)?.length, 2 + 6);
});

test('an arm without anything is named', async (t) => {
	const folder = await emptyRun(t);
	await put(folder, runFiles.resolved, { arms: [{ name: 'vanilla' }, { name: 'rtil' }] });
	await put(folder, runFiles.results, { rows: rows.filter((r) => r.arm === 'vanilla'), provenance: {} });
	const text = textOf(await reportOf(folder));
	t.true(text.includes('No samples of RTIL.'));
	t.true(text.includes('No training metrics of RTIL.'));
	t.true(text.includes('RTIL has no evaluated images.'));
	t.true(
		text.includes('there is no paired difference') || text.includes('no paired difference can be given'),
	);
});

test('files that cannot be read are named, the rest is shown', async (t) => {
	const folder = await completeRun(t);
	await put(folder, runFiles.resolved, '{ half');
	await put(folder, runFiles.metrics('rtil'), 'x\ny\n{"step": 1}\n');
	await truncate(path.join(folder, runFiles.truth), 10);
	await put(folder, runFiles.results, {
		rows: [...rows, { ...row('rtil', 9, 20), colour: 'red' }, 7],
		provenance: { run: 3 },
	});
	const text = textOf(await reportOf(folder));
	t.regex(text, /resolved\.json is not readable: /);
	t.true(text.includes('2 of 18 rows of results.json are not readable.'));
	t.regex(text, /provenance in results\.json is not readable: run: /);
	t.true(text.includes('3 of 3 training metrics of RTIL are not readable.'));
	t.true(text.includes('No picture (evaluation/truth.png).'));
	t.true(text.includes('+1.05'));
});

test('half a last line of metrics, as a kill leaves it, is no fault', async (t) => {
	const folder = await completeRun(t);
	const line = { step: 1, images: 16, losses: { d: 1 }, imagesPerSecond: 9, time: 1 };
	await put(folder, runFiles.metrics('rtil'), `${JSON.stringify(line)}\n{"step": 2, "ima`);
	t.deepEqual((await writeReport(folder)).missing, []);
});

test('values that do not exist are dashes, not zeros', async (t) => {
	const folder = await emptyRun(t);
	const blind = [0, 1].map((i) => row('vanilla', i, null, { ssim: null, seconds: null }));
	await put(folder, runFiles.results, { rows: blind, provenance: {} });
	await mkdir(path.join(folder, 'evaluation'));
	const text = textOf(await reportOf(folder));
	t.regex(text, /vanilla – reference – reference 0\.100 – 2/);
});
