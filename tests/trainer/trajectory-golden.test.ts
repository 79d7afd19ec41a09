// Training steps against the trajectory of rosinality/stylegan2-pytorch: the compiled steps, driven by hand with the
// fixture's images and latents, from fresh and from stored optimiser state.
import type { ExecutionContext } from 'ava';
import { fromRosinality, toRosinality } from '../../checkpoints/index.ts';
import { type HostTensor, type HostTensors, openEngine } from '../../engine/index.ts';
import {
	type ArmOf,
	armConfigSchema,
	buildArm,
	compileSteps,
	initialState,
	optimizerInput,
} from '../../trainer/index.ts';
import { type Fixture, testGolden } from '../golden.ts';
import { channelsLast, mixingFrom, networksOf, noiseMaps } from '../models/networks.ts';

const engine = await openEngine();

interface Call {
	id: string;
	step: number;
	phase: 'd' | 'g' | 'pl';
	batch: number;
	inject: number | null;
}

/** The latents of one pass, named as the program's inputs. */
function latents(f: Fixture, call: Call, rows: number): Record<string, Float32Array> {
	const first = f.tensor(`${call.id}.z1`).data;
	return {
		z: first,
		zMixed: f.has(`${call.id}.z2`) ? f.tensor(`${call.id}.z2`).data : first,
		mix: mixingFrom(call.inject, call.batch, rows),
		...Object.fromEntries(noiseMaps(f, `${call.id}.noise.`).map(({ data }, i) => [`noise${i}`, data])),
	};
}

const norm = (values: Float32Array): number =>
	Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/**
 * Slack for the change of an average, which is of the size of the rounding with which float32 stores the average: three
 * times the spread that the rounding of every step so far gives.
 */
function storage(tolerance: number, values: Float32Array, step: number): number {
	const rounding = (norm(values) / Math.sqrt(values.length)) * 2 ** -24;
	return 1 + (3 * rounding * Math.sqrt(step + 1)) / tolerance;
}

/** As the fixture suggests: 99.9 % of the elements within the tolerance, all within 2·steps·rate (flipped signs). */
function expectFinal(t: ExecutionContext, f: Fixture, name: string, actual: HostTensor): void {
	const wanted = f.tensor(name);
	t.deepEqual([...actual.shape], [...wanted.shape], name);
	const errors = actual.data.map((value, i) => Math.abs(value - wanted.data[i]!));
	const off = errors.reduce((count, error) => count + (error > f.atol(name) ? 1 : 0), 0);
	const largest = errors.reduce((a, b) => Math.max(a, b), 0);
	t.true(off <= 0.001 * errors.length, `${f.name}: ${name} has ${off} of ${errors.length} elements off`);
	t.true(largest <= 2 * f.config.steps * f.config.hyper.lr, `${f.name}: ${name} is off by ${largest}`);
}

