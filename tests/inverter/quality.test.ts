// What reconstructions are judged by: holes where a problem has them, LPIPS where its weights are known.
import path from 'node:path';
import test from 'ava';
import { addWeights } from '../../checkpoints/index.ts';
import { InversionSession, invert } from '../../inverter/index.ts';
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
