// Identity similarity as a metric: whether a face network takes two images for the same person. Images in host memory in,
// numbers out, on an engine that the caller has opened; what a face network is, is in models/face.ts.
//   s(a, b) = ⟨f(a), f(b)⟩ / (‖f(a)‖ ‖f(b)‖)
import type { Engine, ProgramFunction } from '../engine/index.ts';
import { expected } from '../errors/index.ts';
import type { FaceWeights } from '../models/index.ts';
import { geometryOf, type Images, pairGeometry } from './images.ts';
import { SizedProgram } from './sized-program.ts';

/** A face network with its weights on an engine; numbers of another network are not comparable. */
export interface IdentityMetric {
	/** The network for tables: `identity (iresnet50 of backbone.pth, 0123456789ab)`. */
	readonly label: string;
	/**
	 * The cosine similarity of each pair's embeddings, in [−1, 1], exactly 1 for equal images, more is better; NaN where
	 * an embedding is 0 or not finite. Values are limited to [−1, 1], what can be shown. No face is looked for and none
	 * aligned: images of an aligned data set are compared as they are. An image's value does not depend on the others.
	 * Throws MISMATCH on different shapes, INVALID_INPUT for images that are grey.
	 */
	measure(a: Images, b: Images): Float64Array;
	/** Embeddings of images, of unit length; NaN likewise. */
	embed(images: Images): Float64Array[];
	/** Frees the weights on the engine. */
	dispose(): void;
}

type Embed = Record<'embed', ProgramFunction>;

/** Puts a face network on an engine; `loadFace` of checkpoints/ gives the weights. */
export async function openIdentity(engine: Engine, face: FaceWeights): Promise<IdentityMetric> {
	const { faceImages } = await import('../models/index.ts');
	const { name, network, input, params } = face;
	const label = `identity (${name})`;
	const programs = new SizedProgram<Embed>(engine, (height, width) => ({
		name: `${label} of ${height}×${width}`,
		state: params,
		functions: {
			embed: {
				inputs: { image: [1, height, width, 3] },
				run: (state, { image }) => ({
					outputs: { embedding: network.embed(state, faceImages(image!, network, input)) },
				}),
			},
		},
	}));

	function embed(images: Images): Float64Array[] {
		const { count, height, width, channels } = geometryOf(images);
		if (channels !== 3) throw expected('colour images', label, images.shape);
		const one = programs.of(height, width);
		const size = height * width * channels;
		return Array.from({ length: count }, (_, n) => {
			const pixels = images.data.subarray(n * size, (n + 1) * size);
			const image = Float32Array.from(pixels, (value) => Math.min(1, Math.max(-1, value)));
			const { embedding } = one.call('embed', { image });
			const { data } = embedding!;
			const length = Math.sqrt(dot(data, data));
			return Float64Array.from(data, (value) => value / length);
		});
	}

	return {
		label,
		embed,
		measure(a, b) {
			pairGeometry(a, b);
			const [left, right] = [embed(a), embed(b)];
			// Unit lengths are so to rounding: divided by once more, equal images give 1.
			return Float64Array.from(left, (x, n) => {
				const y = right[n]!;
				const value = dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
				return Math.min(1, Math.max(-1, value));
			});
		},
		dispose: () => programs.dispose(),
	};
}

function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
	let sum = 0;
	for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
	return sum;
}
