// Fixture family bm3d: the PSNR that the authors' package reaches on the same noisy images.
import test from 'ava';
import type { HostTensor } from '../../engine/index.ts';
import { bm3d, type GrayOrColour } from '../../inverter/baselines/bm3d.ts';
import { testGolden } from '../golden.ts';

/** [H, W] or [C, H, W] in [0, 1] → [H, W, C] in [−1, 1]. */
function image({ shape, data }: HostTensor): GrayOrColour {
	const [channels, height, width] = (shape.length === 2 ? [1, ...shape] : shape) as [number, number, number];
	const pixels = height * width;
	return {
		height,
		width,
		channels,
		data: Float32Array.from(
			{ length: data.length },
			(_, i) => 2 * data[(i % channels) * pixels + Math.floor(i / channels)]! - 1,
		),
	};
}

/** dB over [−1, 1]. */
function psnr(a: Float32Array, b: Float32Array): number {
	const sum = a.reduce((total, value, i) => total + (value - b[i]!) ** 2, 0);
	return 10 * Math.log10((4 * a.length) / sum);
}

testGolden('BM3D denoises as well as the package of its authors', 'bm3d', (t, f) => {
	const sigma = 2 * f.config.sigma;
	for (const name of [...f.config.gray, ...f.config.rgb]) {
		const [clean, noisy] = [image(f.tensor(`${name}.clean`)), image(f.tensor(`${name}.noisy`))];
		for (const [stages, key] of [
			[1, 'psnr_hard'],
			[2, 'psnr_all'],
		] as const) {
			const { value, atol } = f.json.scalars![`${name}.${key}`] ?? {};
			if (value === undefined) continue;
			const started = performance.now();
			const got = psnr(bm3d(noisy, sigma, stages), clean.data);
			const seconds = ((performance.now() - started) / 1000).toFixed(2);
			t.log(`${name} ${key}: ${got.toFixed(2)} dB, reference ${value.toFixed(2)} dB, ${seconds} s`);
			t.true(got > value - atol!, `${name} ${key}: ${got} dB`);
			t.true(got > psnr(noisy.data, clean.data) + 3);
		}
	}
});

test('a constant image stays, noise on it goes', (t) => {
	const data = new Float32Array(16 * 16).fill(0.25);
	const out = bm3d({ height: 16, width: 16, channels: 1, data }, 0.2);
	for (const value of out) t.true(Math.abs(value - 0.25) < 1e-4);
});

test('an image smaller than a block is refused', (t) => {
	const data = new Float32Array(4 * 16);
	t.throws(() => bm3d({ height: 4, width: 16, channels: 1, data }, 0.2), {
		message: /Expected an image of at least 8 × 8 pixels for BM3D/,
	});
});
