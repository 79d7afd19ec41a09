// The perceptual term of the solvers: which network it takes, what it compares, what it leaves alone.
import test from 'ava';
import { selectMeasurements } from '../../inverter/index.ts';
import { splitMeasurements } from '../../inverter/solvers/selection.ts';
import { engine, measured, prior, solve, truth, worst } from './solving.ts';
import { randomLpips, tinyPggan, withDiscriminator } from './tiny-prior.ts';

const critic = withDiscriminator(prior);
const holes = measured({ kind: 'inpainting', mask: 'random', ratio: 0.6 });
const small = measured({ kind: 'super-resolution', factor: 2 });
const grey = measured({ kind: 'colorization' });
const sensing = measured({ kind: 'compressed-sensing', ratio: 0.5 });

const term = (more: object = {}): object => ({ perceptual: { weight: 0.5, ...more } });
const latents = { kind: 'ilo', steps: [25], misfit: 0 };

for (const [solver, problem] of [
	[{ kind: 'ilo', steps: [20, 10] }, grey],
	[{ kind: 'mgan', steps: 20, codes: 4 }, holes],
	[{ kind: 'brgm', steps: 20 }, small],
	[{ kind: 'l-brgm', steps: 20, draws: 4 }, holes],
] as const) {
	test(`${solver.kind} lowers an objective with the term`, async (t) => {
		const { result } = await solve({ ...solver, ...term() }, problem, {}, critic);
		t.is(result.perceptual, 'features of the discriminator');
		for (const { objective } of result.history) {
			for (const [i, first] of objective[0]!.entries())
				t.true(Math.min(...objective.map((row) => row[i]!)) < first);
		}
	});
}

test('LPIPS where weights are known, else the discriminator, else no term', async (t) => {
	const run = async (more: object, on = critic, lpips?: typeof randomLpips): Promise<string | undefined> =>
		(await solve({ ...latents, steps: [2], ...term(more) }, small, lpips ? { lpips } : {}, on)).result
			.perceptual;
	t.is(await run({}, critic, randomLpips), 'LPIPS (AlexNet, v0.1)');
	t.is(await run({ network: 'squeeze' }, critic, randomLpips), 'LPIPS (SqueezeNet 1.1, v0.1)');
	t.is(await run({ network: 'discriminator' }, critic, randomLpips), 'features of the discriminator');
	t.is(await run({}), 'features of the discriminator');
	t.is(await run({}, prior), undefined);
	t.is(await run({}, withDiscriminator(tinyPggan(engine))), 'features of the discriminator');
	await t.throwsAsync(() => run({ network: 'vgg' }), {
		message: 'The weights of LPIPS with vgg are not known.',
	});
	await t.throwsAsync(() => run({ network: 'discriminator' }, prior), {
		message:
			'A perceptual term by the discriminator needs it in the checkpoint, but there is none that fits.',
	});
});

test('no term where the problem has no image, or less of it than the options ask for', async (t) => {
	const run = async (more: object, on: typeof small): Promise<string | undefined> =>
		(await solve({ ...latents, steps: [2], ...term(more) }, on, {}, critic)).result.perceptual;
	t.is(await run({}, sensing), undefined);
	await t.throwsAsync(() => run({ network: 'discriminator' }, sensing), {
		message: 'A perceptual term needs a measurement that is an image, but compressed-sensing has none.',
	});
	t.is(await run({ observed: 0.7 }, holes), undefined);
	t.truthy(await run({ observed: 0.5 }, holes));
	t.is(await run({ reduction: 1.5 }, small), undefined);
	t.is(await run({ weight: { inpainting: 1 } }, small), undefined);
	t.truthy(await run({ weight: { inpainting: 1 } }, holes));
});

test('the term changes the result, and of each image its own alone', async (t) => {
	const solver = { ...latents, ...term({ weight: 5 }) };
	const together = (await solve(solver, holes, {}, critic)).result;
	const alone = (await solve(solver, selectMeasurements(holes, [2]), {}, critic)).result;
	const without = (await solve(latents, holes, {}, critic)).result;
	const image = together.images.data.subarray((2 * truth.data.length) / 3);
	t.true(worst(image, alone.images.data) < 1e-3, `${worst(image, alone.images.data)}`);
	t.true(worst(together.images.data, without.images.data) > 1e-2);
});

test('what is held out of the fit does not enter the term', async (t) => {
	const select = { by: 'held-out', fraction: 0.2 } as const;
	const heldOut = splitMeasurements(holes, select, 'mean').state['held-out']!.data;
	const other = { ...holes, y: { ...holes.y, data: holes.y.data.map((v, k) => v + heldOut[k]!) } };
	const solver = { ...latents, patience: 0, select, ...term({ weight: 5 }) };
	const [one, two] = [await solve(solver, holes, {}, critic), await solve(solver, other, {}, critic)];
	for (const [k, row] of one.result.history[0]!.objective.entries())
		t.true(worst(row, two.result.history[0]!.objective[k]!) < 1e-4);
});

test('an LPIPS lowers its objective, too', async (t) => {
	const solver = { ...latents, steps: [12], ...term({ network: 'squeeze' }) };
	const { objective } = (await solve(solver, holes, { lpips: randomLpips })).result.history[0]!;
	for (const [i, first] of objective[0]!.entries())
		t.true(Math.min(...objective.map((row) => row[i]!)) < first);
});
