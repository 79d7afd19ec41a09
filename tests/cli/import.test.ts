// PyTorch both ways through the command line, with a checkpoint that PyTorch wrote.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import test from 'ava';
import { encodeTorch, readGroup, readManifest, readTorch, stateDict } from '../../checkpoints/index.ts';
import { toPggan } from '../../checkpoints/pytorch/index.ts';
import { openEngine } from '../../engine/index.ts';
import { architectureSchema, type GanArchitecture, generatorOf, pgganGenerator } from '../../models/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { type Fixture, fixtures, fixturesDir, testGolden } from '../golden.ts';
import { channelsFirst, images, load } from '../models/networks.ts';
import { runRtil } from './rtil.ts';

await openEngine();

/** Images of the imported average and generator against the fixture that has the same weights. */
async function compareImages(dir: string, forward: Fixture): Promise<void> {
	const { architecture } = await readManifest(dir);
	const generator = generatorOf(architectureSchema.parse(architecture.generator) as GanArchitecture);
	const given = generator.noiseShapes.map((_, i) => images(forward.tensor(`noise.${i}`)));
	const draw = async (group: string, noises: tf.Tensor[]) => {
		const params = load(await readGroup(dir, group));
		const w = generator.map(params, load({ z: forward.tensor('z1') }).z!);
		const styles = tf.tile(tf.expandDims(w, 1), [1, generator.numStyles, 1]);
		return channelsFirst(generator.synthesize(params, { styles, noises }));
	};
	forward.expect('image_ema', await draw('g_ema', given));
	forward.expect('image_single', await draw('g', given));
	const stored = load(await readGroup(dir, 'noises'));
	const fixed = generator.noiseShapes.map((_, i) => stored[`g.noise_${i}`]!);
	forward.expect('image_buffer_noise', await draw('g', fixed));
}

testGolden(
	'rtil import gives the images of the reference; rtil export gives its file back; sample and invert take it',
	'sg2_checkpoint',
	async (t, fixture) => {
		const dir = await temporaryFolder(t);
		const run = async (...words: string[]) => {
			const result = await runRtil(t, words, { cwd: dir });
			t.is(result.code, 0, result.err);
			return result;
		};
		const [pt, weights] = (fixture.json.files as string[]).map((name) => path.join(fixturesDir, name));
		const { out, err } = await run('import', pt!, '--out', 'first', '--name', 'reference');
		t.regex(err, /found StyleGAN2 of rosinality/);
		const { size, style_dim: dimensions } = fixture.config;
		t.true(out.includes(`stylegan2, resolution ${size}, `) && out.includes(`wDim ${dimensions}`), out);
		t.regex(out, /^ {2}an optimiser's state: .*: g_optim, d_optim$/m);
		const first = path.join(dir, 'first');
		t.like(await readManifest(first), { arm: 'reference', step: 0, images: 0, dataset: null, rtil: null });
		const forward = fixtures('sg2_forward').filter(({ json }) => json.shared?.w === path.basename(weights!));
		for (const each of forward) {
			await compareImages(first, each);
			t.log(
				`${each.name}: at most ${each.closest.ratio.toPrecision(2)} of the tolerance, at ${each.closest.name}`,
			);
		}

		const written = JSON.parse((await run('export', 'first', '--out', 'back.pt', '--json')).out);
		t.deepEqual(written.keys, ['g', 'd', 'g_ema']);
		const [original, back] = [await readTorch(pt!), await readTorch(path.join(dir, 'back.pt'))];
		for (const part of ['g', 'd', 'g_ema']) t.deepEqual(stateDict(back, [part]), stateDict(original, [part]));
		const again = JSON.parse((await run('import', 'back.pt', '--out', 'again', '--json')).out);
		t.is(again.manifest.id, (await readManifest(first)).id);

		await run('sample', 'again', '--count', '1', '--to', 'face.png');
		const inverted = await run(
			'invert',
			'face.png',
			'--checkpoint',
			'again',
			'--problem',
			'inpainting:mask=random,ratio=0.5',
			'--solver',
			'csgm:steps=3',
			'--json',
		);
		t.true(Number.isFinite(JSON.parse(inverted.out)[0]?.psnr ?? Number.NaN), inverted.out);
	},
);

test('--keys prints every entry and what it became; no second import goes into the folder', async (t) => {
	const dir = await temporaryFolder(t);
	const { shapes, init } = pgganGenerator({ dialect: 'zoo', resolution: 8, channels: [4, 3], zDim: 5 });
	const state = toPggan(init(1), { dialect: 'zoo', network: 'generator' });
	await writeFile(path.join(dir, 'x.pth'), encodeTorch({ avgG: state }));
	const { code, out, err } = await runRtil(t, ['import', 'x.pth', '--keys'], { cwd: dir });
	t.is(code, 0, err);
	t.regex(out, /avgG\.formatLayer\.module\.weight +\[64,5\] +g_ema\/formatLayer\.module\.weight +\[5,64\]/);
	for (const name of Object.keys(shapes)) t.true(out.includes(`avgG.${name}`), name);
	const again = await runRtil(t, ['import', 'x.pth'], { cwd: dir });
	t.is(again.code, 2);
	t.regex(again.err, /rtil: x is not empty\. Name another folder with --out\.\n$/);
});

test('a file without a known network names what is known', async (t) => {
	const dir = await temporaryFolder(t);
	await writeFile(path.join(dir, 'x.pth'), encodeTorch({ weights: {} }));
	const { code, err } = await runRtil(t, ['import', 'x.pth'], { cwd: dir });
	t.is(code, 2);
	t.regex(
		err,
		/rtil: x\.pth holds no generator that is known; it has the keys weights\. Known are: StyleGAN2/,
	);
});
