// ILO as RTIL's code runs it, against golden tensors of that code: cuts and resumes, its terms, and a whole inversion by
// the preset `published-code`.
import * as tf from '@tensorflow/tfjs-core';
import { fromRosinality } from '../../checkpoints/pytorch/rosinality.ts';
import { type HostTensor, type HostTensors, openEngine, vectorJacobian } from '../../engine/index.ts';
import {
	type Measurements,
	OperatorPrograms,
	type Prior,
	ProgramCache,
	type Progress,
	parseProblem,
	parseSolver,
} from '../../inverter/index.ts';
import { iloSchedule } from '../../inverter/solvers/ilo.ts';
import { PROXY_SLOPE } from '../../inverter/solvers/networks.ts';
import { rampedRate } from '../../inverter/solvers/schedule.ts';
import { solveLayers } from '../../inverter/solvers/solve.ts';
import { geodesic, onSphere } from '../../inverter/solvers/terms.ts';
import { type CutState, stylegan2Generator } from '../../models/index.ts';
import { type Fixture, testGolden } from '../golden.ts';
import { channelsFirst, channelsLast, host, load } from '../models/networks.ts';
import { MemoryStore } from './solve-store.ts';

const FAMILY = 'rtil_ilo_inverse';
const engine = await openEngine();

function priorOf(f: Fixture): Prior {
	const { size, style_dim, n_mlp, channels } = f.config;
	const generator = stylegan2Generator({
		resolution: size,
		channels: Object.values(channels as Record<string, number>),
		zDim: style_dim,
		wDim: style_dim,
		mappingLayers: n_mlp,
	});
	const params = fromRosinality(f.group('g.'), generator.shapes);
	const latent = {
		wMean: f.tensor('gauss_mean').data,
		wStd: f.tensor('gauss_std').data,
		featureStd: Object.fromEntries(generator.cuts.map(({ name }) => [name, 1])),
	};
	return { kind: 'gan', id: f.name, generator, params, latent, rtil: null };
}

const noises = (f: Fixture, prefix: string): HostTensor[] =>
	f
		.names({ role: 'input', prefix: `${prefix}noise.` })
		.map((_, i) => channelsLast(f.tensor(`${prefix}noise.${i}`)));

testGolden('cut and resumed with and without the RGB image so far', FAMILY, (_t, f) => {
	tf.tidy(() => {
		const { generator, params: hosted } = priorOf(f);
		const params = load(hosted);
		const input = {
			styles: load({ w: f.tensor('w') }).w!,
			noises: noises(f, '').map((noise) => load({ noise }).noise!),
		};
		const image = (from?: CutState): HostTensor =>
			channelsFirst(generator.synthesize(params, from ? { ...input, from } : input));
		f.expect('full.image', image());
		const names = [...generator.cuts.map(({ name }) => name), `b${generator.resolution}`];
		for (const [i, { name }] of generator.cuts.entries()) {
			const { features } = generator.synthesizeTo(params, input, name);
			const after = generator.synthesizeTo(params, input, names[i + 1]!);
			f.expect(`cut0-${i}.out`, channelsFirst(features));
			// Here the image waits at a cut before its block's RGB layer; there, after it.
			f.expect(`cut0-${i}.skip`, channelsFirst(after.rgb!));
			const state = generator.synthesizeTo(params, input, name);
			const bare: CutState = { cut: name, features, rgb: null, withoutRgb: true };
			f.expect(`resume${i + 1}.image_with_skip`, image(state));
			f.expect(`resume${i + 1}.image_noskip`, image(bare));
			if (!f.has(`cut${i + 1}-${i + 1}.out`)) continue;
			const next = generator.synthesizeTo(params, { ...input, from: bare }, names[i + 1]!);
			f.expect(`cut${i + 1}-${i + 1}.out`, channelsFirst(next.features));
			const shown = generator.synthesizeTo(params, { ...input, from: bare }, names[i + 2]!);
			f.expect(`cut${i + 1}-${i + 1}.skip_noskip`, channelsFirst(shown.rgb!));
		}
	});
});

testGolden('proxy, geodesic term, spheres and rates', FAMILY, (_t, f) => {
	tf.tidy(() => {
		const { mean, std, latent, noise, da, db } = load({
			mean: f.tensor('gauss_mean'),
			std: f.tensor('gauss_std'),
			latent: f.tensor('latent_z'),
			noise: channelsLast(f.tensor('sph_noise')),
			da: f.tensor('sph_da'),
			db: channelsLast(f.tensor('sph_db')),
		}) as Record<string, tf.Tensor3D>;
		f.expect('mapping_proxy', host(tf.leakyRelu(tf.add(tf.mul(latent!, std!), mean!), PROXY_SLOPE)));
		const distance = (): tf.Tensor => tf.mean(geodesic(latent!));
		f.expect('geocross', distance().dataSync()[0]!);
		f.expect('geocross_b1', geodesic(latent!).dataSync()[0]!);
		f.expect('geocross_grad', host(vectorJacobian(distance, [latent!])[0]!));
		f.expect('spherical.latent', host(onSphere(tf.add(latent!, da!), latent!, [2])));
		f.expect('spherical.noise', channelsFirst(onSphere(tf.add(noise!, db!), noise!, [1, 2])));
		const steps = f.tensor('lr_table').shape[0]!;
		f.expect(
			'lr_table',
			Float32Array.from({ length: steps }, (_, t) =>
				rampedRate(0.2, t, steps, { up: 0.05, down: 0.75, late: true }),
			),
		);
	});
});

