// LPIPS as a metric: images in host memory in, numbers out, on an engine that the caller has opened. The formula and the
// networks are in models/; loaded only when asked for, so that the room's statistics need no tensors.
import type { Engine, ProgramFunction } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import type { Lpips, LpipsWeights } from '../models/index.ts';
import { type Images, pairGeometry } from './images.ts';
import { SizedProgram } from './sized-program.ts';

export interface LpipsOptions {
	/** Limit both images to [-1, 1], what can be shown, before comparing; default true. */
	clip?: boolean;
}

/** An LPIPS with its weights on an engine; numbers of another network or version are not comparable. */
export interface LpipsMetric {
	readonly network: LpipsWeights['network'];
	readonly version: LpipsWeights['version'];
	/** Values that images may have. */
	readonly range: readonly [-1, 1];
	/** The least side of an image, in pixels. */
	readonly smallest: number;
	/** Network and version for tables: `LPIPS (AlexNet, v0.1)`. */
	readonly label: string;
	/**
	 * The distance of each pair, 0 for equal images, less is better; an image's value does not depend on the others.
	 * Throws MISMATCH on different shapes, INVALID_INPUT for images that are grey or smaller than the network takes.
	 */
	measure(a: Images, b: Images, options?: LpipsOptions): Float64Array;
	/** Frees the weights on the engine. */
	dispose(): void;
}

type Pair = Record<'measure', ProgramFunction>;

/** Puts an LPIPS on an engine; `loadPerceptual` of checkpoints/ gives the weights. */
export async function openLpips(engine: Engine, weights: LpipsWeights): Promise<LpipsMetric> {
	const { lpips } = await import('../models/index.ts');
	const metric: Lpips = lpips(weights);
	const programs = new SizedProgram<Pair>(engine, (height, width) => {
		const shape = [1, height, width, 3];
		return {
			name: `${metric.label} of ${height}×${width}`,
			state: weights.params,
			functions: {
				measure: {
					inputs: { a: shape, b: shape },
					run: (params, { a, b }) => ({ outputs: { distance: metric.distance(params, a!, b!) } }),
				},
			},
		};
	});

	return {
		network: metric.network,
		version: metric.version,
		range: [-1, 1],
		smallest: metric.smallest,
		label: metric.label,
		measure(a, b, { clip = true } = {}) {
			const { count, height, width, channels } = pairGeometry(a, b);
			if (channels !== 3 || Math.min(height, width) < metric.smallest) {
				throw new RtilError(
					'INVALID_INPUT',
					`Expected colour images of at least ${metric.smallest} pixels a side for ${metric.label} but received [${a.shape}]`,
					'Use another network, or images of a higher resolution.',
				);
			}
			const one = programs.of(height, width);
			const size = height * width * channels;
			const image = ({ data }: Images, n: number): Float32Array =>
				Float32Array.from(data.subarray(n * size, (n + 1) * size), (value) =>
					clip ? Math.min(1, Math.max(-1, value)) : value,
				);
			return Float64Array.from({ length: count }, (_, n) => {
				const { distance } = one.call('measure', { a: image(a, n), b: image(b, n) });
				return distance!.data[0]!;
			});
		},
		dispose: () => programs.dispose(),
	};
}
