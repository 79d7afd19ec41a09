// Problems of every kind for the laws that all operators obey, and what is known of their norms.
import { stream } from '../../engine/index.ts';
import { type ImageShape, packMask } from '../../inverter/index.ts';

export const image: ImageShape = { height: 12, width: 8, channels: 3 };
export const keys = [
	{ seed: 3, image: 'a.png' },
	{ seed: 3, image: 'b.png' },
];

const mask = { height: 12, width: 8, bits: packMask(stream(5, 'mask').integers(0, 96, 2)) };
const taps = [
	[0.1, 0, 0.3],
	[-0.2, 0.5, 0.1],
	[0, 0, 0.2],
	[0.4, 0, -0.1],
	[0, 0.7, 0],
];
const blur = { kind: 'deblurring', kernel: 'gaussian', sigma: 1 };
const half = { kind: 'super-resolution', factor: 2 };

/** Problem → ‖A‖ where it is known. */
export const table: [object, number?][] = [
	[{ kind: 'compressed-sensing', ratio: 0.25 }],
	[{ kind: 'compressed-sensing', ratio: 1, signs: false }],
	[{ kind: 'compressed-sensing', ratio: 0.003, scale: 'published' }],
	[{ kind: 'compressed-sensing', ratio: 0.25, matrix: 'gaussian' }],
	[{ kind: 'compressed-sensing', ratio: 0.02, matrix: 'gaussian', scale: 'published' }],
	[{ kind: 'inpainting', mask: 'random', ratio: 0.3 }, 1],
	[{ kind: 'inpainting', mask: 'centre' }, 1],
	[{ kind: 'inpainting', mask: 'half' }, 1],
	[{ kind: 'inpainting', mask: 'eyes' }, 1],
	[{ kind: 'inpainting', mask: 'custom', ...mask }, 1],
	[{ kind: 'super-resolution', factor: 2 }, 1 / 2],
	[{ kind: 'super-resolution', factor: 4 }, 1 / 4],
	[{ kind: 'super-resolution', factor: 4, filter: 'area' }, 1 / 4],
	[{ kind: 'super-resolution', factor: 3, filter: 'area' }],
	[{ kind: 'super-resolution', factor: 2, filter: 'bicubic' }],
	[{ kind: 'deblurring', kernel: 'uniform', size: 7 }],
	[{ kind: 'deblurring', kernel: 'uniform', boundary: 'circular' }, 1],
	[{ kind: 'deblurring', kernel: 'gaussian', sigma: 1.5, boundary: 'symmetric' }, 1],
	[{ kind: 'deblurring', kernel: 'gaussian', sigma: 1, size: 5, boundary: 'zero' }],
	[{ kind: 'deblurring', kernel: 'gaussian', sigma: 0.7, boundary: 'replicate' }],
	[{ kind: 'deblurring', kernel: 'motion', length: 5, angle: 30 }],
	[{ kind: 'deblurring', kernel: 'motion', length: 11, angle: -45, boundary: 'circular' }, 1],
	[{ kind: 'deblurring', kernel: 'shake', length: 9, seed: 2, boundary: 'circular' }, 1],
	[{ kind: 'deblurring', kernel: 'shake', length: 40, turn: 60 }],
	[{ kind: 'deblurring', kernel: 'custom', taps, boundary: 'zero' }],
	[{ kind: 'deblurring', kernel: 'custom', taps, boundary: 'symmetric' }],
	[{ kind: 'deblurring', kernel: 'custom', taps: [[-2]] }, 2],
	[{ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.2 } }, 1],
	[{ kind: 'denoising', noise: { kind: 'snr', decibels: 12 } }, 1],
	[{ kind: 'denoising', noise: { kind: 'poisson', photons: 20 } }, 1],
	[{ kind: 'colorization' }, Math.hypot(0.299, 0.587, 0.114)],
	[{ kind: 'colorization', grey: 'mean' }, 1 / Math.sqrt(3)],
	[{ kind: 'identity' }, 1],
	[{ kind: 'composition', steps: [blur, half], noise: { kind: 'gaussian', sigma: 0.05 } }],
	[{ kind: 'composition', steps: [half, half] }, 1 / 4],
	[{ kind: 'composition', steps: [{ kind: 'colorization', grey: 'mean' }, half] }, 1 / Math.sqrt(12)],
	[
		{
			kind: 'composition',
			steps: [
				{ kind: 'inpainting', mask: 'random', ratio: 0.8 },
				{ kind: 'identity' },
				{ kind: 'inpainting', mask: 'random', ratio: 0.5 },
			],
			noise: { kind: 'snr', decibels: 20 },
		},
		1,
	],
	[{ kind: 'composition', steps: [half, { kind: 'compressed-sensing', ratio: 0.5 }] }],
	[{ kind: 'composition', steps: [{ kind: 'deblurring', kernel: 'motion', length: 3 }] }],
];