testGolden('a whole inversion, round by round, by the preset published-code', FAMILY, async (t, f) => {
	const prior = priorOf(f);
	const { steps, lr } = f.config.run;
	const target = channelsLast(f.tensor('run.image'));
	const measurements = measurementsOf(f, target);
	const indices = f.tensor('run.indices').data;
	f.expect('run.measurement', {
		shape: [1, indices.length],
		data: Float32Array.from(indices, (at) => measurements.y.data[at]!),
	});

	const { options } = parseSolver({ kind: 'ilo', preset: 'published-code', steps, rate: lr });
	const schedule = iloSchedule(prior, options as never, false);
	const given: HostTensors = { latent: f.tensor('run.latent_z') };
	for (const [i, noise] of noises(f, 'run.').entries()) given[`noise.${i}`] = noise;
	const store = new MemoryStore(Number.POSITIVE_INFINITY);
	const programs = new ProgramCache();
	const run = solveLayers(
		prior,
		measurements,
		{ ...schedule, given },
		{ engine, programs, seed: 0, progressEvery: 1, previewEvery: 1, resume: store },
	);
	const course: Progress[] = [];
	let next = await run.next();
	for (; !next.done; next = await run.next()) course.push(next.value);
	const { history, latents } = next.value;
	programs.dispose();

	const energy = measurements.y.data.reduce((sum, value) => sum + value * value, 0);
	const beforeUpdates = history.flatMap(({ residual }, layer) => residual.slice(0, steps[layer]));
	f.expect(
		'run.mse',
		beforeUpdates.map(([residual]) => (residual! * energy) / indices.length),
	);
	const shown = (steps as number[]).map((count, layer) =>
		course.filter((progress) => progress.layer === layer).slice(0, count),
	);
	const errors = shown.map((part) => part.map(({ preview }) => meanSquare(preview!.data, target.data)));
	f.expect('run.ref_mse', errors.flat());
	const [images, wrong] = [shown.at(-1)!, errors.at(-1)!];
	f.expect('run.best', channelsFirst(images[wrong.indexOf(Math.min(...wrong))]!.preview!));

	f.expect('run.latent_z_final', latents.latent!);
	for (const [i] of noises(f, 'run.').entries()) {
		const noise = latents[`noise.${i}`] ?? given[`noise.${i}`]!;
		f.expect(`run.noise_final.${i}`, channelsFirst(noise));
	}
	// The features that each later layer ended with, and those behind the last.
	const { generator } = prior;
	const optimised = generator.cuts.slice(0, steps.length - 1).map(({ name }) => {
		const { shape, data } = store.snapshot!.tensors[`at.${name}.features`]!;
		return { shape, data: data.map((value, k) => value + latents[`offset.${name}`]!.data[k]!) };
	});
	for (const [i, features] of optimised.entries()) f.expect(`run.gen_out.${i}`, channelsFirst(features));
	tf.tidy(() => {
		const { mean, std, latent, features } = load({
			mean: f.tensor('gauss_mean'),
			std: f.tensor('gauss_std'),
			latent: latents.latent!,
			features: optimised.at(-1)!,
		}) as Record<string, tf.Tensor>;
		const maps = Object.keys(given).filter((name) => name.startsWith('noise'));
		const state = generator.synthesizeTo(
			load(prior.params),
			{
				styles: tf.leakyRelu(tf.add(tf.mul(latent!, std!), mean!), PROXY_SLOPE),
				noises: maps.map((name) => load({ noise: latents[name] ?? given[name]! }).noise!),
				from: {
					cut: generator.cuts[steps.length - 2]!.name,
					features: features!,
					rgb: null,
					withoutRgb: true,
				},
			},
			generator.cuts[steps.length - 1]!.name,
		);
		f.expect(`run.gen_out.${steps.length - 1}`, channelsFirst(state.features));
	});
	t.is(course.length, beforeUpdates.length + steps.length);
});

function measurementsOf(f: Fixture, target: HostTensor): Measurements {
	const [, height, width, channels] = target.shape as [number, number, number, number];
	const n = height * width * channels;
	const selected = new Float32Array(n);
	for (const at of f.tensor('run.indices').data) selected[at] = 1;
	const row = (data: ArrayLike<number>): HostTensor => ({ shape: [1, n], data: Float32Array.from(data) });
	const parameters = {
		signs: row(f.tensor('run.signs').data),
		filter: row(f.tensor('run.filters').data),
		selected: row(selected),
	};
	const problem = parseProblem({ kind: 'compressed-sensing', ratio: 0.25, scale: 'published' });
	const operators = new OperatorPrograms(engine);
	const y = operators.apply(problem, parameters, target);
	operators.dispose();
	return {
		problem,
		image: { height, width, channels },
		keys: [{ seed: 0, image: 'run' }],
		parameters,
		y,
		sigma: null,
		support: row(selected),
	};
}

function meanSquare(a: Float32Array, b: Float32Array): number {
	return a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
}
