// Runs for tests: a small experiment, nodes with quick jobs, and the coordinator as a process that can be killed.
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type Bus, runNode, startWorker } from '../../bus/index.ts';
import {
	type Experiment,
	experimentHash,
	hasEnded,
	parseExperiment,
	type RunState,
	submitRun,
} from '../../coordinator/index.ts';
import { connectTo, temporaryFolder } from '../bus/server.ts';

/** An experiment of the given arms; two problems, one solver, two seeds: four evaluations an arm. */
export function smallExperiment(arms: string[], budget = '{ steps: 4 }'): Experiment {
	const text = `
name: small
resolution: 16
data: { kind: faces, count: 8 }
test: { kind: faces, count: 2, seed: 1 }
arms: [${arms.join(', ')}]
budget: ${budget}
evaluation:
  problems: [{ kind: inpainting, mask: random, ratio: 0.5 }, { kind: super-resolution, factor: 2 }]
  solvers: [csgm]
  seeds: [0, 1]
`;
	return parseExperiment(text, { name: 'small.yaml', folder: '/' });
}

const dataset = { blob: '0'.repeat(64), fingerprint: 'f', count: 8, resolution: 16, channels: 3 };

export function submit(bus: Bus, run: string, experiment: Experiment): ReturnType<typeof submitRun> {
	return submitRun(bus, { run, experiment, hash: experimentHash(experiment), data: dataset, test: dataset });
}

/** Nodes of both classes; returns what their jobs have done so far, one line a job. */
export async function startNodes(
	t: ExecutionContext,
	url: string,
): Promise<{ jobs(): string[]; mended: string }> {
	const dir = await temporaryFolder(t);
	const file = path.join(dir, 'jobs');
	const mended = path.join(dir, 'mended');
	const stop = new AbortController();
	const classes = ['train', 'invert'];
	const connections = await Promise.all(classes.map((name) => connectTo(t, url, { name: `node-${name}` })));
	const running = classes.map(async (jobClass, i) => {
		const bus = connections[i]!;
		const worker = startWorker({
			module: new URL('./fixtures/worker.js', import.meta.url),
			name: jobClass,
			env: { RTIL_TEST_JOBS: file, RTIL_TEST_MENDED: mended },
		});
		await runNode({ bus, jobClass, worker, signal: stop.signal }).finally(() => worker.stop());
	});
	t.teardown(async () => {
		stop.abort();
		await Promise.all(running);
	});
	const jobs = (): string[] => {
		try {
			return readFileSync(file, 'utf8').trim().split('\n').sort();
		} catch {
			return [];
		}
	};
	return { jobs, mended };
}

/** A coordinator as a process of its own; ends with the test. */
export function forkCoordinator(t: ExecutionContext, url: string, name: string): ChildProcess {
	const module = fileURLToPath(new URL('../../coordinator/role-process.js', import.meta.url));
	const options = { nats: url, name, work: '.', cache: '.' };
	const child = fork(module, ['coordinator', JSON.stringify(options)], {
		stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
	});
	t.teardown(() => child.kill('SIGKILL'));
	return child;
}

/** The state of a run once it satisfies; default: once it has ended. */
export async function stateOf(
	bus: Bus,
	run: string,
	accept: (state: RunState) => boolean = ({ status }) => hasEnded(status),
): Promise<RunState> {
	for await (const { value } of bus.kv<RunState>('runs').watch(`${run}.state`)) {
		if (value && accept(value)) return value;
	}
	throw new Error('the connection was closed');
}
