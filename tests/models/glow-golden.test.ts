// Glow against rosinality/glow-pytorch: steps, latents, likelihood, all gradients, both ways back, actnorm's start.
import * as tf from '@tensorflow/tfjs-core';
import { fromGlow, toGlow } from '../../checkpoints/pytorch/glow.ts';
import { type HostTensor, openEngine, type TensorMap, valueAndGradients } from '../../engine/index.ts';
import { actnorm, coupling, invertibleConv, type Step, squeeze } from '../../models/glow-steps.ts';
import { bitsPerDimension, dequantised, type Glow, glow } from '../../models/index.ts';
import { type Fixture, testGolden } from '../golden.ts';
import { channelsFirst, host, images, load } from './networks.ts';

await openEngine();

interface Setting {
	network: Glow;
	params: TensorMap;
	x: tf.Tensor;
	/** Numbers in an image. */
	dimensions: number;
}

function setting(f: Fixture): Setting {
	const { size, n_block: blocks, n_flow: steps, n_bits: bits, filter_size: filters, affine } = f.config;
	const network = glow({
		resolution: size,
		blocks,
		steps,
		coupling: affine ? 'affine' : 'additive',
		filters,
		plainBlocks: f.config.conv_lu ? 0 : blocks - 1,
	});
	const host_ = fromGlow(f.group('p.'), { ...network.shapes, ...network.constants });
	const bytes = images(f.tensor('image_u8'));
	const x = dequantised(tf.sub(tf.div(bytes, 127.5), 1), images(f.tensor('dequant_u')), bits);
	const params = load({ ...host_, ...network.derived(host_) });
	return { network, params, x, dimensions: 3 * size * size };
}

const scalar = (value: number): number[] => [value];
const latents = (f: Fixture, name: string, { latentShapes }: Glow): tf.Tensor[] =>
	latentShapes.map((_, b) => images(f.tensor(`${name}.${b}`)));

testGolden('steps, latents and likelihood equal the reference', 'glow', (t, f) => {
	const { network, params, x, dimensions } = setting(f);
	f.expect('x', channelsFirst(x));
	const code = network.encode(params, x);
	code.z.forEach((z, b) => {
		f.expect(`z.${b}`, channelsFirst(z));
	});
	f.expect('log_p_sum', host(code.logPrior));
	f.expect('logdet', host(code.logDeterminant));
	const bits = tf.mean(bitsPerDimension(code, dimensions, f.config.n_bits)).dataSync()[0]!;
	f.expect('nll_bits_per_dim', bits);
	const share = (part: tf.Tensor): number => tf.mean(part).dataSync()[0]! / (Math.LN2 * dimensions);
	f.expect('logp_bits', share(code.logPrior));
	f.expect('logdet_bits', share(code.logDeterminant));

	let y = x;
	for (let b = 0; b < f.config.n_block; b++) {
		y = squeeze(y);
		for (let s = 0; s < f.config.n_flow; s++) {
			const at = `blocks.${b}.flows.${s}`;
			const check = (part: string, { y: value, logDeterminant }: Step): tf.Tensor => {
				const name = `mid.b${b}f${s}.${part}`;
				if (f.has(name)) f.expect(name, channelsFirst(value));
				if (f.has(`${name}.logdet`)) {
					const { data } = host(logDeterminant);
					f.expect(`${name}.logdet`, data.length === 1 ? scalar(data[0]!) : data);
				}
				return value;
			};
			y = check('actnorm', actnorm(params, `${at}.actnorm`, y));
			y = check('invconv', invertibleConv(params, `${at}.invconv`, y));
			y = check('coupling', coupling(params, `${at}.coupling`, y, f.config.affine ? 'affine' : 'additive'));
		}
		y = tf.split(y, 2, 3)[0]!;
	}
	t.pass();
});

testGolden('all gradients of the likelihood equal the reference', 'glow', (t, f) => {
	const { network, params, x, dimensions } = setting(f);
	const trained = Object.fromEntries(Object.keys(network.shapes).map((name) => [name, params[name]!]));
	const { gradients } = valueAndGradients(
		() => tf.mean(bitsPerDimension(network.encode(params, x), dimensions, f.config.n_bits)) as tf.Scalar,
		{ ...trained, x },
	);
	f.expect('grad_x', channelsFirst(gradients.x!));
	delete (gradients as TensorMap).x;
	const found = toGlow(
		Object.fromEntries(Object.entries(gradients as TensorMap).map(([name, value]) => [name, host(value)])),
	);
	const wanted = new Set([...f.names({ prefix: 'grad.' }), ...f.scalars('l2.')]);
	for (const [name, gradient] of Object.entries(found)) {
		const norm = Math.sqrt(gradient.data.reduce((sum, value) => sum + value * value, 0));
		if (wanted.delete(`l2.${name}`)) f.expect(`l2.${name}`, norm);
		if (wanted.delete(`grad.${name}`)) f.expect(`grad.${name}`, gradient);
	}
	t.deepEqual([...wanted], []);
});

testGolden('stored latents, moved latents and drawn latents give the reference’s images', 'glow', (t, f) => {
	const { network, params, x } = setting(f);
	const { z } = network.encode(params, x);
	const error = tf.max(tf.abs(tf.sub(network.decode(params, z), x))).dataSync()[0]!;
	t.true(error < 1e-4, `x = D(E(x)) to ${error}`);
	const stored = latents(f, 'z', network).map((value) => tf.add(tf.mul(value, 0.9), 0.05));
	f.expect('reverse_of_shifted_z', channelsFirst(network.decode(params, stored)));
	const sample = network.generate(params, latents(f, 'eps', network), f.config.temp);
	f.expect('sample', channelsFirst(sample));
});

testGolden('actnorm starts from the first batch as the reference does', 'glow', (t, f) => {
	const { network, params, x } = setting(f);
	const start = network.normalise(params, x);
	const found = toGlow(
		Object.fromEntries(
			Object.entries(start).map(([name, value]): [string, HostTensor] => [name, host(value)]),
		),
	);
	for (const name of f.names({ prefix: 'init.blocks.' })) f.expect(name, found[name.slice(5)]!);
	const code = network.encode({ ...params, ...start }, x);
	f.expect('init.log_p_sum', host(code.logPrior));
	f.expect('init.logdet', host(code.logDeterminant));
	t.pass();
});
