import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import {
	assembleCheckpoint,
	checkpointFiles,
	readGroup,
	readManifest,
	requireArchitecture,
	verifyCheckpoint,
	writeCheckpoint,
} from '../../checkpoints/index.ts';
import { fields, groups, temporaryFolder } from './fixture.ts';

const writer = fileURLToPath(new URL('./writer.js', import.meta.url));

test('a checkpoint comes back as it was written, and equal weights have equal ids', async (t) => {
	const dir = await temporaryFolder(t);
	const written = await writeCheckpoint(path.join(dir, 'a'), fields(5), groups(5));
	t.deepEqual(await readManifest(path.join(dir, 'a')), written);
	t.deepEqual(await verifyCheckpoint(path.join(dir, 'a')), written);
	t.deepEqual(await readGroup(path.join(dir, 'a'), 'g_ema'), groups(5).g_ema);
	t.deepEqual((await readdir(path.join(dir, 'a'))).sort(), [
		'g_ema.safetensors',
		'manifest.json',
		'state.safetensors',
	]);
	t.is((await writeCheckpoint(path.join(dir, 'b'), fields(6), groups(5))).id, written.id);
	t.not((await writeCheckpoint(path.join(dir, 'b'), fields(6), groups(6))).id, written.id);
	t.is((await readManifest(path.join(dir, 'b'))).step, 6);
	t.deepEqual((await readdir(dir)).sort(), ['a', 'b']);
});

test('damage of any kind is named when a checkpoint is read', async (t) => {
	const dir = path.join(await temporaryFolder(t), 'a');
	await t.throwsAsync(readManifest(dir), { code: 'NOT_FOUND', message: /There is no checkpoint in/ });
	await writeCheckpoint(dir, fields(1), groups(1));
	await t.throwsAsync(readGroup(dir, 'd'), { code: 'NOT_FOUND', message: /no group d, only g_ema, state/ });
	const file = path.join(dir, 'g_ema.safetensors');
	const bytes = await readFile(file);
	bytes.writeUInt8(bytes.at(-1)! ^ 1, bytes.length - 1);
	await writeFile(file, bytes);
	await t.throwsAsync(readGroup(dir, 'g_ema'), { code: 'CORRUPT', message: /sha256 differs/ });
	await truncate(file, 20);
	await t.throwsAsync(readGroup(dir, 'g_ema'), { code: 'CORRUPT', message: /has 20 bytes/ });
	await rm(file);
	await t.throwsAsync(verifyCheckpoint(dir), { code: 'CORRUPT', message: /cannot be read/ });
	const manifest = await readManifest(dir);
	const damaged = async (value: object | string, message: RegExp) => {
		await writeFile(
			path.join(dir, 'manifest.json'),
			typeof value === 'string' ? value : JSON.stringify(value),
		);
		await t.throwsAsync(readManifest(dir), { code: 'CORRUPT', message });
	};
	await damaged('{', /is not JSON/);
	await damaged({ ...manifest, step: -1 }, /at step/);
	await damaged({ ...manifest, extra: 1 }, /extra/);
	await damaged({ ...manifest, id: 'f'.repeat(64) }, /at id/);
	await damaged({ ...manifest, files: { '../../x': { sha256: 'f'.repeat(64), bytes: 1 } } }, /at files/);
});

test('files travel one by one and are put together again, checked', async (t) => {
	const dir = await temporaryFolder(t);
	const manifest = await writeCheckpoint(path.join(dir, 'a'), fields(5), groups(5));
	const files = await checkpointFiles(path.join(dir, 'a'));
	t.deepEqual(files.map(({ name }) => name).sort(), ['g_ema.safetensors', 'state.safetensors']);
	const paths = Object.fromEntries(files.map((file) => [file.name, file.path]));
	await assembleCheckpoint(path.join(dir, 'deep', 'b'), manifest, paths);
	t.deepEqual(await verifyCheckpoint(path.join(dir, 'deep', 'b')), manifest);
	await t.throwsAsync(
		assembleCheckpoint(path.join(dir, 'c'), manifest, { ...paths, 'state.safetensors': '' }),
		{
			code: 'CORRUPT',
			message: /without its file state/,
		},
	);
	await t.throwsAsync(
		assembleCheckpoint(path.join(dir, 'c'), manifest, {
			...paths,
			'state.safetensors': paths['g_ema.safetensors']!,
		}),
		{ code: 'CORRUPT' },
	);
	t.deepEqual((await readdir(dir)).sort(), ['a', 'deep']);
});

test('another architecture is refused by the field that differs', async (t) => {
	const dir = path.join(await temporaryFolder(t), 'a');
	const manifest = await writeCheckpoint(dir, fields(1), groups(1));
	const generator = { kind: 'stylegan2', resolution: 32, channels: [64, 32] };
	t.notThrows(() => requireArchitecture(manifest, { generator }));
	t.notThrows(() => requireArchitecture(manifest, { generator: { ...generator, extra: undefined } }));
	t.throws(() => requireArchitecture(manifest, { generator: { ...generator, channels: [64, 16] } }), {
		code: 'MISMATCH',
		message: /generator\.channels\.1 is 32, not 16$/,
	});
	t.throws(() => requireArchitecture(manifest, { generator, discriminator: { kind: 'pggan' } }), {
		message: /discriminator\.kind is "stylegan2", not "pggan"$/,
	});
});

test('a full disk leaves the checkpoint before it whole', async (t) => {
	const dir = await temporaryFolder(t);
	await mkdir(path.join(dir, 'run'));
	await writeCheckpoint(path.join(dir, 'run', 'a'), fields(1), groups(1));
	// A limit on the size of files stands in for the disk: the same write fails, with its own code.
	const child = execFile('bash', [
		'-c',
		'ulimit -f 8; exec "$0" "$@"',
		process.execPath,
		writer,
		path.join(dir, 'run', 'a'),
		'once',
	]);
	let said = '';
	child.stdout!.on('data', (text) => {
		said += text;
	});
	await once(child, 'exit');
	t.is(said, 'EXHAUSTED');
	t.is((await verifyCheckpoint(path.join(dir, 'run', 'a'))).step, 1);
	t.deepEqual(await readdir(path.join(dir, 'run')), ['a']);
});

test('a writer killed at any moment leaves only whole checkpoints', async (t) => {
	const dir = await temporaryFolder(t);
	for (let round = 0; round < 3; round++) {
		const parent = path.join(dir, `${round}`);
		const child = execFile(process.execPath, [writer, parent, 'forever']);
		await once(child.stdout!, 'data'); // the first one is written, the next is under way
		child.kill('SIGKILL');
		await once(child, 'exit');
		const names = (await readdir(parent)).filter((name) => !name.startsWith('.'));
		t.true(names.length > 0);
		for (const name of names) await t.notThrowsAsync(verifyCheckpoint(path.join(parent, name)));
	}
});
