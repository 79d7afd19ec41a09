import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { cancelRun, listRuns } from '../../coordinator/index.ts';
import { connectTo, startServer } from '../bus/server.ts';
import { forkCoordinator, smallExperiment, startNodes, stateOf, submit } from './runs.ts';

test('a job that fails fails the run with its cause, stops the rest, and can be taken up again', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const { jobs, mended } = await startNodes(t, url);
	forkCoordinator(t, url, 'only');
	const experiment = smallExperiment(['broken', 'slow']);
	await submit(bus, 'r', experiment);
	const failed = await stateOf(bus, 'r');
	t.is(failed.status, 'failed');
	t.regex(
		failed.reason,
		/^train broken failed: Loss became NaN at step 7\. Lower training\.learningRate\. Next: rtil /,
	);
	const stopped = await stateOf(
		bus,
		'r',
		(state) => !state.jobs.some((job) => ['queued', 'running'].includes(job.state)),
	);
	t.is(stopped.status, 'failed');
	t.is(stopped.reason, failed.reason);

	await writeFile(mended, '');
	const { submission } = await submit(bus, 'r', experiment);
	t.is(submission, 'resumed');
	await stateOf(bus, 'r', (state) => state.generation === 2 && state.jobs[0]?.state === 'done');
	t.true(jobs().includes('train r broken'));
	await cancelRun(bus, 'r');
	t.is(
		(await stateOf(bus, 'r', (state) => state.generation === 2 && state.endedAt !== '')).status,
		'cancelled',
	);
});

test('a cancelled run is cancelling while its jobs stop, then cancelled; cancelling twice is refused', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const { jobs } = await startNodes(t, url);
	forkCoordinator(t, url, 'only');
	await submit(bus, 'r', smallExperiment(['slow', 'b']));
	await stateOf(bus, 'r', (state) => state.jobs[0]?.state === 'running');
	await cancelRun(bus, 'r');
	const state = await stateOf(bus, 'r');
	t.is(state.status, 'cancelled');
	t.deepEqual(jobs(), []);
	await t.throwsAsync(() => cancelRun(bus, 'r'), { message: /Run r is cancelled already/ });
	await t.throwsAsync(() => cancelRun(bus, 'nowhere'), { message: /name of a run of this cluster/ });
});

test('the same experiment again joins its run, another one under the same name is refused', async (t) => {
	const { url } = await startServer(t);
	const bus = await connectTo(t, url);
	const experiment = smallExperiment(['a']);
	t.is((await submit(bus, 'r', experiment)).submission, 'new');
	t.is((await submit(bus, 'r', experiment)).submission, 'attached');
	await t.throwsAsync(() => submit(bus, 'r', smallExperiment(['b'])), {
		message: /exists already with another experiment/,
	});
	t.deepEqual(
		(await listRuns(bus)).map(({ run, status }) => [run, status]),
		[['r', 'waiting']],
	);
});
