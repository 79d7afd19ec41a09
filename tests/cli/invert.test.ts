import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { decodeImage } from '../../data/index.ts';
import { decodeMeasurement } from '../../inverter/index.ts';
import { inversionFolder } from './inversion-folder.ts';
import { runRtil } from './rtil.ts';

// Results of `--json`.
// biome-ignore lint/suspicious/noExplicitAny: what a script would read
type Rows = any[];

test('an image is measured, its measurement kept, and inverted again from that file alone', async (t) => {
	const dir = await inversionFolder(t);
	const rtil = async (...words: string[]): Promise<{ rows: Rows; err: string }> => {
		const { code, out, err } = await runRtil(t, ['invert', ...words, '--json'], { cwd: dir });
		t.is(code, 0, err);
		return { rows: JSON.parse(out), err };
	};
	const problem = 'inpainting:mask=file,path=left.png,noise={kind: snr, decibels: 30}';
	const solver = ['--solver', 'ilo:steps=[12, 8]', '--checkpoint', 'stylegan2', '--seed', '4'];
	const first = await rtil('a.png', 'b.png', '--problem', problem, '--save-measurement', ...solver);
	t.is(first.rows.length, 2);
	for (const [i, row] of first.rows.entries()) {
		t.like(row, {
			name: ['a', 'b'][i],
			file: `inverted/${['a', 'b'][i]}.png`,
			measurement: `inverted/${['a', 'b'][i]}.measurement`,
			seed: 4,
			checkpoint: 'stylegan2',
			selectedBy: 'held-out',
			reason: 'steps',
			steps: 20,
		});
		t.like(row.problem, { kind: 'inpainting', mask: 'custom', height: 16, width: 16 });
		t.like(row.solver, { kind: 'ilo', preset: 'quick', steps: [12, 8], rate: 0.1 });
		for (const key of ['psnr', 'ssim', 'oraclePsnr', 'residual', 'heldOut', 'seconds']) {
			t.true(Number.isFinite(row[key]), `${key}: ${row[key]}`);
		}
	}
	// Live progress with the time left, on stderr.
	t.regex(first.err, /^inversion: \d+\/20 {2}\d+:\d\d left {2}latent {2}residual /m);
	t.regex(first.err, /^inversion: 20\/20 {2}b\d+ {2}residual /m);

	// The file tells the operator, the noise level and the name; there is nothing to compare with.
	const file = await readFile(path.join(dir, 'inverted/a.measurement'));
	const { sigma, values, key } = decodeMeasurement(file);
	t.is(values.length, 16 * 8 * 3);
	t.true(sigma! > 0 && sigma! < 0.1);
	t.deepEqual(key, { seed: 4, image: 'a' });
	const again = await rtil('--measurement', 'inverted/a.measurement', '--to', 'again', ...solver);
	t.like(again.rows[0], { name: 'a', psnr: null, ssim: null, oraclePsnr: null, measurement: null });
	t.deepEqual(again.rows[0].problem, first.rows[0].problem);
	t.true(Math.abs(again.rows[0].residual / first.rows[0].residual - 1) < 1e-3);
	t.deepEqual(await readdir(path.join(dir, 'again')), ['a.png']);

	// The truth beside it is compared with, and changes nothing.
	const judged = await rtil('a.png', '--measurement', 'inverted/a.measurement', '--to', 'judged', ...solver);
	t.true(Math.abs(judged.rows[0].psnr - first.rows[0].psnr) < 0.01);
	const pixels = async (name: string): Promise<Float32Array> =>
		(await decodeImage(path.join(dir, name))).data;
	const [blind, seen] = [await pixels('again/a.png'), await pixels('judged/a.png')];
	t.true(blind.every((value, i) => Math.abs(value - seen[i]!) < 0.02));
});

test('baselines need no checkpoint, and images keep their size', async (t) => {
	const dir = await inversionFolder(t);
	for (const [problem, solver] of [
		['denoising:noise={kind: gaussian, sigma: 0.2}', 'bm3d'],
		['deblurring:kernel=file,path=dot.png', 'tv:steps=5'],
		['super-resolution:factor=2', 'bicubic'],
		['composition:steps=[{kind: deblurring, kernel: motion, length: 3}, {kind: colorization}]', 'mean'],
	] as const) {
		const words = ['invert', 'big.png', '--problem', problem, '--solver', solver];
		const { code, out, err } = await runRtil(t, words, { cwd: dir });
		t.is(code, 0, err);
		t.regex(out, /^big +\d+\.\d\d +\d\.\d{3} .* inverted\/big\.png$/m);
		t.is((await decodeImage(path.join(dir, 'inverted/big.png'))).width, 20);
	}
});

test('an image smaller than the window of SSIM has none', async (t) => {
	const dir = await inversionFolder(t);
	const words = ['invert', 'tiny.png', '--problem', 'identity', '--solver', 'tv:steps=5', '--json'];
	const { code, out, err } = await runRtil(t, words, { cwd: dir });
	t.is(code, 0, err);
	t.is(JSON.parse(out)[0].ssim, null);
	t.true(JSON.parse(out)[0].psnr > 10);
});

test('images are resized to what the checkpoint makes when that is asked for', async (t) => {
	const dir = await inversionFolder(t);
	const words = ['invert', 'big.png', '--resize', '--problem', 'identity', '--checkpoint', 'pggan'];
	const { code, err } = await runRtil(t, [...words, '--solver', 'csgm:steps=2'], { cwd: dir });
	t.is(code, 0, err);
	t.is((await decodeImage(path.join(dir, 'inverted/big.png'))).width, 16);
});