testGolden(
	'a training trajectory equals the reference: losses, parameters, average, optimiser state',
	'sg2_train',
	(t, f) => {
		const { config, generator, discriminator, g, d } = networksOf(f, 'w.');
		const { hyper, steps, batch } = f.config;
		const arm = buildArm(
			armConfigSchema.parse({
				model: config,
				training: {
					batch,
					learningRate: hyper.lr,
					r1: { gamma: hyper.r1, every: hyper.d_reg_every },
					pathLength: {
						weight: hyper.path_regularize,
						every: hyper.g_reg_every,
						decay: hyper.pl_decay,
						batchShrink: hyper.path_batch_shrink,
					},
				},
			}) as ArmOf<'stylegan2'>,
		);
		const state = initialState(arm, 0);
		state.g = arm.layout.g.fromHost(g);
		state.d = arm.layout.d.fromHost(d);
		const average = fromRosinality(f.group('w.g_ema.'), generator.shapes);
		state.average = arm.layout.g.fromHost(average);
		state.pathMean = { shape: [1], data: Float32Array.of(hyper.mean_path_length_start) };
		const taken = { g: 0, d: 0 };
		if (f.config.resume_optim) {
			for (const [network, shapes] of [
				['g', generator.shapes],
				['d', discriminator.shapes],
			] as const) {
				const second: HostTensors = {};
				for (const name of Object.keys(shapes))
					second[name] = f.tensor(`o.${network}_optim.${name}.exp_avg_sq`);
				state[`${network}.v`] = arm.layout[network].fromHost(fromRosinality(second, shapes));
				taken[network] = f.config.optim_step[`${network}_optim`][0];
			}
		}
		const program = compileSteps(engine, arm, state);
		const adam = (network: 'g' | 'd'): Float32Array => optimizerInput(arm, network, ++taken[network]);
		t.true(
			Math.abs(arm.optimizer.g.rate - hyper.g_lr) < 1e-12 &&
				Math.abs(arm.optimizer.d.rate - hyper.d_lr) < 1e-12,
		);
		t.true(Math.abs(arm.optimizer.g.beta2 - hyper.g_betas[1]) < 1e-12);
		t.true(Math.abs(arm.optimizer.d.beta2 - hyper.d_betas[1]) < 1e-12);

		/** Parameters there now, by the fixture's prefix, in PyTorch's layout. */
		function parameters(): Record<'g' | 'd' | 'ema', HostTensors> {
			const now = program.read(['g', 'd', 'average']);
			return {
				g: toRosinality(arm.layout.g.toHost(now.g!), 'generator'),
				d: toRosinality(arm.layout.d.toHost(now.d!), 'discriminator'),
				ema: toRosinality(arm.layout.g.toHost(now.average!), 'generator'),
			};
		}
		const start = parameters();
		const calls = f.config.calls as Call[];
		let r1 = Number.NaN;
		for (let step = 0; step < steps; step++) {
			const input = (phase: Call['phase']): Record<string, Float32Array> =>
				latents(f, calls.find((call) => call.step === step && call.phase === phase)!, generator.numStyles);
			const real = channelsLast(f.tensor(`s${step}.real`)).data;
			const losses = program.call('d', { ...input('d'), real, adam: adam('d') });
			f.expect(`s${step}.loss_d`, losses.loss!);
			f.expect(`s${step}.real_score`, losses.real!);
			f.expect(`s${step}.fake_score`, losses.fake!);
			if (f.config.r1_steps.includes(step)) {
				r1 = program.call('r1', { real, adam: adam('d') }).penalty!.data[0]!;
			}
			f.expect(`s${step}.r1`, r1);
			f.expect(`s${step}.loss_g`, program.call('g', { ...input('g'), adam: adam('g') }).loss!);
			if (f.config.pl_steps.includes(step)) {
				const y = channelsLast(f.tensor(`s${step}.pl.y`)).data;
				const path = program.call('path', { ...input('pl'), y, adam: adam('g') });
				f.expect(`s${step}.path`, path.penalty!);
				f.expect(`s${step}.path_length`, path.length!);
			}
			f.expect(`s${step}.mean_path_length`, program.read(['pathMean']).pathMean!.data);
			program.call('average', { decay: Float32Array.of(hyper.ema_decay) });

			const now = parameters();
			for (const scalar of f.scalars(`s${step}.`)) {
				const [, network, kind, ...rest] = scalar.split('.') as [
					string,
					'g' | 'd' | 'ema',
					string,
					...string[],
				];
				if (!kind?.startsWith('l2')) continue;
				const name = rest.join('.');
				const { data } = now[network][name]!;
				const change = data.map((value, i) => value - start[network][name]!.data[i]!);
				f.expect(
					scalar,
					norm(kind === 'l2' ? data : change),
					network === 'ema' ? storage(f.atol(scalar), data, step) : 1,
				);
			}
			if (step === 0) {
				for (const name of f.names({ prefix: 'after1.' })) {
					const [, network, ...rest] = name.split('.') as [string, 'g' | 'd', ...string[]];
					expectFinal(t, f, name, now[network][rest.join('.')]!);
				}
			}
		}

		const last = parameters();
		const moments = program.read(['g.v', 'd.v']);
		const second = {
			adam_g: toRosinality(arm.layout.g.toHost(moments['g.v']!), 'generator'),
			adam_d: toRosinality(arm.layout.d.toHost(moments['d.v']!), 'discriminator'),
		};
		for (const name of f.names({ prefix: 'final.' })) {
			const [, group, ...rest] = name.split('.') as [
				string,
				'g' | 'd' | 'ema' | 'adam_g' | 'adam_d',
				...string[],
			];
			if (group === 'adam_g' || group === 'adam_d') {
				f.expect(name, second[group][rest.slice(1).join('.')]!);
			} else {
				expectFinal(t, f, name, last[group][rest.join('.')]!);
			}
		}
		program.dispose();
	},
);
