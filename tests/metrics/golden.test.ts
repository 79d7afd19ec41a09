// Every golden fixture of group 7: values from scikit-image, pytorch_msssim, BasicSR and SciPy in float64.
import { featureStatistics, fid, kid, kidBiased, kidOfSubsets } from '../../metrics/features.ts';
import type { Images, Plane } from '../../metrics/images.ts';
import {
	meanInterval,
	msssim,
	niqe,
	niqeFeatures,
	normalQuantile,
	psnr,
	squaredError,
	ssim,
	studentQuantile,
} from '../../metrics/index.ts';
import { scaleTerms, ssimMaps, windowTaps } from '../../metrics/ssim.ts';
import { type Fixture, testGolden } from '../golden.ts';

/** NCHW values to the project's form: NHWC in [-1, 1]; `scale` 255 for bytes. */
function imagesOf(fixture: Fixture, name: string, scale = 1): Images {
	const { shape, data } = fixture.tensor(name);
	const [n, c, h, w] = shape as [number, number, number, number];
	const result = new Float64Array(data.length);
	for (let i = 0; i < data.length; i++) {
		const pixel = i % (h * w);
		const plane = Math.floor(i / (h * w));
		const at = (Math.floor(plane / c) * h * w + pixel) * c + (plane % c);
		result[at] = (2 * data[i]!) / scale - 1;
	}
	return { shape: [n, h, w, c], data: result };
}

function planeAt(fixture: Fixture, name: string, index: number, map = (v: number) => v): Plane {
	const { shape, data } = fixture.tensor(name);
	const [, , height, width] = shape as [number, number, number, number];
	const size = height * width;
	return { height, width, data: Float64Array.from(data.subarray(index * size, (index + 1) * size), map) };
}

const meanOf = (values: ArrayLike<number>): number =>
	Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

testGolden('PSNR agrees with scikit-image', 'metrics_psnr_ssim', (t, f) => {
	const [a, b, over] = ['a', 'b', 'b_overshoot'].map((name) => imagesOf(f, name)) as [Images, Images, Images];
	const values = psnr(a, b);
	for (const name of ['psnr_range1', 'psnr_range2_m11', 'psnr_default_range_01', 'psnr_default_range_m11'])
		f.expect(name, values);
	f.expect(
		'psnr_m11_values_range1',
		values.map((value) => value - 20 * Math.log10(2)),
	);
	f.expect('psnr_u8_255', psnr(imagesOf(f, 'a_u8', 255), imagesOf(f, 'b_u8', 255)));
	f.expect('psnr_overshoot_clipped', psnr(a, over));
	f.expect('psnr_overshoot_unclipped', psnr(a, over, { clip: false }));
	f.expect('psnr_range1_mean', meanOf(values));
	f.expect('psnr_range1_of_batch_mse', -10 * Math.log10(meanOf(squaredError(a, b))));
	t.deepEqual([...psnr(a, a)], new Array(a.shape[0]!).fill(f.scalar('psnr_identical')));
});

testGolden('SSIM agrees with scikit-image, pytorch_msssim and piq', 'metrics_psnr_ssim', (t, f) => {
	const [a, b] = ['a', 'b'].map((name) => imagesOf(f, name)) as [Images, Images];
	const gaussian = ssim(a, b);
	for (const name of ['ssim_wang_rgb', 'ssim_pytorch_msssim', 'ssim_piq_no_downsample'])
		f.expect(name, gaussian);
	f.expect('ssim_wang_luma', ssim(a, b, { luma: true }));
	f.expect('ssim_wang_u8_255', ssim(imagesOf(f, 'a_u8', 255), imagesOf(f, 'b_u8', 255)));
	f.expect('ssim_uniform7_rgb', ssim(a, b, { window: 'uniform' }));
	f.expect('ssim_uniform7_popcov_rgb', ssim(a, b, { window: 'uniform', covariance: 'population' }));
	f.expect('gauss11_taps', windowTaps('gaussian'));

	const [count, channels] = f.tensor('a').shape as [number, number];
	const taps = windowTaps('gaussian');
	const planes = Array.from({ length: count * channels }, (_, i) => i);
	const each = planes.map((i) =>
		meanOf(ssimMaps(planeAt(f, 'a', i), planeAt(f, 'b', i), { taps }).ssim.data),
	);
	f.expect('ssim_wang_per_channel', each);
	const centredRange = (v: number) => 2 * v - 1;
	const wide = planes.map((i) =>
		meanOf(
			ssimMaps(planeAt(f, 'a', i, centredRange), planeAt(f, 'b', i, centredRange), { taps, range: 2 }).ssim
				.data,
		),
	);
	f.expect(
		'ssim_wang_m11_range2',
		Array.from({ length: count }, (_, n) => meanOf(wide.slice(n * channels, (n + 1) * channels))),
	);
	const x = planeAt(f, 'a', 0);
	const y = planeAt(f, 'b', 0);
	f.expect('ssim_wang_map_img0_ch0_cropped', ssimMaps(x, y, { taps }).ssim.data);
	const uniform = { taps: windowTaps('uniform'), sample: true };
	f.expect('ssim_uniform7_map_img0_ch0_cropped', ssimMaps(x, y, uniform).ssim.data);

	// The stored gradient of the sum over images, at some pixels of the first plane, by central differences.
	const gradient = f.tensor('ssim_pytorch_msssim_grad_sum').data;
	const step = 1e-4;
	for (let i = 7; i < x.data.length; i += 101) {
		const at = (shift: number) => {
			const data = x.data.slice();
			data[i]! += shift;
			return meanOf(ssimMaps({ ...x, data }, y, { taps }).ssim.data) / channels;
		};
		const slope = (at(step) - at(-step)) / (2 * step);
		t.true(Math.abs(slope - gradient[i]!) <= f.atol('ssim_pytorch_msssim_grad_sum'));
	}
});

