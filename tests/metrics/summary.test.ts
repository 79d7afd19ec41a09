// What rows become in the table.
import test from 'ava';
import { networkNotes, type ResultRow, referenceArm, summarise, verdict } from '../../metrics/index.ts';

function row(arm: string, image: string, psnr: number | null, more: Partial<ResultRow> = {}): ResultRow {
	return {
		arm,
		solver: 'csgm',
		problem: 'inpainting',
		level: 0.25,
		image,
		seed: 0,
		psnr,
		ssim: 0.5,
		residual: 0.1,
		seconds: 2,
		...more,
	};
}

test('rows are grouped by arm, solver, problem and level, and compared with vanilla', (t) => {
	const images = ['a', 'b', 'c', 'd'];
	const rows = [
		...images.map((image, i) => row('rtil', image, 21 + i + 0.1 * (i % 2))),
		...images.map((image, i) => row('vanilla', image, 20 + i)),
		row('vanilla', 'a', 30, { level: 0.5 }),
	];
	const [rtil, vanilla, other] = summarise(rows);
	t.like(rtil, { arm: 'rtil', level: 0.25, images: 4, rows: 4 });
	t.true(Math.abs(rtil!.psnr!.mean - 22.55) < 1e-12);
	t.is(rtil!.difference!.reference, 'vanilla');
	t.true(Math.abs(rtil!.difference!.psnr!.mean - 1.05) < 1e-12);
	t.is(verdict(rtil!.difference!.psnr), 'higher');
	t.is(verdict(rtil!.difference!.ssim), 'none');
	t.is(vanilla!.difference, null);
	t.like(other, { level: 0.5, images: 1, difference: null });
	t.is(verdict(null), 'unknown');
});

test('only pairs of the same image and seed are compared, in any order', (t) => {
	const rows = [
		row('vanilla', 'a', 10),
		row('vanilla', 'b', 20),
		row('vanilla', 'c', 90),
		row('rtil', 'b', 22),
		row('rtil', 'a', 11),
		row('rtil', 'd', 0),
		row('rtil', 'c', 0, { seed: 7 }),
	];
	const { psnr } = summarise(rows)[1]!.difference!;
	t.like(psnr, { n: 2, mean: 1.5, wins: 2 });
});

test('several seeds of an image count as one image', (t) => {
	const rows = ['a', 'b', 'c'].flatMap((image, i) => [
		row('vanilla', image, 10 + i, { seed: 0 }),
		row('vanilla', image, 12 + i, { seed: 1 }),
	]);
	const [only] = summarise(rows);
	t.like(only, { images: 3, rows: 6 });
	t.like(only!.psnr, { n: 3, mean: 12, sd: 1 });
});

test('a value that is missing or infinite is left out with its pair', (t) => {
	const rows = [
		row('vanilla', 'a', 10),
		row('vanilla', 'b', 20),
		row('rtil', 'a', null),
		row('rtil', 'b', 21),
		row('rtil', 'c', Number.POSITIVE_INFINITY),
	];
	const rtil = summarise(rows)[1]!;
	t.like(rtil.psnr, { n: 1, mean: 21 });
	t.like(rtil.difference!.psnr, { n: 1, mean: 1 });
	t.is(rtil.ssim!.n, 3);
	t.is(summarise([row('rtil', 'a', null)])[0]!.psnr, null);
});

test('the reference is the one named, else vanilla, else the first', (t) => {
	t.is(referenceArm(['rtil', 'vanilla']), 'vanilla');
	t.is(referenceArm(['x', 'y']), 'x');
	const rows = [row('vanilla', 'a', 1), row('rtil', 'a', 2)];
	const [vanilla, rtil] = summarise(rows, { reference: 'rtil' });
	t.is(vanilla!.difference!.psnr!.mean, -1);
	t.is(rtil!.difference, null);
	t.deepEqual(summarise([]), []);
});

test('measures that only some rows have are summarised where they are, and compared alike', (t) => {
	const lpips = (by: string, value: number) => ({ lpips: value, lpipsBy: by });
	const rows = [0, 1, 2].flatMap((i) => [
		row('vanilla', `${i}`, 20, { holePsnr: 10 + i, ...lpips('A', 0.5) }),
		row('rtil', `${i}`, 20, { holePsnr: 12 + i, holeSsim: null, ...lpips('A', 0.25) }),
		row('other', `${i}`, 20, { ...lpips('B', 0.1) }),
		row('mixed', `${i}`, 20, { ...lpips(i === 0 ? 'A' : 'B', 0.1) }),
	]);
	const [vanilla, rtil, other, mixed] = summarise(rows);
	t.is(vanilla!.holePsnr!.mean, 11);
	t.is(rtil!.difference!.holePsnr!.mean, 2);
	t.like(rtil, { lpipsBy: 'A', lpips: { mean: 0.25 }, difference: { lpips: { mean: -0.25 } } });
	t.false('holeSsim' in rtil!);
	t.false('compositedPsnr' in rtil!);
	// Distances of different networks are neither averaged nor subtracted.
	t.like(other, { lpipsBy: 'B', holePsnr: undefined });
	t.false('lpips' in other!.difference!);
	t.false('lpips' in mixed! || 'lpipsBy' in mixed!);
});

test('identities of different networks are neither averaged nor subtracted, and notes name the networks', (t) => {
	const rows = [0, 1].flatMap((i) => [
		row('vanilla', `${i}`, 20, { identity: 0.5, identityBy: 'F' }),
		row('rtil', `${i}`, 20, { identity: 0.75, identityBy: 'F', lpips: 0.1, lpipsBy: 'A' }),
		row('other', `${i}`, 20, { identity: 0.1, identityBy: 'G' }),
		row('mixed', `${i}`, 20, { identity: 0.1, identityBy: i === 0 ? 'F' : 'G' }),
	]);
	const summary = summarise(rows);
	const [, rtil, other, mixed] = summary;
	t.like(rtil, { identityBy: 'F', identity: { mean: 0.75 }, difference: { identity: { mean: 0.25 } } });
	t.like(other, { identityBy: 'G', identity: { mean: 0.1 } });
	t.false('identity' in other!.difference!);
	t.false('identity' in mixed! || 'identityBy' in mixed!);
	t.deepEqual(networkNotes(summary), ['LPIPS, less is better: A.', 'Identity, more is better: F; G.']);
	t.deepEqual(networkNotes(summarise([row('vanilla', 'a', 20)])), []);
});
