// A folder to invert in: checkpoints of small random networks, images, masks, a measurement.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { writeCheckpoint } from '../../checkpoints/index.ts';
import { encodePng } from '../../data/index.ts';
import { pgganGenerator } from '../../models/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { picture, writeTinyCheckpoint } from '../inverter/node-fixture.ts';

async function writePggan(dir: string): Promise<void> {
	const config = { dialect: 'karras' as const, resolution: 16, channels: [8, 8, 8], zDim: 8 };
	const about = { run: 'tiny', arm: 'vanilla', step: 1, images: 0, seed: 0, engine: 'none' };
	const architecture = { generator: { kind: 'pggan', ...config }, discriminator: null };
	await writeCheckpoint(
		dir,
		{
			...about,
			createdAt: '2026-01-01T00:00:00.000Z',
			architecture,
			rtil: null,
			dataset: null,
			parent: null,
			metrics: {},
		},
		{ g_ema: pgganGenerator(config).init(1) },
	);
}

/** One grey image whose pixels are 0 or 1. */
export async function blackAndWhite(side: number, white: (row: number, column: number) => boolean) {
	const data = Float32Array.from({ length: side * side }, (_, i) =>
		white(Math.floor(i / side), i % side) ? 1 : -1,
	);
	return encodePng(data, { width: side, height: side, channels: 1 });
}

/**
 * `stylegan2` and `pggan`: checkpoints at 16²; `a.png`, `b.png`: images of that size, `big.png` of 20², `tiny.png` of 8²;
 * `black.png`, `left.png`: masks; `dot.png`: a kernel of 3 × 3.
 */
export async function inversionFolder(t: ExecutionContext): Promise<string> {
	const dir = await temporaryFolder(t);
	const at = (name: string): string => path.join(dir, name);
	await writeTinyCheckpoint(at('stylegan2'), 'rtil');
	await writePggan(at('pggan'));
	await writeFile(at('a.png'), await picture(1));
	await writeFile(at('b.png'), await picture(2));
	await writeFile(at('big.png'), await picture(3, 20));
	await writeFile(at('tiny.png'), await picture(4, 8));
	await writeFile(at('black.png'), await blackAndWhite(16, () => false));
	await writeFile(at('left.png'), await blackAndWhite(16, (_, column) => column < 8));
	await writeFile(at('dot.png'), await blackAndWhite(3, (row, column) => row === 1 && column === 1));
	return dir;
}
