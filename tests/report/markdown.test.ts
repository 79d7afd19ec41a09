// Tables of a comparison as Markdown.
import test from 'ava';
import { type ResultRow, summarise } from '../../metrics/index.ts';
import { comparisonMarkdown } from '../../report/index.ts';
import { row } from './run.ts';

const tables = (more: Partial<ResultRow>): string[] => {
	const rows = [0, 1, 2].flatMap((i) => [
		row('vanilla', i, 20 + i, { ...more, ...(more.holePsnr ? { holePsnr: 10 + i } : {}) }),
		row('rtil', i, 21 + i, { ...more, ...(more.holePsnr ? { holePsnr: 12 + i } : {}) }),
	]);
	return comparisonMarkdown(summarise(rows), { reference: 'vanilla' }).trimEnd().split('\n\n');
};

test('a problem has a heading and a table with the reference first', (t) => {
	const [heading, table, ...rest] = tables({});
	t.is(heading, '### inpainting 0.25');
	t.deepEqual(table!.split('\n'), [
		'| solver | vanilla PSNR dB | SSIM | s / image | rtil PSNR dB | SSIM | s / image | rtil − vanilla, PSNR dB | SSIM |',
		'| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
		'| ilo | 21.00 | 0.610 | 3.00 | 22.00 | 0.610 | 3.00 | **+1.00 [1.00, 1.00]** | 0.000 [0.000, 0.000] |',
	]);
	t.deepEqual(rest, []);
});

test('holes and LPIPS follow in a table of their own, with the network', (t) => {
	const [, , table, note] = tables({ holePsnr: 1, lpips: 0.2, lpipsBy: 'LPIPS (VGG16, v0.1)' });
	const [head, , ilo] = table!.split('\n');
	t.is(
		head,
		'| solver | vanilla hole PSNR dB | LPIPS | rtil hole PSNR dB | LPIPS | rtil − vanilla, hole PSNR dB | LPIPS |',
	);
	t.regex(ilo!, /^\| ilo \| 11\.00 \| 0\.200 \| 13\.00 \| 0\.200 \| \*\*\+2\.00 \[2\.00, 2\.00\]\*\* \|/);
	t.is(note, 'LPIPS, less is better: LPIPS (VGG16, v0.1).');
});
