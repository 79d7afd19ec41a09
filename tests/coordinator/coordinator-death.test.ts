import { once } from 'node:events';
import test from 'ava';
import { connectTo, startServer } from '../bus/server.ts';
import { forkCoordinator, smallExperiment, startNodes, stateOf, submit } from './runs.ts';

const everyJob = (run: string): string[] =>
	[
		`calibrate ${run} -`,
		...['a', 'b'].flatMap((arm) => [
			`train ${run} ${arm}`,
			...['inpainting', 'super-resolution'].flatMap((problem) =>
				['0', '1'].map((seed) => `evaluate ${run} ${arm} ${problem} ${seed}`),
			),
		]),
	].sort();

test('a run goes from submission to its end: every job once, each after what it needs', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const { jobs } = await startNodes(t, url);
	forkCoordinator(t, url, 'only');
	await submit(bus, 'r', smallExperiment(['a', 'b'], '1m'));
	const state = await stateOf(bus, 'r');
	t.is(state.status, 'complete');
	t.deepEqual(jobs(), everyJob('r'));
	t.is((await bus.job('r', 'train.a'))?.job.payload && (await payloadOf(bus, 'r', 'train.a')).steps, 60);
	t.deepEqual((await payloadOf(bus, 'r', 'evaluate.b.p0.s0.seed1')).checkpoint, { id: 'of b' });
});

test('coordinators that are killed again and again lose nothing and repeat nothing', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const { jobs } = await startNodes(t, url);
	await submit(bus, 'r', smallExperiment(['a', 'b'], '1m'));
	let kills = 0;
	// Killed after each change of the run, at whatever step the next one has just begun.
	for (let seen = -1; ; kills++) {
		const coordinator = forkCoordinator(t, url, `coordinator-${kills}`);
		const state = await stateOf(bus, 'r', ({ status, jobs }) => {
			const done = jobs.filter((job) => job.state === 'done').length;
			return status === 'complete' || done > seen;
		});
		seen = state.jobs.filter((job) => job.state === 'done').length;
		const gone = once(coordinator, 'exit');
		coordinator.kill('SIGKILL');
		await gone;
		if (state.status === 'complete') break;
	}
	t.true(kills >= 1);
	t.deepEqual(jobs(), everyJob('r'));
	t.true((await bus.jobs('r')).every(({ epoch }) => epoch === 1));
});

async function payloadOf(
	bus: Awaited<ReturnType<typeof connectTo>>,
	run: string,
	id: string,
): Promise<Record<string, unknown>> {
	return (await bus.job(run, id))!.job.payload as Record<string, unknown>;
}
