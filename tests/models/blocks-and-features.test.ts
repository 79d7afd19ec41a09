// What tells the parts of a network apart: a generator's parameters by block, a discriminator's feature maps.
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { openEngine, stream, type TensorMap } from '../../engine/index.ts';
import {
	pgganDiscriminator,
	pgganGenerator,
	stylegan2Discriminator,
	stylegan2Generator,
} from '../../models/index.ts';

await openEngine();
const channels = [12, 8, 6];
const style = { resolution: 16, channels, zDim: 8, wDim: 8, mappingLayers: 2 };
const progressive = { resolution: 16, channels, zDim: 8 };
const networks = [
	{ name: 'stylegan2', generator: stylegan2Generator(style), discriminator: stylegan2Discriminator(style) },
	...(['karras', 'zoo', 'rtil'] as const).map((dialect) => ({
		name: dialect,
		generator: pgganGenerator({ ...progressive, dialect }),
		discriminator: pgganDiscriminator({ ...progressive, dialect }),
	})),
];

for (const { name, generator, discriminator } of networks) {
	test(`${name}: every parameter but those of a mapping network is in one block`, (t) => {
		const all = Object.keys(generator.shapes).filter((parameter) => !parameter.startsWith('style.'));
		t.is(generator.blocks.length, channels.length);
		t.deepEqual(generator.blocks.flat().sort(), all.sort());
	});

	test(`${name}: feature maps from the image's size to 4², an image's whatever its batch`, (t) => {
		const params: TensorMap = Object.fromEntries(
			Object.entries(discriminator.init(1)).map(([key, { shape, data }]) => [
				key,
				tf.tensor(data, [...shape]),
			]),
		);
		const images = tf.tensor(stream(2, 'images').normals(0, 4 * 16 * 16 * 3), [4, 16, 16, 3]);
		const together = discriminator.features(params, images);
		t.deepEqual(
			together.map(({ shape }) => shape.slice(0, 3)),
			[16, 8, 4].map((side) => [4, side, side]),
		);
		const alone = discriminator.features(params, tf.slice(images, [2, 0, 0, 0], [1, 16, 16, 3]));
		for (const [i, map] of together.entries()) {
			const own = tf.slice(map, [2, 0, 0, 0], [1, ...map.shape.slice(1)]);
			t.true(tf.max(tf.abs(tf.sub(own, alone[i]!))).dataSync()[0]! < 1e-5);
		}
	});
}
