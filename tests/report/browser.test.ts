// The page in a real Chromium: nothing to complain about, nothing cut off on a phone, and a dark side.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { writeReport } from '../../report/index.ts';
import { findChromium, withPage } from './browser.ts';
import { completeRun } from './run.ts';

test('the report loads without a complaint, fits a phone and follows the colour scheme', async (t) => {
	const chromium = findChromium();
	if (!chromium) {
		t.log('no Chromium on PATH: the report was not opened in a browser');
		t.pass();
		return;
	}
	const folder = await completeRun(t);
	await writeReport(folder);
	await withPage(chromium, async (page) => {
		for (const width of [380, 1280]) {
			await page.send('Emulation.setDeviceMetricsOverride', {
				width,
				height: 800,
				deviceScaleFactor: 1,
				mobile: width < 600,
			});
			await page.open(pathToFileURL(path.join(folder, 'report.html')).href);
			t.is(await page.evaluate('innerWidth'), width);
			const root = 'document.documentElement';
			t.is(await page.evaluate(`${root}.scrollWidth - ${root}.clientWidth`), 0);
			t.deepEqual(
				await page.evaluate(
					`[...document.querySelectorAll('main *')].filter((e) => !e.closest('.scroll, pre, svg') &&
						e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 80))`,
				),
				[],
			);
		}
		t.deepEqual(page.complaints(), []);
		t.true(
			await page.evaluate(
				'[...document.images].every((i) => i.complete && i.naturalWidth > 0 && i.alt !== "")',
			),
		);
		t.is(await page.evaluate('document.querySelectorAll("table th:not([scope])").length'), 0);
		const ground = 'getComputedStyle(document.body).backgroundColor';
		const curve = `getComputedStyle(document.querySelector('.plot [stroke="#0072b2"]')).stroke`;
		const light = [await page.evaluate(ground), await page.evaluate(curve)];
		const features = [{ name: 'prefers-color-scheme', value: 'dark' }];
		await page.send('Emulation.setEmulatedMedia', { features });
		const dark = [await page.evaluate(ground), await page.evaluate(curve)];
		t.deepEqual(light, ['rgb(255, 255, 255)', 'rgb(0, 114, 178)']);
		t.deepEqual(dark, ['rgb(20, 23, 27)', 'rgb(92, 180, 238)']);
	});
});
