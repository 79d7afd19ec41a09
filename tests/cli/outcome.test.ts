// The tables at the end of a comparison.
import test from 'ava';
import { outcomeTable } from '../../cli/outcome.ts';
import { type ResultRow, summarise } from '../../metrics/index.ts';

const rows = (more: Partial<ResultRow>): ResultRow[] =>
	['a', 'b'].flatMap((image, i) =>
		['vanilla', 'rtil'].map((arm, gain) => ({
			arm,
			solver: 'ilo',
			problem: 'inpainting',
			level: 0.5,
			image,
			seed: 0,
			psnr: 20 + i,
			ssim: 0.5,
			residual: 0.1,
			seconds: 1,
			...more,
			...(more.holePsnr ? { holePsnr: more.holePsnr + gain + i } : {}),
		})),
	);

test('holes and LPIPS have a table of their own, only where they were measured', (t) => {
	t.notRegex(outcomeTable(summarise(rows({}))), /hole|LPIPS/);
	const table = outcomeTable(summarise(rows({ holePsnr: 12, lpips: 0.25, lpipsBy: 'LPIPS (VGG16, v0.1)' })));
	t.regex(table, /hole PSNR dB +Δ +LPIPS +Δ/);
	t.regex(table, /inpainting 0\.5 +ilo +rtil +13\.50 +\+1\.00 \* +0\.250/);
	t.regex(table, /less is better: LPIPS \(VGG16, v0\.1\)/);
	t.notRegex(table, /composite|identity/);
	t.regex(
		outcomeTable(summarise(rows({ identity: 0.5, identityBy: 'identity (tiny)' }))),
		/more is better: identity \(tiny\)/,
	);
});
