// Laws of the measures of holes and composites.
import test from 'ava';
import { stream } from '../../engine/random.ts';
import { composite, holeQuality, type Images, psnr, ssim } from '../../metrics/index.ts';

const [N, H, W, C] = [3, 24, 20, 3];
const uniform = (name: string): Images => ({
	shape: [N, H, W, C],
	data: stream(1, name)
		.uniforms(0, N * H * W * C)
		.map((u) => 2 * u - 1),
});
const [truth, estimate] = [uniform('truth'), uniform('estimate')];

const holeWhere = (missing: (y: number, x: number, n: number) => boolean): Images => ({
	shape: [N, H, W, 1],
	data: Float32Array.from({ length: N * H * W }, (_, i) =>
		Number(missing(Math.floor(i / W) % H, i % W, Math.floor(i / (H * W)))),
	),
});
const everything = holeWhere(() => true);
const random = holeWhere((y, x, n) => stream(3, `${n}`).uniforms(0, H * W)[y * W + x]! < 0.4);
/** The truth where it is measured, and 0 in the hole. */
const measuredOf = (hole: Images): Images => ({
	shape: truth.shape,
	data: truth.data.map((value, i) => (hole.data[Math.floor(i / C)]! > 0 ? 0 : value)),
});

test('where everything is missing the hole is the image, and the composite the estimate', (t) => {
	const [decibels, similarity] = [psnr(truth, estimate), ssim(truth, estimate)];
	for (const [n, quality] of holeQuality(truth, estimate, measuredOf(everything), everything).entries()) {
		t.deepEqual(quality, {
			holePsnr: decibels[n]!,
			holeSsim: similarity[n]!,
			compositedPsnr: decibels[n]!,
			compositedSsim: similarity[n]!,
		});
	}
});

test('measured pixels put back without noise raise PSNR by the error they had, and leave the hole as it is', (t) => {
	const whole = psnr(truth, estimate);
	const put = composite(estimate, measuredOf(random), random);
	const qualities = holeQuality(truth, estimate, measuredOf(random), random);
	t.deepEqual(
		qualities.map((quality) => quality!.holePsnr),
		[...psnr(truth, put, { region: random })],
	);
	for (const [n, quality] of qualities.entries()) {
		const { holePsnr, compositedPsnr, compositedSsim } = quality!;
		t.true(compositedPsnr > whole[n]!);
		t.true(compositedSsim! > ssim(truth, estimate)[n]!);
		// All its error is in the hole.
		const missing = random.data.subarray(n * H * W, (n + 1) * H * W).filter((value) => value > 0).length;
		t.true(Math.abs(compositedPsnr - holePsnr + 10 * Math.log10(missing / (H * W))) < 1e-9);
	}
});

test('what the estimate says of measured pixels changes neither PSNR of the hole nor the composite', (t) => {
	const other: Images = {
		shape: truth.shape,
		data: estimate.data.map((value, i) => (random.data[Math.floor(i / C)]! > 0 ? value : -value)),
	};
	const judged = (images: Images) =>
		holeQuality(truth, images, measuredOf(random), random).map((quality) => ({ ...quality, holeSsim: 0 }));
	t.deepEqual(judged(other), judged(estimate));
});

test('the quality of an image does not depend on its batch', (t) => {
	const alone = (images: Images, n: number): Images => {
		const size = images.data.length / N;
		return { shape: [1, ...images.shape.slice(1)], data: images.data.slice(n * size, (n + 1) * size) };
	};
	const together = holeQuality(truth, estimate, measuredOf(random), random);
	for (const n of together.keys()) {
		const parts = [truth, estimate, measuredOf(random), random].map((images) => alone(images, n));
		t.deepEqual(holeQuality(...(parts as [Images, Images, Images, Images])), [together[n]!]);
	}
	const shared = alone(random, 1);
	t.deepEqual(holeQuality(truth, estimate, measuredOf(random), shared)[1], together[1]);
});

test('an image without a hole has no quality of one; SSIM needs a window centre in the hole', (t) => {
	const first = holeWhere((y, _, n) => n === 0 && y < 5);
	const [edge, ...others] = holeQuality(truth, estimate, measuredOf(first), first);
	t.is(edge!.holeSsim, null);
	t.true(Number.isFinite(edge!.holePsnr) && Number.isFinite(edge!.compositedSsim));
	t.deepEqual(others, [null, null]);
	const small = (fill: number): Images => ({ shape: [8, 8, 1], data: new Float32Array(64).fill(fill) });
	t.like(holeQuality(small(0), small(0.2), small(0), small(1))[0], { holeSsim: null, compositedSsim: null });
});
