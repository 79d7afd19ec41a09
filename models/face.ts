// What a network that recognises faces is here, and what images become before it sees them. Those of the literature
// (ArcFace, Deng et al. 2019, and its kin) take aligned faces of 112 × 112 and answer with a vector whose direction is
// the person. No face is looked for and none is aligned: images are taken as aligned already, as those of data sets of
// faces are, and cut and resized alike.
import * as tf from '@tensorflow/tfjs-core';
import { type HostTensors, resize, type TensorMap } from '../engine/index.ts';
import { expected } from '../errors/index.ts';

export interface FaceNetwork {
	/** Size of the images inside, in pixels. */
	readonly height: number;
	readonly width: number;
	/** Numbers of an embedding. */
	readonly features: number;
	/** Names and shapes of the parameters. */
	readonly shapes: Readonly<Record<string, readonly number[]>>;
	/** Embedding [1, features] of one image [1, height, width, 3] in the range and order that the network was trained with. */
	embed(params: TensorMap, image: tf.Tensor): tf.Tensor;
}

/** Ranges of networks' inputs: what a byte v of a picture becomes, as factor · v + offset. */
const ranges = {
	/** (v − 127.5) / 127.5, in [−1, 1]: insightface's training. */
	signed: { factor: 1 / 127.5, offset: -1 },
	/** (v − 127.5) / 128: FaceNet, SphereFace and older code of insightface. */
	'signed-128': { factor: 1 / 128, offset: -127.5 / 128 },
	/** v / 255, in [0, 1]. */
	unit: { factor: 1 / 255, offset: 0 },
	/** v itself: networks that normalise inside. */
	bytes: { factor: 1, offset: 0 },
} as const;

export type FaceRange = keyof typeof ranges;

/** What a network expects of its images; numbers of one network under different conventions are not comparable. */
export interface FaceInput {
	range: FaceRange;
	channels: 'rgb' | 'bgr';
	/** Side of the central part that is shown to the network, of the whole, in (0, 1]. */
	crop: number;
}

/** A face network with its parameters. */
export interface FaceWeights {
	/** For tables: architecture, file and digest, and what of the input is unusual. */
	name: string;
	network: FaceNetwork;
	input: FaceInput;
	params: HostTensors;
}

/**
 * Images as a network takes them: cut, resized bilinearly (antialiased), in its range and order.
 *
 * @param images [N, H, W, 3] in [−1, 1]
 * @returns [N, height, width, 3]
 */
export function faceImages(
	images: tf.Tensor,
	{ height, width }: Pick<FaceNetwork, 'height' | 'width'>,
	{ range, channels, crop }: FaceInput,
): tf.Tensor {
	const [n, rows, columns, colours] = images.shape as [number, number, number, number];
	if (images.rank !== 4 || colours !== 3)
		throw expected('a shape [N, H, W, 3]', 'images of faces', images.shape);
	const [tall, wide] = [rows, columns].map((side) => Math.max(1, Math.round(crop * side))) as [
		number,
		number,
	];
	const corner = [0, (rows - tall) >> 1, (columns - wide) >> 1, 0];
	const part = crop === 1 ? images : tf.slice(images, corner, [n, tall, wide, 3]);
	const { factor, offset } = ranges[range];
	// A byte v is 127.5 · (x + 1).
	const x = tf.add(tf.mul(resize(part, height, width), 127.5 * factor), 127.5 * factor + offset);
	return channels === 'rgb' ? x : tf.reverse(x, 3);
}
