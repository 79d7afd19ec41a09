// A finished checkpoint holds the statistics of its own latents, and a prior takes them from there.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { readGroup } from '../../checkpoints/index.ts';
import { openEngine } from '../../engine/index.ts';
import { loadPrior, type Prior } from '../../inverter/index.ts';
import { latentStatistics } from '../../models/index.ts';
import { tinyFaces, trainTiny } from './tiny.ts';

const engine = await openEngine();
const folder = await mkdtemp(path.join(tmpdir(), 'rtil-latent-'));
const { file } = await tinyFaces(folder);
test.after.always(() => rm(folder, { recursive: true, force: true }));

for (const kind of ['vanilla', 'pggan'] as const) {
	test.serial(
		`${kind}: mean, covariance and the spread at cuts are those of the weight average`,
		async (t) => {
			const { dir } = await trainTiny(engine, kind, { file, directory: path.join(folder, kind), steps: 8 });
			const group = await readGroup(dir, 'latent');
			const prior = (await loadPrior(engine, dir)) as Prior;
			const { generator, params, latent } = prior;
			t.deepEqual(latent.wMean, group.w_mean!.data);
			const { wDim } = generator;
			t.deepEqual(group.w_covariance!.shape, [wDim, wDim]);
			// Other draws give about the same.
			const other = latentStatistics(engine, generator, params, { seed: 99, samples: 16384 });
			for (let i = 0; i < wDim; i++) {
				const spread = other.wStd[i]!;
				t.true(Math.abs(latent.wMean[i]! - other.wMean[i]!) < 0.1 * spread);
				t.true(Math.abs(latent.wStd[i]! / spread - 1) < 0.1);
				const variance = latent.wCovariance![i * wDim + i]!;
				t.true(Math.abs(variance / spread ** 2 - 1) < 0.2);
				for (let j = 0; j < i; j++) {
					t.is(latent.wCovariance![i * wDim + j], latent.wCovariance![j * wDim + i]);
				}
			}
			t.deepEqual(Object.keys(latent.featureStd), ['b4']);
			t.true(Math.abs(latent.featureStd.b4! / other.featureStd.b4! - 1) < 0.1);
		},
	);
}

test.serial('a PGGAN whose newest block fades in is refused as a prior', async (t) => {
	const { dir } = await trainTiny(engine, 'pggan', {
		file,
		directory: path.join(folder, 'fading'),
		steps: 4,
	});
	await t.throwsAsync(loadPrior(engine, dir), { message: /was saved while a block fades in \(67 %\)/ });
});
