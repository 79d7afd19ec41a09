// The residual networks of ArcFace (Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition",
// §3.1: "BN-Conv-BN-PReLU-Conv-BN" blocks, then "BN-Dropout-FC-BN" for the embedding), as insightface publishes them for
// PyTorch under the name iresnet: 18 to 200 layers, 112 × 112 images, 512 numbers.
//
// For inference only: a batch normalisation is a scale and a shift a channel, and dropout is nothing. Parameters carry the
// names there, filters as [kh, kw, I, O]; the first weight of `fc` reads features in the order of [H, W, C].
import * as tf from '@tensorflow/tfjs-core';
import { conv2d, type TensorMap } from '../engine/index.ts';
import type { FaceNetwork } from './face.ts';

export interface IresnetConfig {
	/** Channels after the first convolution; 64 as published. */
	stem: number;
	/** Channels and blocks of the four stages; each halves the sides. As published: 64, 128, 256, 512 channels. */
	stages: readonly { width: number; blocks: number }[];
	/** Side of the last stage's features, in pixels, of images 16 times as large; 7 as published. */
	side: number;
	/** Numbers of an embedding; 512 as published. */
	features: number;
}

/** How much smaller the last stage's features are than images. */
const REDUCTION = 16;

/** Blocks of the published networks. */
const published: Readonly<Record<string, string>> = {
	'2,2,2,2': 'iresnet18',
	'3,4,6,3': 'iresnet34',
	'3,4,14,3': 'iresnet50',
	'3,13,30,3': 'iresnet100',
	'6,26,60,6': 'iresnet200',
};

/** What a network is called: `iresnet50`, or by its blocks. */
export function iresnetName({ stages }: IresnetConfig): string {
	const blocks = stages.map((stage) => stage.blocks);
	return published[blocks.join()] ?? `iresnet ${blocks.join('-')}`;
}

export function iresnet({ stem, stages, side, features }: IresnetConfig): FaceNetwork {
	const shapes: Record<string, readonly number[]> = {};
	const convolution = (name: string, inputs: number, outputs: number, kernel = 3): void => {
		shapes[`${name}.weight`] = [kernel, kernel, inputs, outputs];
	};
	const normalisation = (name: string, width: number): void => {
		shapes[`${name}.scale`] = [width];
		shapes[`${name}.shift`] = [width];
	};
	const rectifier = (name: string, width: number): void => {
		shapes[`${name}.weight`] = [width];
	};

	convolution('conv1', 3, stem);
	normalisation('bn1', stem);
	rectifier('prelu', stem);
	let inputs = stem;
	const blocks: { name: string; first: boolean }[] = [];
	for (const [i, stage] of stages.entries()) {
		for (let j = 0; j < stage.blocks; j++) {
			const name = `layer${i + 1}.${j}`;
			normalisation(`${name}.bn1`, inputs);
			convolution(`${name}.conv1`, inputs, stage.width);
			normalisation(`${name}.bn2`, stage.width);
			rectifier(`${name}.prelu`, stage.width);
			convolution(`${name}.conv2`, stage.width, stage.width);
			normalisation(`${name}.bn3`, stage.width);
			if (j === 0) {
				convolution(`${name}.downsample.0`, inputs, stage.width, 1);
				normalisation(`${name}.downsample.1`, stage.width);
			}
			blocks.push({ name, first: j === 0 });
			inputs = stage.width;
		}
	}
	normalisation('bn2', inputs);
	shapes['fc.weight'] = [side * side * inputs, features];
	shapes['fc.bias'] = [features];
	normalisation('features', features);

	const size = REDUCTION * side;
	return {
		height: size,
		width: size,
		features,
		shapes,
		embed(params, image) {
			let x = conv2d(image, params['conv1.weight']!); // [1, 16·side, 16·side, stem]
			x = prelu(params, 'prelu', normalise(params, 'bn1', x));
			for (const { name, first } of blocks) x = block(params, name, x, first ? 2 : 1);
			x = normalise(params, 'bn2', x); // [1, side, side, C]
			x = tf.matMul(tf.reshape(x, [1, -1]), params['fc.weight']!);
			return normalise(params, 'features', tf.add(x, params['fc.bias']!)); // [1, features]
		},
	};
}

function block(params: TensorMap, name: string, x: tf.Tensor, stride: 1 | 2): tf.Tensor {
	let y = conv2d(normalise(params, `${name}.bn1`, x), params[`${name}.conv1.weight`]!);
	y = prelu(params, `${name}.prelu`, normalise(params, `${name}.bn2`, y));
	y = normalise(params, `${name}.bn3`, padded3(y, params[`${name}.conv2.weight`]!, stride));
	if (stride === 1) return tf.add(y, x);
	const down = conv2d(x, params[`${name}.downsample.0.weight`]!, 2);
	return tf.add(y, normalise(params, `${name}.downsample.1`, down));
}

/** A 3 × 3 convolution with a pixel of zeros around. */
function padded3(x: tf.Tensor, filter: tf.Tensor, stride: 1 | 2): tf.Tensor {
	if (stride === 1) return conv2d(x, filter);
	const around: [number, number] = [1, 1];
	return conv2d(tf.pad(x, [[0, 0], around, around, [0, 0]]), filter, stride);
}

function normalise(params: TensorMap, name: string, x: tf.Tensor): tf.Tensor {
	return tf.add(tf.mul(x, params[`${name}.scale`]!), params[`${name}.shift`]!);
}

/** x where it is above 0, else its channel's slope times x. */
function prelu(params: TensorMap, name: string, x: tf.Tensor): tf.Tensor {
	return tf.sub(tf.relu(x), tf.mul(params[`${name}.weight`]!, tf.relu(tf.neg(x))));
}
