// What reconstructions are judged by: holes where a problem has them, what weights of the user are known for, MS-SSIM where
// its scales fit.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { addWeights, encodeTorch } from '../../checkpoints/index.ts';
import { InversionSession, invert } from '../../inverter/index.ts';
import { faceState } from '../checkpoints/face-files.ts';
import { pristineNpz } from '../checkpoints/pristine-files.ts';
import { drawnWeights, writePublished } from '../checkpoints/weights-files.ts';
import { picture, temporaryFolder } from './node-fixture.ts';
import { engine } from './solving.ts';

const { signal } = new AbortController();
const files = await Promise.all(
	[1, 2].map(async (n) => ({ name: `${n}`, file: new Uint8Array(await picture(n, 32)) })),
);

async function judged(session: InversionSession, problem: object, images = files) {
	const payload = { input: { problem, images, resize: false }, solver: { kind: 'tv', steps: 20 }, seed: 3 };
	return (await invert(session, payload, { signal, emit: () => {} })).images;
}

test.serial(
	'holes are judged where pixels are missing; the composite is never worse without noise',
	async (t) => {
		process.env.RTIL_CACHE = await temporaryFolder(t);
		const session = new InversionSession(engine);
		t.teardown(() => session.dispose());
		for (const problem of [
			{ kind: 'inpainting', mask: 'random', ratio: 0.5 },
			{ kind: 'inpainting', mask: 'half' },
		]) {
			for (const image of await judged(session, problem)) {
				t.true(image.compositedPsnr! >= image.psnr!);
				t.true(image.holePsnr! < image.compositedPsnr!, 'all that is wrong is in the hole');
				t.true(Number.isFinite(image.holeSsim) && Number.isFinite(image.compositedSsim));
				t.is(image.lpips, null);
			}
		}
		for (const problem of [
			{ kind: 'inpainting', mask: 'random', ratio: 1 },
			{ kind: 'compressed-sensing', ratio: 0.5 },
			{ kind: 'super-resolution', factor: 2 },
			{
				kind: 'composition',
				steps: [
					{ kind: 'deblurring', kernel: 'uniform', size: 3 },
					{ kind: 'inpainting', mask: 'half' },
				],
			},
		]) {
			for (const image of await judged(session, problem)) {
				t.like(image, { holePsnr: null, holeSsim: null, compositedPsnr: null, compositedSsim: null });
				t.true(Number.isFinite(image.psnr));
			}
		}
	},
);

test.serial('LPIPS judges where weights are known and fit the image, with network and version', async (t) => {
	const dir = await temporaryFolder(t);
	process.env.RTIL_CACHE = dir;
	const published = await writePublished(dir, 'squeeze', drawnWeights('squeeze'));
	for (const file of [published.backbone, published.heads])
		await addWeights(file, { dir: path.join(dir, 'weights') });
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const problem = { kind: 'inpainting', mask: 'random', ratio: 0.5 };
	const both = await judged(session, problem);
	for (const { lpips, lpipsBy } of both) {
		t.is(lpipsBy, 'LPIPS (SqueezeNet 1.1, v0.1)');
		t.true(lpips! > 0);
	}
	const [alone] = await judged(session, problem, [files[1]!]);
	t.true(Math.abs(alone!.lpips! / both[1]!.lpips! - 1) < 1e-3);
	const small = { name: 'small', file: new Uint8Array(await picture(1, 16)) };
	t.like((await judged(session, problem, [small]))[0], { lpips: null, lpipsBy: null });
});

test.serial('identity judges colour images where a face network is known, and says which', async (t) => {
	const dir = await temporaryFolder(t);
	process.env.RTIL_CACHE = dir;
	const file = path.join(dir, 'tiny.pth');
	await writeFile(file, encodeTorch(faceState()));
	await addWeights(file, { dir: path.join(dir, 'weights') });
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const solved = await judged(session, { kind: 'inpainting', mask: 'random', ratio: 0.5 });
	for (const { identity, identityBy, lpips } of solved) {
		t.regex(identityBy!, /^identity \(iresnet 1-2-1-1 of tiny\.pth, [0-9a-f]{12}\)$/);
		t.true(identity! > -1 && identity! < 1);
		t.is(lpips, null);
	}
	// What is measured wholly is found, and is the same person.
	const [same] = await judged(session, { kind: 'inpainting', mask: 'random', ratio: 1 });
	t.true(same!.identity! > 0.99, `${same!.identity}`);
});

test.serial('MS-SSIM judges images whose sides are above 160', async (t) => {
	process.env.RTIL_CACHE = await temporaryFolder(t);
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const problem = { kind: 'inpainting', mask: 'random', ratio: 0.5 };
	for (const [side, there] of [
		[160, false],
		[161, true],
	] as const) {
		const large = { name: 'large', file: new Uint8Array(await picture(1, side)) };
		const [image] = await judged(session, problem, [large]);
		t.is(image!.msssim !== null, there);
		if (there) t.true(image!.msssim! > 0 && image!.msssim! < 1);
	}
});

test.serial('NIQE judges images of two blocks where statistics are known, and says which', async (t) => {
	const dir = await temporaryFolder(t);
	process.env.RTIL_CACHE = dir;
	const file = path.join(dir, 'niqe_pris_params.npz');
	await writeFile(file, pristineNpz());
	await addWeights(file, { dir: path.join(dir, 'weights') });
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const problem = { kind: 'inpainting', mask: 'random', ratio: 0.5 };
	const large = { name: 'large', file: new Uint8Array(await picture(1, 192)) };
	const [judgedLarge] = await judged(session, problem, [large]);
	t.true(judgedLarge!.niqe! > 0 && Number.isFinite(judgedLarge!.niqe));
	t.regex(judgedLarge!.niqeBy!, /^NIQE \(niqe_pris_params\.npz, [0-9a-f]{12}\)$/);
	t.like((await judged(session, problem))[0], { niqe: null, niqeBy: null });
});
