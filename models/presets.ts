// Networks of the papers by name, and smaller ones of the same shape.
import type { Architecture } from './architecture.ts';
import { pgganRtil } from './pggan.ts';

/** The widths of the RTIL paper's StyleGAN2 at 4² … 256² (table 1; the published code's channel multiplier is 1). */
const stylegan2Widths = [256, 256, 256, 256, 256, 128, 64];

/** A StyleGAN2 of the RTIL paper at 256² (10,206,434 and 7,219,009 parameters), or its lower part. */
function stylegan2Rtil(resolution: number): Architecture {
	return {
		kind: 'stylegan2',
		resolution,
		channels: stylegan2Widths.slice(0, Math.log2(resolution) - 1),
		zDim: 512,
		wDim: 512,
		mappingLayers: 8,
	};
}

const sides = [32, 64, 128, 256];

/** Complete architectures by name. */
export const modelPresets: Readonly<Record<string, Architecture>> = Object.fromEntries([
	...sides.map((side) => [`stylegan2-rtil-${side}`, stylegan2Rtil(side)]),
	...sides.map((side) => [
		`pggan-rtil-${side}`,
		{ kind: 'pggan', ...pgganRtil(side), channels: [...pgganRtil(side).channels] },
	]),
	// Oberlin and Verm, §4: CelebA at 64².
	['glow-64', { kind: 'glow', resolution: 64, blocks: 4, steps: 32, coupling: 'additive', filters: 512 }],
]);
