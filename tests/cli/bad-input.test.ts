import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { temporaryFolder } from '../bus/server.ts';
import { runRtil } from './rtil.ts';

const cases: [title: string, words: string[], code: number, message: RegExp][] = [
	['an unknown command', ['rum'], 2, /^rtil: unknown command 'rum'.*Did you mean.*run/],
	['an unknown option', ['run', 'x.yaml', '--dryrun'], 2, /^rtil: unknown option '--dryrun'.*--dry-run/],
	['a missing argument', ['run'], 2, /^rtil: missing required argument 'file'/],
	[
		'a file that is not there',
		['run', 'nowhere.yaml'],
		2,
		/^rtil: Expected a readable experiment file at nowhere\.yaml \(ENOENT\)\. Give/,
	],
	[
		'a budget without a unit',
		['demo', '--budget', '15'],
		2,
		/^rtil: Expected a time such as 90s, 15m or 2h for --budget but received "15"/,
	],
	['a port that cannot be', ['up', '--nats-port', '99999'], 2, /--nats-port.*whole number from 1 to 65535/],
	['an engine that is none', ['demo', '--engine', 'quantum'], 2, /--engine.*auto, gpu, native, wasm/],
	['no NATS at the URL', ['runs', '--nats', 'nats://127.0.0.1:1'], 3, /^rtil: .*nats:\/\/127\.0\.0\.1:1/],
	['no cluster at all', ['cancel', 'demo'], 3, /^rtil: No cluster runs under .*\. Name one with --nats URL/],
	[
		'a folder without checkpoints',
		['sample', 'empty'],
		2,
		/^rtil: Expected the folder of a checkpoint.*"empty"/,
	],
	[
		'a problem that is none',
		['invert', 'rtil.yaml', '--checkpoint', 'x', '--problem', 'magic'],
		2,
		/^rtil: .*--problem/,
	],
	[
		'a resume folder for an inversion at a server',
		['invert', 'rtil.yaml', '--server', 'localhost:1', '--resume-dir', 'x'],
		2,
		/^rtil: --resume-dir is for inversions here.*Leave one/,
	],
	['a solver that is none', ['compare', 'x', '--solver', 'magic'], 2, /^rtil: .*--solver/],
	[
		'a solver given twice',
		['compare', 'x', '--solver', 'ilo', '--solver', 'ilo'],
		2,
		/^rtil: Expected each kind.* ilo twice/,
	],
	['a folder without images', ['data', 'prepare', 'empty'], 2, /^rtil: .*empty/],
	[
		'a run that does not exist',
		['runs', 'nothing'],
		2,
		/^rtil: Expected the name of a run but received "nothing"/,
	],
];

for (const [title, words, code, message] of cases) {
	test.serial(`${title} is one line with a remedy and exit code ${code}`, async (t) => {
		const dir = await temporaryFolder(t);
		await writeFile(path.join(dir, 'rtil.yaml'), 'x');
		const result = await runRtil(t, words, { cwd: dir, RTIL_CACHE: path.join(dir, 'cache') });
		t.is(result.code, code, result.err);
		t.regex(result.err, message);
		t.is(result.err.trim().split('\n').length, 1, result.err);
		t.false(/\n\s+at /.test(result.err));
		t.is(result.out, '');
	});
}

test('an experiment file with a fault names file, line and column, and --debug shows where in the program', async (t) => {
	const dir = await temporaryFolder(t);
	const file = path.join(dir, 'mine.yaml');
	await writeFile(file, 'name: mine\nresolutoin: 16\n');
	const { code, err } = await runRtil(t, ['run', file, '--dry-run']);
	t.is(code, 2);
	t.true(err.startsWith(`rtil: ${file}:2:1: unknown key "resolutoin"; did you mean "resolution"?`), err);
	t.regex((await runRtil(t, ['run', file, '--debug'])).err, /\n\s+at /);
});