testGolden('MS-SSIM agrees with pytorch_msssim', 'metrics_msssim', (_t, f) => {
	for (const set of f.config.sets as string[]) {
		const [a, b] = ['a', 'b'].map((name) => imagesOf(f, `${set}.${name}`, 255)) as [Images, Images];
		const values = msssim(a, b);
		f.expect(`${set}.ms_ssim`, values);
		if (f.has(`${set}.ms_ssim_piq`)) f.expect(`${set}.ms_ssim_piq`, values);
		const [count, channels] = f.tensor(`${set}.a`).shape as [number, number];
		const byte = (v: number) => v / 255;
		const terms = Array.from({ length: count * channels }, (_, i) =>
			scaleTerms(planeAt(f, `${set}.a`, i, byte), planeAt(f, `${set}.b`, i, byte)),
		);
		for (const kind of ['cs', 'ssim'] as const) {
			const scales = terms[0]!.map((_, scale) => terms.map((term) => term[scale]![kind]));
			f.expect(`${set}.${kind}_per_scale`, scales.flat());
		}
	}
});

testGolden('NIQE and its features agree with BasicSR', 'metrics_niqe', (_t, f) => {
	const model = { mean: f.tensor('pris_mu').data, covariance: f.tensor('pris_cov').data };
	for (const name of f.config.images as string[]) {
		const { shape, data } = f.tensor(`img.${name}`);
		const image = { shape: [...shape, 1], data: Float64Array.from(data, (v) => (2 * v) / 255 - 1) };
		f.expect(`features.${name}`, niqeFeatures(image).flat());
		f.expect(`niqe.${name}`, niqe(image, model));
	}
});

testGolden(
	'FID agrees with the exact nuclear-norm form, KID with its definitions',
	'metrics_fid_kid',
	(_t, f) => {
		for (const { id } of f.config.fid_cases as { id: string }[]) {
			const real = f.tensor(`${id}.real`);
			const fake = f.tensor(`${id}.fake`);
			f.expect(`${id}.fid`, fid(real, fake));
			for (const [side, features] of [
				['real', real],
				['fake', fake],
			] as const) {
				const { mean, covariance } = featureStatistics(features);
				f.expect(`${id}.mean_${side}`, mean);
				f.expect(`${id}.cov_${side}`, covariance);
			}
		}
		for (const { id } of f.config.kid_cases as { id: string }[]) {
			const real = f.tensor(`${id}.real`);
			const fake = f.tensor(`${id}.fake`);
			f.expect(`${id}.mmd2_unbiased`, kid(real, fake));
			f.expect(`${id}.mmd2_biased`, kidBiased(real, fake));
			const subsets = (side: string) => {
				const { shape, data } = f.tensor(`${id}.subset_${side}`);
				const [count, size] = shape as [number, number];
				return Array.from({ length: count }, (_, i) => data.subarray(i * size, (i + 1) * size));
			};
			f.expect(
				`${id}.kid_subsets`,
				kidOfSubsets(real, fake, { real: subsets('real'), fake: subsets('fake') }),
			);
		}
	},
);

testGolden('intervals and quantiles agree with SciPy', 'metrics_ci', (_t, f) => {
	for (const name of f.config.samples as string[]) {
		const sample = f.tensor(name).data;
		for (const quantile of ['t', 'normal'] as const)
			for (const percent of [95, 99]) {
				const { low, high, halfWidth } = meanInterval(sample, { quantile, confidence: percent / 100 });
				f.expect(`${name}.${quantile}${percent}`, [low!, high!, halfWidth!]);
			}
		const { mean, sd, sem } = meanInterval(sample);
		f.expect(`${name}.mean`, mean);
		f.expect(`${name}.std_ddof1`, sd!);
		f.expect(`${name}.sem`, sem!);
	}
	const df = f.tensor('df').data;
	for (const p of [0.975, 0.995]) {
		f.expect(
			`t_quantile_${p}`,
			Array.from(df, (d) => studentQuantile(p, d)),
		);
		f.expect(`z_${p}`, normalQuantile(p));
	}
});
