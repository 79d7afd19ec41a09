// Bad input of an inversion: one clear line each, before any work.
import { cp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { encodeSafetensors } from '../../checkpoints/index.ts';
import { inversionFolder } from './inversion-folder.ts';
import { runRtil } from './rtil.ts';

const random = ['--problem', 'inpainting:mask=random,ratio=0.5'];
const trained = ['--checkpoint', 'stylegan2'];

const cases: [title: string, words: string[], message: RegExp, code?: number][] = [
	[
		'an image of another size',
		['big.png', ...random, ...trained],
		/checkpoint makes images of 16 × 16 .* one is 20 × 20 in 3\. Ask for resizing \(--resize\)/,
	],
	[
		'images of two sizes without a prior',
		['a.png', 'big.png', ...random, '--solver', 'tv'],
		/images of one size, 16 × 16 for big but received "20 × 20"/,
	],
	[
		'resizing without a size',
		['big.png', ...random, '--solver', 'tv', '--resize'],
		/resized to what a checkpoint makes, but there is none/,
	],
	[
		'a mask that hides everything',
		['a.png', '--problem', 'inpainting:mask=file,path=black.png', ...trained],
		/a mask that leaves at least one pixel observed for --problem\.bits/,
	],
	[
		'a mask of another size',
		['big.png', '--problem', 'inpainting:mask=file,path=left.png', '--solver', 'tv'],
		/a mask of 20 × 20 pixels for inpainting but received "16 × 16"/,
	],
	[
		'a mask that is not there',
		['a.png', '--problem', 'inpainting:mask=file,path=none.png', ...trained],
		/no image .*none\.png/,
	],
	[
		'a ratio above 1',
		['a.png', '--problem', 'compressed-sensing:ratio=1.5', ...trained],
		/at most 1 .*ratio/,
	],
	['a ratio of 0', ['a.png', '--problem', 'inpainting:mask=random,ratio=0', ...trained], /above 0 .*ratio/],
	[
		'a solver that the prior cannot serve',
		['a.png', ...random, '--checkpoint', 'pggan', '--solver', 'pulse'],
		/pulse needs the styles of a StyleGAN2, .* kind pggan\. csgm, ilo and mgan serve/,
	],
	[
		'a solver that the problem cannot be given to',
		['a.png', ...random, '--solver', 'bicubic'],
		/bicubic serves super-resolution, not inpainting\. Take another solver: tv and mean serve every/,
	],
	[
		'a prior that is missing',
		['a.png', ...random],
		/The solver ilo needs a prior\. Give a checkpoint, or take one of bm3d, tv, bicubic, mean/,
	],
	[
		'a checkpoint without the cut',
		['a.png', ...random, ...trained, '--solver', 'ilo:cuts=[b32]'],
		/no cut "b32" but b4, b8/,
	],
	[
		'a checkpoint without its weights',
		['a.png', ...random, '--checkpoint', 'weightless'],
		/weightless\/g_ema\.safetensors cannot be read \(ENOENT\)/,
		1,
	],
	[
		'a NaN in a measurement',
		['--measurement', 'nan.measurement', ...trained],
		/finite values .* but received/,
	],
	[
		'a measurement cut short',
		['--measurement', 'short.measurement', '--solver', 'tv'],
		/Expected 768 values for the measurement of a but received 2/,
	],
	['an image for a measurement', ['--measurement', 'a.png', ...trained], /measurement 1/, 1],
	[
		'a problem beside a measurement',
		['a.png', ...random, '--measurement', 'nan.measurement', ...trained],
		/says its problem: give --measurement or --problem/,
	],
	['no file at all', [...random, ...trained], /Expected at least one file for rtil invert/],
	[
		'one name for two images',
		['a.png', 'other/a.png', ...random, ...trained],
		/different names .* "a twice"/,
	],
	[
		'Poisson noise where nothing is counted',
		['a.png', '--problem', 'compressed-sensing:ratio=0.5,noise={kind: poisson, photons: 9}', ...trained],
		/for --problem\.noise/,
	],
	[
		'a text that is no problem',
		['a.png', '--problem', 'inpainting:mask=[random', ...trained],
		/KIND:key=value.* for --problem/,
	],
];

test('bad input of an inversion is one line and exit code 2, or 1 where a file is damaged', async (t) => {
	const dir = await inversionFolder(t);
	const at = (name: string): string => path.join(dir, name);
	await cp(at('stylegan2'), at('weightless'), { recursive: true });
	await rm(at('weightless/g_ema.safetensors'));
	await cp(at('a.png'), at('other/a.png'));
	const about = {
		problem: { kind: 'identity' },
		image: { height: 16, width: 16, channels: 3 },
		key: { seed: 0, image: 'a' },
	};
	const measurement = (data: Float32Array): Buffer =>
		encodeSafetensors(
			{ y: { shape: [data.length], data } },
			{ format: 'rtil.measurement', version: '1', measurement: JSON.stringify(about) },
		);
	await writeFile(at('nan.measurement'), measurement(new Float32Array(768).fill(Number.NaN, 5, 6)));
	await writeFile(at('short.measurement'), measurement(new Float32Array(2)));
	const check = async ([title, words, message, code = 2]: (typeof cases)[number]): Promise<void> => {
		const result = await runRtil(t, ['invert', ...words], { cwd: dir, RTIL_CACHE: at('cache') });
		t.regex(result.err, message, title);
		t.is(result.code, code, `${title}: ${result.err}`);
		t.is(result.err.trim().split('\n').length, 1, `${title}: ${result.err}`);
		t.is(result.out, '', title);
	};
	for (let i = 0; i < cases.length; i += 2) await Promise.all(cases.slice(i, i + 2).map(check));
});
