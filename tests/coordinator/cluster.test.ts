import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { Bus } from '../../bus/index.ts';
import { startCluster } from '../../coordinator/index.ts';
import { connectTo, temporaryFolder, untilGone } from '../bus/server.ts';

/** A program with a cluster, once a trainer reports itself; and every process that belongs to it. */
async function startProgram(
	t: ExecutionContext,
): Promise<{ program: ChildProcess; bus: Bus; pids: number[]; trainer: number }> {
	const dir = await temporaryFolder(t);
	const program = fork(fileURLToPath(new URL('./fixtures/cluster.js', import.meta.url)), [dir], {
		stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
		env: { ...process.env, RTIL_TEST_JOBS: path.join(dir, 'jobs') },
	});
	t.teardown(() => program.kill('SIGKILL'));
	const [{ url }] = (await once(program, 'message')) as [{ url: string }];
	const bus = await connectTo(t, url);
	const { pid: trainer, workerPid } = await trainerNode(bus);
	const server = JSON.parse(await readFile(path.join(dir, 'nats', 'server.json'), 'utf8')) as { pid: number };
	return { program, bus, pids: [program.pid!, server.pid, trainer, workerPid], trainer };
}

async function trainerNode(bus: Bus, other?: number): Promise<{ pid: number; workerPid: number }> {
	for (;;) {
		const node = (await bus.nodes()).find(
			(one) => one.pid !== other && one.workerPid > 0 && one.state === 'idle',
		);
		if (node) return node;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

test('stopping a cluster leaves no process behind', async (t) => {
	const { program, pids } = await startProgram(t);
	program.kill('SIGTERM');
	await Promise.all(pids.map(untilGone));
	t.pass();
});

test('a program that is killed takes its cluster with it', async (t) => {
	const { program, pids } = await startProgram(t);
	program.kill('SIGKILL');
	await Promise.all(pids.map(untilGone));
	t.pass();
});

test('a role that dies is started again', async (t) => {
	const { program, bus, trainer } = await startProgram(t);
	const told = once(program, 'message') as Promise<[{ log: string }]>;
	process.kill(trainer, 'SIGKILL');
	t.regex((await told)[0].log, /^trainer was killed by SIGKILL; starting it again$/);
	t.not((await trainerNode(bus, trainer)).pid, trainer);
});

test('a folder serves one cluster at a time', async (t) => {
	const dir = await temporaryFolder(t);
	const cluster = await startCluster({ dir, work: dir, roles: [] });
	t.teardown(() => cluster.stop());
	await t.throwsAsync(() => startCluster({ dir, work: dir, roles: [] }), {
		message: /A server runs in .* already/,
	});
});

test('a role that cannot start breaks the cluster with its reason', async (t) => {
	const dir = await temporaryFolder(t);
	const worker = new URL('../bus/fixtures/broken-worker.js', import.meta.url);
	const cluster = await startCluster({ dir, work: dir, roles: ['trainer'], worker });
	t.teardown(() => cluster.stop());
	await t.throwsAsync(() => cluster.broken, {
		code: 'ENVIRONMENT',
		message: /no engine on this machine|cannot start/,
	});
});
