// A complete run: what the report says, in numbers and words.
import { readdir } from 'node:fs/promises';
import test from 'ava';
import { summarise } from '../../metrics/index.ts';
import { completeRun, element, emptyRun, put, reportOf, row, rows, textOf } from './run.ts';

test('the answer names the arms, counts the comparisons and gives the interval', async (t) => {
	const answer = textOf(element(await reportOf(await completeRun(t)), 'p', 'answer'));
	t.is(
		answer,
		'Of 2 comparisons, in 1 RTIL is better than vanilla and in 1 there is no clear difference; ' +
			'the largest clear difference in PSNR is +1.05 [+0.96, +1.14] dB, for ILO on inpainting, 25 %.',
	);
});

test('the table holds the numbers of the summary', async (t) => {
	const table = element(await reportOf(await completeRun(t)), 'table', 'results-table');
	const cells = [...table.matchAll(/<tr>(.*?)<\/tr>/gs)]
		.slice(1)
		.map(([, line = '']) =>
			[...line.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) => textOf(cell)),
		);
	t.is(cells.length, 4);
	const number = (text = '') => Number.parseFloat(text.replace('−', '-'));
	for (const { arm, solver, psnr, ssim, difference } of summarise(rows)) {
		const start = cells.findIndex((line) => line.includes(solver.toUpperCase()));
		const line = cells[arm === 'vanilla' ? start : start + 1] ?? [];
		const own = line.slice(line.indexOf(arm === 'rtil' ? 'RTIL' : arm));
		t.true(Math.abs(number(own[1]) - psnr!.mean) <= 0.005, `${arm} ${solver}: ${own}`);
		t.true(Math.abs(number(own[1]?.split('±')[1]) - psnr!.halfWidth!) <= 0.005);
		t.true(Math.abs(number(own[3]) - ssim!.mean) <= 0.0005);
		if (difference) t.true(Math.abs(number(own[2]) - difference.psnr!.mean) <= 0.005);
		else t.is(own[2], 'reference');
	}
});

test('every comparison has its verdict, wins and sign test', async (t) => {
	const page = await reportOf(await completeRun(t));
	const lines = [...page.matchAll(/<li class="(better|no)">(.*?)<\/li>/gs)].map((match) => textOf(match[2]!));
	t.deepEqual(lines, [
		'ILO inpainting, 25 % Better +1.05 [+0.96, +1.14] dB; higher PSNR in 4 of 4 images (p = 0.13)',
		'CSGM inpainting, 25 % No clear difference +0.00 [−1.84, +1.84] dB; higher PSNR in 2 of 4 images (p = 1.0)',
	]);
});

test('pictures, plots, provenance and settings are in the one file, and nothing runs', async (t) => {
	const folder = await completeRun(t);
	const page = await reportOf(folder);
	t.is(page.match(/<img [^>]*src="data:image\/png;base64,[^"]+" alt="[^"]+"/g)?.length, 2 + 6 + 6);
	t.is(page.match(/<img /g)?.length, 14);
	t.is(page.match(/class="plot" role="img" aria-label="[^"]+"><svg/g)?.length, 1 + 2 + 4);
	t.notRegex(page, /<script|<link|@import|https?:\/\/(?!www\.w3\.org)/);
	const text = textOf(page);
	for (const said of [
		'rtil run small.yaml',
		'Budget rule: equal-steps',
		'held-out measurements',
		'two cores',
	])
		t.true(text.includes(said), said);
	t.true(text.includes('RTIL got 2.00 × the FLOPs of vanilla'));
	t.true(text.includes('cd'.repeat(32)));
	t.false(text.includes('not complete'));
	t.deepEqual(
		(await readdir(folder)).filter((name) => name.startsWith('report')),
		['report.html'],
	);
});

test('the same folder gives the same page', async (t) => {
	const folder = await completeRun(t);
	const first = await reportOf(folder);
	const second = await reportOf(folder);
	t.true(first === second);
});

test('no clear difference is said when every interval contains 0', async (t) => {
	const folder = await emptyRun(t);
	const flat = [0, 1, 2].flatMap((i) => [
		row('vanilla', i, 20),
		row('rtil', i, 19 + i),
		row('vanilla', i, 20, { level: 0.5 }),
		row('rtil', i, 21 - i, { level: 0.5 }),
	]);
	await put(folder, 'results.json', { rows: flat, provenance: {} });
	t.regex(
		textOf(element(await reportOf(folder), 'p', 'answer')),
		/^No clear difference between RTIL and vanilla: in all 2 comparisons the 95 % interval .* contains 0/,
	);
});

test('one comparison is answered with its own sign', async (t) => {
	const answerTo = async (gain: number, images: number) => {
		const folder = await emptyRun(t);
		const one = Array.from({ length: images }, (_, i) => [
			row('vanilla', i, 20 + i),
			row('rtil', i, 20 + i + gain + 0.1 * i),
		]);
		await put(folder, 'results.json', { rows: one.flat(), provenance: {} });
		return textOf(element(await reportOf(folder), 'p', 'answer'));
	};
	t.regex(await answerTo(2, 3), /^RTIL is better than vanilla: .* \+2\.10 \[\+1\.85, \+2\.35\] dB/);
	t.regex(await answerTo(-2, 3), /^RTIL is worse than vanilla: .* −1\.90 \[−2\.15, −1\.65\] dB/);
	t.regex(
		await answerTo(2, 1),
		/^Too few images to tell RTIL and vanilla apart: .* \+2\.00 \(no interval\) dB/,
	);
});

test('a third arm is compared with the reference too', async (t) => {
	const folder = await emptyRun(t);
	const three = [0, 1, 2].flatMap((i) => [
		row('vanilla', i, 20),
		row('rtil', i, 21 + 0.1 * i),
		row('wide', i, 19 + 0.1 * i),
	]);
	await put(folder, 'results.json', { rows: three, provenance: { reference: 'vanilla' } });
	const page = await reportOf(folder);
	t.regex(
		textOf(element(page, 'p', 'answer')),
		/^RTIL is better than vanilla: .* wide is worse than vanilla: /,
	);
	t.true(page.includes('RTIL, wide compared with vanilla'));
});

test('holes and LPIPS have a table where they were measured, with the network', async (t) => {
	t.is(element(await reportOf(await completeRun(t)), 'table', 'further-table'), '');
	const folder = await emptyRun(t);
	const given = [0, 1, 2].flatMap((i) =>
		['vanilla', 'rtil'].map((arm, a) =>
			row(arm, i, 20, {
				holePsnr: 12 + a + i,
				lpips: 0.25,
				lpipsBy: 'LPIPS (AlexNet, v0.1)',
				perceptual: 'x',
			}),
		),
	);
	await put(folder, 'results.json', { rows: given });
	const page = await reportOf(folder);
	const table = textOf(element(page, 'table', 'further-table'));
	t.regex(table, /hole PSNR dB Difference LPIPS Difference/);
	t.regex(table, /13\.00 .*reference.*14\.00 .*\+1\.00/);
	t.notRegex(table, /composite/);
	t.regex(textOf(page), /less is better: LPIPS \(AlexNet, v0\.1\)/);
});
