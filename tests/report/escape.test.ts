// Names come from people and files: none of them becomes markup, or a path out of the run folder.
import test from 'ava';
import { problemSlug, runFiles } from '../../report/index.ts';
import { emptyRun, put, reportOf, row, textOf } from './run.ts';

const nasty = '<img src=x onerror=alert(1)> "&\' </style><script>alert(2)</script>';

test('a nasty name is shown as it is and does nothing', async (t) => {
	const folder = await emptyRun(t);
	const rows = [0, 1, 2].flatMap((i) => [
		row('vanilla', i, 20 + i, { solver: nasty, problem: nasty, image: nasty + i }),
		row(nasty, i, 21 + i, { solver: nasty, problem: nasty, image: nasty + i }),
	]);
	await put(folder, runFiles.results, {
		rows,
		provenance: {
			run: nasty,
			state: 'failed',
			reason: nasty,
			command: nasty,
			startedAt: nasty,
			notes: [nasty],
			hashes: { [nasty]: nasty },
			arms: [{ name: nasty, checkpoint: nasty }],
			[nasty]: nasty,
		},
	});
	await put(folder, runFiles.resolved, { [nasty]: nasty });
	const metrics = { step: 1, images: 1, losses: { [nasty]: 1 }, imagesPerSecond: 1, time: 1 };
	await put(folder, runFiles.metrics(nasty), `${JSON.stringify(metrics)}\n`);
	const page = await reportOf(folder);
	t.notRegex(page, /<script/i);
	t.notRegex(page, /<img src=x/);
	t.is(page.match(/<\/style>/g)?.length, 1);
	t.true(page.includes(`<title>&lt;img src=x onerror=alert(1)&gt; &quot;&amp;&#39; &lt;/style&gt;`));
	t.true(textOf(page).includes(`Run ${nasty.replace(/\s+/g, ' ')}`));
});

test('names of files stay inside the run folder', (t) => {
	t.is(runFiles.samples('../../etc'), 'arms/-..-etc/samples');
	t.is(runFiles.samples('..'), 'arms/-/samples');
	t.is(problemSlug('a/b\\c:d', 0.1), 'a-b-c-d-0.1');
	t.is(
		runFiles.reconstruction('rtil', 'csgm', 'inpainting', 0.25),
		'evaluation/rtil.csgm.inpainting-0.25.png',
	);
	t.is(runFiles.measurement('super-resolution', 4), 'evaluation/super-resolution-4.measurement.png');
});
