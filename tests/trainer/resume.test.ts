// A run that was stopped and goes on ends with the bytes of one that was not.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { latestCheckpoint } from '../../checkpoints/index.ts';
import { openEngine } from '../../engine/index.ts';
import { type Kind, kinds, tinyFaces, trainTiny } from './tiny.ts';

const engine = await openEngine();
const folder = await mkdtemp(path.join(tmpdir(), 'rtil-resume-'));
const { file } = await tinyFaces(folder);
test.after.always(() => rm(folder, { recursive: true, force: true }));

const steps = 8;

/** The checkpoint's tensor files by name. */
async function tensors(dir: string): Promise<Record<string, Buffer>> {
	const names = (await readdir(dir)).filter((name) => name.endsWith('.safetensors')).sort();
	return Object.fromEntries(
		await Promise.all(names.map(async (name) => [name, await readFile(path.join(dir, name))])),
	);
}

async function expectSame(t: ExecutionContext, dir: string, wanted: string): Promise<void> {
	const [found, expected] = [await tensors(dir), await tensors(wanted)];
	t.deepEqual(Object.keys(found), Object.keys(expected));
	t.true(Object.keys(found).length >= 4);
	for (const [name, bytes] of Object.entries(expected)) t.true(found[name]!.equals(bytes), name);
}

const unbroken: Partial<Record<Kind, Promise<string>>> = {};

/** The run in one go: its last checkpoint's folder. */
function inOneGo(kind: Kind): Promise<string> {
	unbroken[kind] ??= trainTiny(engine, kind, {
		file,
		directory: path.join(folder, kind, 'whole'),
		steps,
	}).then(({ dir }) => dir);
	return unbroken[kind];
}

for (const kind of ['vanilla', 'rtil'] as const) {
	test.serial(`${kind}: stopped by a signal between checkpoints and taken up again`, async (t) => {
		const directory = path.join(folder, kind, 'stopped');
		const stop = new AbortController();
		const reason = new Error('enough');
		let taken = 0;
		// Called once before the first step and, for the timers, at every step: aborts in the middle, at an odd step.
		const stopping = trainTiny(engine, kind, {
			file,
			directory,
			steps,
			signal: stop.signal,
			emit: (event) => {
				if (event.type === 'checkpoint') taken = event.step;
				if (event.type === 'checkpoint' && event.step === 4) setImmediate(() => stop.abort(reason));
			},
		});
		t.is(await t.throwsAsync(stopping), reason);
		t.true(taken >= 4 && taken < steps, `stopped after ${taken}`);
		t.is((await latestCheckpoint(directory))?.manifest.step, taken, 'what was done is kept');

		const { dir, checkpoint, events } = await trainTiny(engine, kind, { file, directory, steps });
		t.is(checkpoint.step, steps);
		t.true(
			events.every((event) => event.type !== 'progress' || event.step >= taken),
			'nothing is done twice',
		);
		await expectSame(t, dir, await inOneGo(kind));
	});
}

for (const kind of kinds) {
	test.serial(`${kind}: killed and taken up again`, async (t) => {
		const directory = path.join(folder, kind, 'killed');
		const child = fork(fileURLToPath(new URL('./killed-run.js', import.meta.url)), [kind, file, directory]);
		for (;;) {
			const [step] = (await once(child, 'message')) as [number];
			if (step >= 4) break;
		}
		child.kill('SIGKILL');
		const [, signal] = (await once(child, 'exit')) as [number | null, string];
		t.is(signal, 'SIGKILL');
		const last = (await latestCheckpoint(directory))!.manifest.step;
		const end = Math.max(steps, last + 2 + (last % 2));

		const { dir } = await trainTiny(engine, kind, { file, directory, steps: end });
		const whole =
			end === steps
				? await inOneGo(kind)
				: (await trainTiny(engine, kind, { file, directory: path.join(folder, kind, 'longer'), steps: end }))
						.dir;
		await expectSame(t, dir, whole);
	});
}

test.serial('a run that is done is not done again', async (t) => {
	const dir = await inOneGo('vanilla');
	const again = await trainTiny(engine, 'vanilla', { file, directory: path.dirname(dir), steps });
	t.is(again.dir, dir);
	t.is(again.events.length, 0);
});

test.serial(
	'a damaged last checkpoint is passed over with a warning, and the one before taken',
	async (t) => {
		const directory = path.join(folder, 'damaged');
		const { dir } = await trainTiny(engine, 'vanilla', { file, directory, steps });
		await rm(path.join(dir, 'g.safetensors'));
		const { dir: mended, events } = await trainTiny(engine, 'vanilla', { file, directory: directory, steps });
		const warnings = events.filter((event) => event.type === 'log');
		t.true(warnings.length === 1 && warnings[0]!.level === 'warn', 'it says so');
		await expectSame(t, mended, await inOneGo('vanilla'));
	},
);
