// A small run folder as a run leaves it, in a temporary place.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import sharp from 'sharp';
import type { ResultRow } from '../../metrics/index.ts';
import { runFiles, writeReport } from '../../report/index.ts';

/** An empty folder that goes when the test ends. */
export async function emptyRun(t: ExecutionContext): Promise<string> {
	const folder = await mkdtemp(path.join(tmpdir(), 'rtil-report-'));
	t.teardown(() => rm(folder, { recursive: true, force: true }));
	return folder;
}

export async function put(folder: string, file: string, content: string | Buffer | object): Promise<void> {
	const target = path.join(folder, file);
	await mkdir(path.dirname(target), { recursive: true });
	const text = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content);
	await writeFile(target, text);
}

export function row(arm: string, i: number, psnr: number | null, more: Partial<ResultRow> = {}): ResultRow {
	return {
		arm,
		solver: 'ilo',
		problem: 'inpainting',
		level: 0.25,
		image: `face-${i}.png`,
		seed: 0,
		psnr,
		ssim: 0.6 + 0.01 * i,
		residual: 0.1,
		seconds: 3,
		...more,
	};
}

/** Four images an arm: with ILO RTIL gains 1 dB and a little, with CSGM it goes up and down. */
export const rows: readonly ResultRow[] = [0, 1, 2, 3].flatMap((i) => [
	row('vanilla', i, 20 + i),
	row('rtil', i, 21 + i + 0.1 * (i % 2)),
	row('vanilla', i, 18 + i, { solver: 'csgm' }),
	row('rtil', i, 18 + i + (i % 2 ? 1 : -1), { solver: 'csgm' }),
]);

/** A complete run of two arms. */
export async function completeRun(t: ExecutionContext): Promise<string> {
	const folder = await emptyRun(t);
	const picture = await sharp({ create: { width: 40, height: 8, channels: 3, background: '#c86' } })
		.png()
		.toBuffer();
	await put(folder, runFiles.results, {
		rows,
		summary: [],
		provenance: {
			run: 'small',
			state: 'complete',
			command: 'rtil run small.yaml',
			budgetRule: 'equal-steps',
			selection: 'held-out measurements',
			arms: ['vanilla', 'rtil'].map((name, i) => ({
				name,
				state: 'complete',
				steps: 200,
				images: 3200,
				flops: 1e13 * (1 + i),
				checkpoint: 'ab'.repeat(32),
			})),
			seeds: { training: 7 },
			versions: { engine: 'native (TensorFlow)' },
			hashes: { dataset: 'cd'.repeat(32) },
			hardware: { cpu: 'two cores' },
		},
	});
	await put(folder, runFiles.resolved, {
		name: 'small',
		seed: 7,
		arms: [{ name: 'vanilla' }, { name: 'rtil' }],
	});
	for (const arm of ['vanilla', 'rtil']) {
		const lines = Array.from({ length: 20 }, (_, i) => ({
			step: 10 * (i + 1),
			images: 160 * (i + 1),
			losses: { d: 1 / (i + 1), g: 1 + i / 20, r1: i % 2 ? null : 0.1 },
			imagesPerSecond: 50,
			time: 1_800_000_000_000 + i,
		}));
		await put(folder, runFiles.metrics(arm), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
		for (const step of [0, 100, 200]) await put(folder, runFiles.sample(arm, step), picture);
		for (const solver of ['ilo', 'csgm'])
			await put(folder, runFiles.reconstruction(arm, solver, 'inpainting', 0.25), picture);
	}
	await put(folder, runFiles.truth, picture);
	await put(folder, runFiles.measurement('inpainting', 0.25), picture);
	return folder;
}

/** Writes the report of a folder and reads it back. */
export async function reportOf(folder: string): Promise<string> {
	const { file } = await writeReport(folder);
	return readFile(file, 'utf8');
}

/** What a reader sees of a piece of HTML: text with single spaces. */
export function textOf(html: string): string {
	const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' };
	return html
		.replace(/<style>.*?<\/style>|<svg.*?<\/svg>/gs, '')
		.replace(/<[^>]*>/g, ' ')
		.replace(/&(lt|gt|quot|#39|amp);/g, (_, name) => entities[name] as string)
		.replace(/\s+/g, ' ')
		.trim();
}

/** The element with an id, as HTML; elements of its kind inside it are not expected. */
export function element(html: string, tag: string, id: string): string {
	return new RegExp(`<${tag}[^>]* id="${id}".*?</${tag}>`, 's').exec(html)?.[0] ?? '';
}
