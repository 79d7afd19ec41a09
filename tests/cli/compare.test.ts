// rtil compare: the same measurements for all, results kept in a file, tables.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { encodeTorch } from '../../checkpoints/index.ts';
import { encodePng } from '../../data/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { faceState } from '../checkpoints/face-files.ts';
import { picture, writeTinyCheckpoint } from '../inverter/node-fixture.ts';
import { runRtil } from './rtil.ts';

test('two checkpoints by two solvers; what is in the file of rows is not done again', async (t) => {
	const dir = await temporaryFolder(t);
	await writeTinyCheckpoint(path.join(dir, 'vanilla'));
	await writeTinyCheckpoint(path.join(dir, 'rtil'), 'rtil', 11);
	for (const [i, name] of ['p', 'q', 'r'].entries())
		await writeFile(path.join(dir, `${name}.png`), await picture(i));
	const words = [
		...['compare', 'vanilla', 'rtil', '--test-data', '.', '--images', '2', '--json', '--threads', '1'],
		...[
			'--solver',
			'ilo:steps=[3,2,2]',
			'--solver',
			'mean',
			'--rows',
			'kept.jsonl',
			'--markdown',
			'table.md',
		],
	];
	const run = async (...more: string[]) => {
		const { code, out, err } = await runRtil(t, [...words, ...more], { cwd: dir });
		t.is(code, 0, err);
		return JSON.parse(out);
	};
	const { rows, summary } = await run();
	t.deepEqual(
		rows.map((row: Record<string, unknown>) => [row.arm, row.solver, row.image]),
		['vanilla', 'rtil'].flatMap((arm) =>
			['ilo', 'mean'].flatMap((solver) => ['p.png', 'q.png'].map((image) => [arm, solver, image])),
		),
	);
	t.is(summary.length, 4);
	// What uses no network is the same for both, on the same measurements.
	const means = rows.filter((row: { solver: string }) => row.solver === 'mean');
	t.deepEqual(
		means.slice(0, 2).map((row: { psnr: number }) => row.psnr),
		means.slice(2).map((row: { psnr: number }) => row.psnr),
	);
	const table = await readFile(path.join(dir, 'table.md'), 'utf8');
	t.regex(table, /^\| ilo \| \d+\.\d\d \|.*\| [+-]?\d+\.\d\d \[/m);

	const kept = await readFile(path.join(dir, 'kept.jsonl'), 'utf8');
	// Seconds are part of a row: they too are those of the first time.
	t.deepEqual(await run(), { rows, summary });
	t.is(await readFile(path.join(dir, 'kept.jsonl'), 'utf8'), kept);
	const other = await run('--seed', '1');
	t.notDeepEqual(other.rows[0].psnr, rows[0].psnr);
	t.true((await readFile(path.join(dir, 'kept.jsonl'), 'utf8')).startsWith(kept));
});

test('rows of a time when fewer networks judged are done again', async (t) => {
	const dir = await temporaryFolder(t);
	await writeTinyCheckpoint(path.join(dir, 'vanilla'));
	await writeFile(path.join(dir, 'face.pth'), encodeTorch(faceState()));
	// The user's own caches are not touched.
	const env = { cwd: dir, RTIL_CACHE: path.join(dir, 'cache') };
	const compare = async (): Promise<{ identity?: number; psnr: number }[]> => {
		const words = [
			'compare',
			'vanilla',
			'--images',
			'1',
			'--solver',
			'mean',
			'--rows',
			'rows.jsonl',
			'--json',
		];
		const { code, out, err } = await runRtil(t, [...words, '--engine', 'wasm'], env);
		t.is(code, 0, err);
		return JSON.parse(out).rows;
	};
	const [before] = await compare();
	t.is(before!.identity, undefined);
	const { code, err } = await runRtil(t, ['weights', 'add', 'face.pth'], env);
	t.is(code, 0, err);
	const [after] = await compare();
	t.true(after!.identity! >= -1 && after!.identity! <= 1);
	t.is(after!.psnr, before!.psnr);
});

test('of a folder that was split, the part that training has not seen', async (t) => {
	const dir = await temporaryFolder(t);
	await writeTinyCheckpoint(path.join(dir, 'vanilla'));
	const grey = encodePng(new Float32Array(256 * 3), { width: 16, height: 16, channels: 3 });
	for (let i = 0; i < 30; i++) await writeFile(path.join(dir, `${i}.png`), await grey);
	const images = async (...more: string[]): Promise<string[]> => {
		const words = ['compare', 'vanilla', '--test-data', '.', '--images', '30', '--solver', 'mean', '--json'];
		const { code, out, err } = await runRtil(t, [...words, ...more], { cwd: dir });
		t.is(code, 0, err);
		return JSON.parse(out).rows.map((row: { image: string }) => row.image);
	};
	const all = await images();
	const some = await images('--holdout', '0.3');
	t.is(all.length, 30);
	t.true(some.length > 2 && some.length < 20, `${some.length} of 30`);
	t.true(some.every((name) => all.includes(name)));
	const { code, err } = await runRtil(t, ['compare', 'vanilla', '--holdout', '0.3'], { cwd: dir });
	t.is(code, 2);
	t.regex(err, /--holdout is of a folder/);
});
