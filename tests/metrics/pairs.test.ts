// Laws of the pair metrics, and what they refuse.
import test from 'ava';
import { stream } from '../../engine/random.ts';
import { type Images, msssim, psnr, residual, ssim } from '../../metrics/index.ts';

const shape = [2, 24, 20, 3];
const size = 2 * 24 * 20 * 3;
const uniform = (name: string): Images => ({
	shape,
	data: stream(1, name)
		.uniforms(0, size)
		.map((u) => 2 * u - 1),
});
const a = uniform('a');
const b = uniform('b');

test('equal images have infinite PSNR and SSIM 1', (t) => {
	t.deepEqual([...psnr(a, a)], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
	for (const value of ssim(a, a)) t.is(value, 1);
	for (const value of ssim(a, a, { window: 'uniform' })) t.true(Math.abs(value - 1) < 1e-12);
});

test('an offset of 0.2 in [-1, 1] is 20 dB', (t) => {
	const grey = { shape: [1, 4, 4, 1], data: new Float64Array(16) };
	const lighter = { shape: [1, 4, 4, 1], data: new Float64Array(16).fill(0.2) };
	t.true(Math.abs(psnr(grey, lighter)[0]! - 20) < 1e-12);
});

test('PSNR and SSIM are symmetric and judge each image alone', (t) => {
	t.deepEqual(psnr(a, b), psnr(b, a));
	const [first, second] = ssim(a, b);
	const half = (images: Images, n: number): Images => ({
		shape: [1, 24, 20, 3],
		data: images.data.slice((n * size) / 2, ((n + 1) * size) / 2),
	});
	t.is(ssim(half(a, 0), half(b, 0))[0], first);
	t.is(ssim(half(b, 1), half(a, 1))[0], second);
});

test('values beyond what can be shown count only when clipping is off', (t) => {
	const white = { shape: [4, 4, 1], data: new Float32Array(16).fill(1) };
	const brighter = { shape: [4, 4, 1], data: new Float32Array(16).fill(1.5) };
	t.is(psnr(white, brighter)[0], Number.POSITIVE_INFINITY);
	t.true(Number.isFinite(psnr(white, brighter, { clip: false })[0]));
});

test('a region restricts PSNR and SSIM to the hole', (t) => {
	const hole = { shape: [24, 20, 1], data: new Float32Array(480).map((_, i) => (i % 20 < 10 ? 1 : 0)) };
	const composite = { shape, data: a.data.map((v, i) => (Math.floor(i / 3) % 20 < 10 ? b.data[i]! : v)) };
	t.deepEqual(psnr(a, composite, { region: hole }), psnr(a, b, { region: hole }));
	for (const [n, whole] of psnr(a, composite).entries())
		t.true(Math.abs(whole - psnr(a, composite, { region: hole })[n]! - 10 * Math.log10(2)) < 1e-9);
	t.true(ssim(a, composite)[0]! > ssim(a, composite, { region: hole })[0]!);
});

test('the relative residual is 0 for a fit and 1 for nothing', (t) => {
	t.is(residual([1, 2, 2], [1, 2, 2]), 0);
	t.is(residual([0, 0, 0], [1, 2, 2]), 1);
	t.is(residual([0, 0], [0, 0]), 0);
});

test('what cannot be compared is refused by name', (t) => {
	const message = (run: () => unknown) => t.throws(run)?.message ?? '';
	t.regex(
		message(() => psnr(a, { shape: [2, 20, 24, 3], data: a.data })),
		/one shape but received \[2,24,20,3\] and \[2,20,24,3\]/,
	);
	t.regex(
		message(() => psnr({ shape: [4, 4], data: a.data }, a)),
		/\[N, H, W, C\]/,
	);
	t.regex(
		message(() => psnr({ shape: [1, 4, 4, 3], data: a.data }, a)),
		/48 values/,
	);
	const small = { shape: [8, 8, 1], data: new Float32Array(64) };
	t.regex(
		message(() => ssim(small, small)),
		/at least 11 pixels for SSIM but received "8 × 8"/,
	);
	t.regex(
		message(() => msssim(a, b)),
		/above 160/,
	);
	const empty = { shape: [24, 20, 1], data: new Float32Array(480) };
	t.regex(
		message(() => psnr(a, b, { region: empty })),
		/region of image 0/,
	);
	t.regex(
		message(() => psnr(a, b, { region: { shape: [8, 8, 1], data: new Float32Array(64) } })),
		/for region/,
	);
	t.regex(
		message(() => residual([1], [1, 2])),
		/2 values/,
	);
});
