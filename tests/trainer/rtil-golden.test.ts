// The published RTIL training of StyleGAN2 (g33sean/RTIL, arm ILO): five generators that share their weights, z1 added
// at none to four cuts, independent latents for each, equal weights 1/5, a path-length mean for each.
import * as tf from '@tensorflow/tfjs-core';
import { toRosinality } from '../../checkpoints/pytorch/rosinality.ts';
import { type HostTensors, openEngine, type TensorMap, valueAndGradients } from '../../engine/index.ts';
import { family, rtilSchema } from '../../models/index.ts';
import { type ArmOf, armConfigSchema, buildArm, compileSteps, initialState } from '../../trainer/index.ts';
import { discriminatorLoss, fakes, generatorLoss, mixedStyles, pathLengths } from '../../trainer/losses.ts';
import { latentShapes, memberBatch } from '../../trainer/sampling.ts';
import type { Stylegan2Arm as Arm } from '../../trainer/stylegan2-steps.ts';
import { type Fixture, testGolden } from '../golden.ts';
import { channelsFirst, channelsLast, host, load, mixingFrom, networksOf } from '../models/networks.ts';

const engine = await openEngine();

/** One tensor of member `k`'s pass, NHWC; the fixture does not repeat latents that a pass shares with the one before. */
function passTensor(f: Fixture, pass: string, k: number, name: string): Float32Array | undefined {
	for (let at = k; at >= 0; at--) {
		const key = `${pass}${at}.${name}`;
		if (f.has(key)) {
			const tensor = f.tensor(key);
			return tensor.shape.length === 4 ? channelsLast(tensor).data : tensor.data;
		}
		if (!name.startsWith('z')) return undefined;
	}
	return undefined;
}

/** The passes of all members as one batch: sample i is row ⌊i / K⌋ of member i mod K, as in trainer/sampling.ts. */
function interleaved(parts: Float32Array[], rows: number): Float32Array {
	const size = parts[0]!.length / rows;
	const out = new Float32Array(parts.length * rows * size);
	for (let i = 0; i < parts.length * rows; i++) {
		const row = Math.floor(i / parts.length);
		out.set(parts[i % parts.length]!.subarray(row * size, (row + 1) * size), i * size);
	}
	return out;
}

/** Inputs of one member's batch, named as the program's. */
function inputsOf(
	f: Fixture,
	{ generator, cuts }: Pick<Arm, 'generator' | 'cuts'>,
	pass: string,
	k: number,
	inject: number,
	rows: number,
): Record<string, Float32Array> {
	return {
		z: passTensor(f, pass, k, 'z1')!,
		zMixed: passTensor(f, pass, k, 'z2')!,
		mix: mixingFrom(inject, rows, generator.numStyles),
		...Object.fromEntries(
			generator.noiseShapes.map((_, i) => [`noise${i}`, passTensor(f, pass, k, `noise.${i}`)!]),
		),
		...Object.fromEntries(
			cuts.map(({ name, resolution, channels }, c) => {
				const nothing = new Float32Array(rows * resolution * resolution * channels);
				return [`z1.${name}`, passTensor(f, pass, k, `inject${c}`) ?? nothing];
			}),
		),
	};
}

/** Inputs of all members' batches, sample by sample. */
function together(parts: Record<string, Float32Array>[], rows: number): Record<string, Float32Array> {
	return Object.fromEntries(
		Object.keys(parts[0]!).map((name) => [
			name,
			interleaved(
				parts.map((part) => part[name]!),
				rows,
			),
		]),
	);
}

function onEngine(
	inputs: Record<string, Float32Array>,
	shapes: Record<string, readonly number[]>,
): TensorMap {
	return Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => [name, tf.tensor(inputs[name]!, [...shape])]),
	);
}

/** Rows of one member out of a family's batch. */
function ofMember(x: tf.Tensor, k: number, members: number): tf.Tensor {
	const rows = x.shape[0]! / members;
	return tf.gather(
		x,
		tf.tensor1d(
			Array.from({ length: rows }, (_, row) => row * members + k),
			'int32',
		),
	);
}

