import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { connectTo, first, temporaryFolder, untilGone } from '../bus/server.ts';
import { root, rtil, runRtil } from './rtil.ts';

/** The tiny example, a little longer and with checkpoints in between, so that there is a middle to be killed in. */
async function experimentIn(dir: string): Promise<string> {
	const text = await readFile(`${root}examples/tiny.yaml`, 'utf8');
	const file = path.join(dir, 'tiny.yaml');
	const smaller = text.replace('steps: 12', 'steps: 80').replace(/\n.*kind: csgm.*/, '');
	await writeFile(file, `${smaller}checkpointEvery: { steps: 10 }\n`);
	return file;
}

/** Digests of the files of the last checkpoint of each arm. */
async function finalCheckpoints(run: string): Promise<Record<string, string>> {
	const digests: Record<string, string> = {};
	for (const arm of ['vanilla', 'rtil']) {
		const folder = path.join(run, 'arms', arm, 'checkpoints', '000000080');
		for (const name of (await readdir(folder)).filter((file) => file.endsWith('.safetensors'))) {
			digests[`${arm}/${name}`] = createHash('sha256')
				.update(await readFile(path.join(folder, name)))
				.digest('hex');
		}
	}
	return digests;
}

test('a run leaves its evidence, and killing trainer or whole program in the middle does not change it', async (t) => {
	t.timeout(150_000);
	const dir = await temporaryFolder(t);
	const file = await experimentIn(dir);

	// Unbroken.
	const whole = await runRtil(t, ['run', file, '--out', path.join(dir, 'whole')]);
	t.is(whole.code, 0, whole.err);
	t.regex(whole.out, /problem +solver +arm +PSNR dB +SSIM +ΔPSNR vs vanilla/);
	t.regex(whole.out, /inpainting 0\.5 +ilo +rtil +\d/);
	const run = path.join(dir, 'whole', 'tiny');
	t.true(whole.out.includes(path.join(run, 'report.html')));
	const results = JSON.parse(await readFile(path.join(run, 'results.json'), 'utf8'));
	t.deepEqual(Object.keys(results), ['rows', 'summary', 'provenance']);
	t.is(results.rows.length, 2 * 2);
	// LPIPS depends on the weights that this user has.
	const keys = Object.keys(results.rows[0]).filter((key) => !/^(lpips|identity|niqe)/.test(key));
	t.deepEqual(keys, [
		'arm',
		'solver',
		'problem',
		'level',
		'image',
		'seed',
		'psnr',
		'ssim',
		'holePsnr',
		'holeSsim',
		'compositedPsnr',
		'compositedSsim',
		'residual',
		'seconds',
	]);
	t.deepEqual(JSON.parse(await readFile(path.join(run, 'resolved.json'), 'utf8')).steps, {
		vanilla: 80,
		rtil: 80,
	});
	for (const name of [
		'experiment.yaml',
		'report.html',
		'log.jsonl',
		'events.jsonl',
		'arms/rtil/metrics.jsonl',
		'evaluation/truth.png',
	]) {
		t.true((await readFile(path.join(run, name))).length > 0, name);
	}

	// Broken: the trainer and its worker are killed, then the program itself is stopped and started again.
	const words = ['run', file, '--out', path.join(dir, 'broken')];
	const program = rtil(t, words);
	await program.says(/NATS at nats:\S+/);
	await program.says(/vanilla: 0\/80/); // everybody is connected
	const url = /NATS at (nats:\S+)/.exec(program.output().err)![1]!;
	const bus = await connectTo(t, url);
	const checkpoint = await first(bus.followEvents('tiny', { kind: 'checkpoint' }));
	t.true((checkpoint.data.step as number) < 80);
	const trainer = (await bus.nodes()).find((node) => node.class === 'train')!;
	process.kill(trainer.pid, 'SIGKILL');
	await untilGone(trainer.workerPid);
	await program.says(/trainer was killed by SIGKILL; starting it again/);
	await first(bus.followEvents('tiny', { kind: 'checkpoint', from: checkpoint.sequence + 1 }));
	await bus.close();
	program.child.kill('SIGINT');
	t.is(await program.ended, 130, program.output().err);
	const again = await runRtil(t, words);
	t.is(again.code, 0, again.err);
	t.regex(again.err, /goes on where it stopped/);

	t.deepEqual(await finalCheckpoints(path.join(dir, 'broken', 'tiny')), await finalCheckpoints(run));
	const after = JSON.parse(await readFile(path.join(dir, 'broken', 'tiny', 'results.json'), 'utf8'));
	const numbers = (rows: { psnr: number; arm: string }[]): string[] =>
		rows.map(({ arm, psnr }) => `${arm} ${psnr}`).sort();
	t.deepEqual(numbers(after.rows), numbers(results.rows));
	const steps = (await readFile(path.join(dir, 'broken', 'tiny', 'arms', 'vanilla', 'metrics.jsonl'), 'utf8'))
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line).step as number);
	t.deepEqual(
		steps,
		[...new Set(steps)].sort((a, b) => a - b),
	);

	// Complete: the same command only says so.
	const complete = await runRtil(t, words);
	t.is(complete.code, 0);
	t.regex(complete.err, /complete already/);
});
