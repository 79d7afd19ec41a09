// Features of images for FID and KID: images in host memory in, 2048 numbers an image out, on an engine that the caller
// has opened. The network is in models/; loaded only when asked for, so that the room's statistics need no tensors.
import type { Engine, HostTensors, ProgramFunction } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import type { InceptionConfig } from '../models/index.ts';
import type { Features } from './features.ts';
import { geometryOf, type Images } from './images.ts';
import { SizedProgram } from './sized-program.ts';

/** An Inception with its weights on an engine. */
export interface InceptionMetric {
	/**
	 * Features [N, 2048] of images [N, H, W, 3], limited to [−1, 1]; an image's features do not depend on the others.
	 * Published numbers are of images of 8 bits: round to these first where numbers are compared with such.
	 *
	 * @throws INVALID_INPUT for images that are grey
	 */
	features(images: Images): Features;
	/** Frees the weights on the engine. */
	dispose(): void;
}

type One = Record<'run', ProgramFunction>;

/** Puts FID's Inception on an engine; `loadInception` of checkpoints/ gives the weights. */
export async function openInception(
	engine: Engine,
	params: HostTensors,
	config: InceptionConfig = {},
): Promise<InceptionMetric> {
	const { inception, INCEPTION_FEATURES } = await import('../models/index.ts');
	const network = inception(config);
	const programs = new SizedProgram<One>(engine, (height, width) => ({
		name: `Inception of ${height}×${width}`,
		state: params,
		functions: {
			run: {
				inputs: { image: [1, height, width, 3] },
				run: (state, { image }) => ({ outputs: { features: network.features(state, image!) } }),
			},
		},
	}));

	return {
		features(images) {
			const { count, height, width, channels } = geometryOf(images);
			if (channels !== 3) {
				throw new RtilError(
					'INVALID_INPUT',
					`Expected colour images for Inception but received [${images.shape}]`,
				);
			}
			const one = programs.of(height, width);
			const size = height * width * channels;
			const data = new Float32Array(count * INCEPTION_FEATURES);
			for (let n = 0; n < count; n++) {
				const image = Float32Array.from(images.data.subarray(n * size, (n + 1) * size), (value) =>
					Math.min(1, Math.max(-1, value)),
				);
				data.set(one.call('run', { image }).features!.data, n * INCEPTION_FEATURES);
			}
			return { shape: [count, INCEPTION_FEATURES], data };
		},
		dispose: () => programs.dispose(),
	};
}