function expectGradients(
	f: Fixture,
	kind: 'd' | 'g' | 'pl',
	gradients: TensorMap,
	network: 'generator' | 'discriminator',
): void {
	const values = Object.entries(gradients).map(([name, tensor]) => [name, host(tensor)]);
	expectHostGradients(f, kind, Object.fromEntries(values), network === 'generator' ? 'g' : 'd');
}

function expectHostGradients(
	f: Fixture,
	kind: 'd' | 'g' | 'pl',
	gradients: HostTensors,
	network: 'g' | 'd',
): void {
	const found = toRosinality(gradients, network === 'g' ? 'generator' : 'discriminator');
	for (const name of Object.keys(gradients)) {
		const { data } = found[name]!;
		// One number is one sum of terms that nearly cancel: its rounding is that of the terms.
		const slack = data.length === 1 ? 3 : 1;
		if (f.has(`grad_${kind}.${name}`)) f.expect(`grad_${kind}.${name}`, found[name]!, slack);
		const norm = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
		if (f.scalars().includes(`l2_${kind}.${name}`)) f.expect(`l2_${kind}.${name}`, norm, slack);
	}
}

testGolden(
	'the published family equals the reference: images, losses, path lengths, gradients',
	'rtil_ilo_train',
	(t, f) => {
		const { config, generator, discriminator, g: gHost, d: dHost } = networksOf(f, '');
		const real = f.tensor('real');
		const batch = real.shape[0]!;
		const pathBatch = f.tensor('p0.y').shape[0]!;
		const cutNames = config.channels.map((_, i) => `b${4 * 2 ** i}`);
		const passes = f.scalars('r').filter((name) => name.endsWith('.g_loss')).length;
		const rtil = rtilSchema.parse({ cuts: cutNames.slice(0, passes - 1), lambda: 'equal', batch: 'each' });
		// At 32² the fourth place lies in the last block: the networks take z1 there, a configuration does not.
		const inner = {
			...rtil,
			cuts: cutNames.slice(0, passes - 1).filter((cut) => generator.cuts.some(({ name }) => name === cut)),
		};
		const built = buildArm(
			armConfigSchema.parse({
				model: config,
				rtil: inner,
				training: { batch, pathLength: { batchShrink: batch / pathBatch } },
			}) as ArmOf<'stylegan2'>,
		);
		const places = cutNames.map((name, i) => ({
			name,
			resolution: 4 * 2 ** i,
			channels: config.channels[i]!,
		}));
		const members = family(rtil, places);
		const arm: Arm = {
			...built,
			members,
			cuts: places.slice(0, passes - 1),
			parts: members.map((_, k) => memberBatch(members, k, batch)),
			pathParts: members.map((_, k) => memberBatch(members, k, pathBatch)),
		};
		t.deepEqual(
			[built.parts, built.pathParts].map((parts) => parts.map(({ size, member }) => [size, member[0]])),
			[batch, pathBatch].map((size) => built.members.map((_, k) => [size, k])),
			'members take turns, each with a batch of its own',
		);
		t.true(members.every(({ weight }) => Math.abs(weight - 1 / passes) < 1e-9));

		const ofPass = members.map((_, k) => inputsOf(f, arm, 'r', k, f.config.inject_index, batch));
		const ofPath = members.map((_, k) => ({
			...inputsOf(f, arm, 'p', k, f.config.pl_inject_index, pathBatch),
			y: passTensor(f, 'p', k, 'y')!,
		}));
		const inputs = together(ofPass, batch);
		const path = together(ofPath, pathBatch);
		const weights = tf.fill([passes * batch], 1 / (passes * batch));

		// Functions of losses.ts: images, logits, gradients.
		const [g, d] = [load(gHost), load(dHost)];
		const images = channelsLast(real);
		const realImages = tf.tensor(images.data, [...images.shape]);
		const latents = onEngine(inputs, latentShapes(generator, arm.cuts, passes * batch));
		const fake = fakes(generator, g, latents);
		const logits = discriminator.score(d, fake);
		const realLogits = discriminator.score(d, realImages);
		f.expect('real_pred', realLogits.dataSync());
		// The second place, before z1 is added there.
		const { features } = generator.synthesizeTo(
			g,
			{
				styles: mixedStyles(generator, g, latents),
				noises: generator.noiseShapes.map((_, i) => latents[`noise${i}`]!),
				inject: { b4: latents['z1.b4']! },
			},
			'b8',
		);
		for (let k = 0; k < passes; k++) {
			f.expect(`r${k}.feat_convs.1`, channelsFirst(ofMember(features, k, passes)));
			f.expect(`r${k}.image`, channelsFirst(ofMember(fake, k, passes)));
			const own = ofMember(logits, k, passes);
			f.expect(`r${k}.fake_pred`, own.dataSync());
			const even = tf.fill([batch], 1 / batch);
			f.expect(`r${k}.d_loss`, discriminatorLoss(realLogits, own, even).dataSync());
			f.expect(`r${k}.g_loss`, generatorLoss(own, even).dataSync());
		}
		const dLoss = valueAndGradients(
			() => discriminatorLoss(discriminator.score(d, realImages), discriminator.score(d, fake), weights),
			d,
		);
		f.expect('d_loss', dLoss.value.dataSync());
		expectGradients(f, 'd', dLoss.gradients, 'discriminator');
		const gLoss = valueAndGradients(
			() => generatorLoss(discriminator.score(d, fakes(generator, g, latents)), weights),
			g,
		);
		f.expect('g_loss', gLoss.value.dataSync());
		expectGradients(f, 'g', gLoss.gradients, 'generator');

		const pathTensors = onEngine(path, {
			...latentShapes(generator, arm.cuts, passes * pathBatch),
			y: [passes * pathBatch, config.resolution, config.resolution, 3],
		});
		const before = f.config.mean_path_length as number[];
		const { decay, weight, every } = arm.config.training.pathLength;
		const penalty = valueAndGradients(() => {
			const lengths = pathLengths(generator, g, pathTensors);
			const terms = before.map((mean, k) => {
				const own = ofMember(lengths, k, passes);
				const running = tf.add(mean * (1 - decay), tf.mul(tf.mean(own), decay));
				return tf.mean(tf.square(tf.sub(own, running)));
			});
			return tf.mul(tf.mean(tf.stack(terms)), weight * every) as tf.Scalar;
		}, g);
		f.expect('pl_weighted', penalty.value.dataSync());
		expectGradients(f, 'pl', penalty.gradients, 'generator');
		const lengths = pathLengths(generator, g, pathTensors);
		for (let k = 0; k < passes; k++) f.expect(`p${k}.lengths`, ofMember(lengths, k, passes).dataSync());

		// The compiled steps of an arm with this family, whose members take turns.
		const state = initialState(arm, 0);
		state.g = arm.layout.g.fromHost(gHost);
		state.d = arm.layout.d.fromHost(dHost);
		state.pathMean = { shape: [passes], data: Float32Array.from(before) };
		const program = compileSteps(engine, arm, state);
		const fresh = { 'g.sum': { shape: [arm.layout.g.size], data: new Float32Array(arm.layout.g.size) } };
		const gathered = (kind: 'd' | 'g' | 'pl', network: 'd' | 'g'): void => {
			const sum = program.read([`${network}.sum`])[`${network}.sum`]!;
			expectHostGradients(f, kind, arm.layout[network].toHost(sum), network);
		};
		f.expect(
			'pl_logged',
			total(ofPath.map((input, k) => program.call(`path.${k}`, input).penalty!.data[0]!)),
		);
		gathered('pl', 'g');
		program.read(['pathMean']).pathMean!.data.forEach((mean, k) => {
			f.expect(`p${k}.new_mean`, mean);
		});
		program.write(fresh);
		f.expect('g_loss', total(ofPass.map((input, k) => program.call(`g.${k}`, input).loss!.data[0]!)));
		gathered('g', 'g');
		const ofReal = program.call('d.real', { real: images.data }).loss!.data[0]!;
		const ofFakes = ofPass.map((input, k) => program.call(`d.${k}`, input));
		f.expect('d_loss', ofReal + total(ofFakes.map(({ loss }) => loss!.data[0]!)));
		gathered('d', 'd');
		ofFakes.forEach(({ fake }, k) => {
			const wanted = f.tensor(`r${k}.fake_pred`).data;
			const mean = total([...wanted]) / wanted.length;
			t.true(Math.abs(fake!.data[k]! - mean) < 2 * f.atol(`r${k}.fake_pred`));
		});
		program.dispose();
	},
);

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
