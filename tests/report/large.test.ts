// A page that would be too large to mail links its further pictures instead of holding them.
import test from 'ava';
import sharp from 'sharp';
import { runFiles } from '../../report/index.ts';
import { completeRun, put, reportOf } from './run.ts';

test('pictures past 12 MiB are linked relative to the page', async (t) => {
	const folder = await completeRun(t);
	const plain = sharp({ create: { width: 2200, height: 2200, channels: 3, background: '#123' } });
	const large = await plain.png({ compressionLevel: 0 }).toBuffer();
	t.true(large.length > 12 * 2 ** 20);
	await put(folder, runFiles.sample('rtil', 300), large);
	const page = await reportOf(folder);
	t.true(page.length < 2 ** 20);
	t.regex(page, /<img src="arms\/rtil\/samples\/300\.png" alt="[^"]+" width="2200" height="2200">/);
	t.is(page.match(/src="data:image/g)?.length, 1 + 6 + 6);
});
