import test from 'ava';
import { problemName } from '../../report/wording.ts';

for (const [problem, level, name] of [
	['compressed-sensing', 0.25, 'compressed sensing, 25\u00a0%'],
	['compressed-sensing-gaussian', 0.1, 'compressed sensing gaussian, 10\u00a0%'],
	['inpainting-half', 0.5, 'inpainting half, 50\u00a0%'],
	['super-resolution', 4, 'super-resolution ×4'],
	['super-resolution-bicubic', 8, 'super-resolution bicubic ×8'],
	['super-resolution-sigma-0.05', 4, 'super-resolution sigma 0.05 ×4'],
	['deblurring-motion', 9, 'deblurring motion, 9'],
	[
		'composition-deblurring-gaussian-super-resolution',
		2,
		'composition deblurring gaussian super-resolution, 2',
	],
] as const) {
	test(`${problem} at ${level} reads ${name}`, (t) => {
		t.is(problemName({ problem, level }), name);
	});
}
