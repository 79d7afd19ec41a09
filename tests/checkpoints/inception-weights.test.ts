import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { addWeights, encodeTorch, knownWeights, loadInception } from '../../checkpoints/index.ts';
import { elements, type HostTensor, type HostTensors } from '../../engine/index.ts';
import { inception } from '../../models/index.ts';
import { temporaryFolder } from '../bus/server.ts';

const { shapes } = inception();

/** A tensor whose elements lie in (centre − spread, centre + spread). */
function wave(shape: readonly number[], centre = 0, spread = 1): HostTensor {
	const data = new Float32Array(elements(shape));
	for (let i = 0; i < data.length; i++) data[i] = centre + spread * (((i * 7919) % 1009) / 505 - 1);
	return { shape, data };
}

/** The state dictionary as it is published, for the layers of the network here. */
function published(classes = 1008): HostTensors {
	const state: HostTensors = { 'fc.weight': wave([classes, 2048]), 'fc.bias': wave([classes]) };
	for (const [name, shape] of Object.entries(shapes)) {
		if (!name.endsWith('.weight')) continue;
		const layer = name.slice(0, -'.weight'.length);
		const [h, w, inputs, outputs] = shape as [number, number, number, number];
		state[`${layer}.conv.weight`] = wave([outputs, inputs, h, w]);
		state[`${layer}.bn.weight`] = wave([outputs], 1, 0.5);
		state[`${layer}.bn.bias`] = wave([outputs]);
		state[`${layer}.bn.running_mean`] = wave([outputs], 0.1);
		state[`${layer}.bn.running_var`] = wave([outputs], 1, 0.9);
	}
	return state;
}

test.serial('published weights come in with batch normalisation folded into the convolutions', async (t) => {
	const home = await temporaryFolder(t);
	const dir = path.join(home, 'weights');
	await t.throwsAsync(loadInception({ dir }), { code: 'NOT_FOUND', message: /FID and KID need/ });
	const file = path.join(home, 'pt_inception-2015-12-05-6726825d.pth');
	const state = published();
	await writeFile(file, encodeTorch(state));
	t.like(await addWeights(file, { dir }), {
		kind: 'inception-backbone',
		network: 'inception',
		version: null,
	});
	t.deepEqual(
		(await knownWeights({ dir })).map(({ kind }) => kind),
		['inception-backbone'],
	);
	const params = await loadInception({ dir });
	t.deepEqual(Object.fromEntries(Object.entries(params).map(([name, { shape }]) => [name, shape])), shapes);
	const layer = 'Mixed_6b.branch7x7_2';
	const [, width, inputs, outputs] = shapes[`${layer}.weight`] as [number, number, number, number];
	const of = (part: string, i: number) => state[`${layer}.${part}`]!.data[i]!;
	for (const o of [0, 17, outputs - 1]) {
		const factor = of('bn.weight', o) / Math.sqrt(of('bn.running_var', o) + 0.001);
		const bias = of('bn.bias', o) - of('bn.running_mean', o) * factor;
		t.true(Math.abs(params[`${layer}.bias`]!.data[o]! - bias) < 1e-6);
		for (const [i, x] of [
			[0, 0],
			[5, 3],
		] as const) {
			const wanted = of('conv.weight', (o * inputs + i) * width + x) * factor;
			t.true(Math.abs(params[`${layer}.weight`]!.data[(x * inputs + i) * outputs + o]! - wanted) < 1e-6);
		}
	}
});

const small: HostTensors = { 'Mixed_7c.branch_pool.conv.weight': wave([1]), 'fc.weight': wave([1008, 1]) };

for (const [title, state, code, message] of [
	[
		"torchvision's own",
		{ ...small, 'fc.weight': wave([1000, 1]) },
		'MISMATCH',
		/of 1000 classes, not the one of 1008/,
	],
	['one without a layer', small, 'MISMATCH', /lacks Conv2d_1a_3x3\.conv\.weight/],
	[
		'one of another shape',
		{ ...small, 'Conv2d_1a_3x3.conv.weight': wave([32, 3, 5, 5]) },
		'MISMATCH',
		/Conv2d_1a_3x3\.conv\.weight has shape \[32,3,5,5\].*not \[32,3,3,3\]/,
	],
	[
		'one with broken numbers',
		{ ...small, 'Conv2d_1a_3x3.conv.weight': wave([32, 3, 3, 3], Number.NaN) },
		'CORRUPT',
		/has the value NaN/,
	],
] as const) {
	test(`an Inception that is ${title} is refused`, async (t) => {
		const dir = await temporaryFolder(t);
		const file = path.join(dir, 'x.pth');
		await writeFile(file, encodeTorch(state));
		await t.throwsAsync(addWeights(file, { dir: path.join(dir, 'w') }), { code, message });
	});
}
