import path from 'node:path';
import test from 'ava';
import { writeCheckpoint } from '../../checkpoints/index.ts';
import { openEngine } from '../../engine/index.ts';
import { loadPrior } from '../../inverter/checkpoint.ts';
import type { Prior } from '../../inverter/index.ts';
import { stylegan2Generator } from '../../models/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { fields } from '../checkpoints/fixture.ts';

const engine = await openEngine();

test('a checkpoint that knows the centre of w alone has it kept and the rest measured', async (t) => {
	const config = { resolution: 8, channels: [4, 4], zDim: 6, wDim: 6, mappingLayers: 1 };
	const dir = path.join(await temporaryFolder(t), 'x');
	const write = (latent?: { wMean: number[] }) =>
		writeCheckpoint(
			dir,
			fields(0, {
				architecture: { generator: { kind: 'stylegan2', ...config }, discriminator: null },
				...(latent ? { latent } : {}),
			}),
			{ g_ema: stylegan2Generator(config).init(1) },
		);
	const latentOf = async (from: string) => ((await loadPrior(engine, from)) as Prior).latent;
	await write();
	const measured = await latentOf(dir);
	const wMean = [1, 2, 3, 4, 5, 6];
	await write({ wMean });
	t.deepEqual(await latentOf(dir), { ...measured, wMean: Float32Array.from(wMean) });
	await write({ wMean: [1] });
	t.deepEqual(await latentOf(dir), measured);
});
