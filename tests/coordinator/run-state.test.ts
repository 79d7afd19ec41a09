import test from 'ava';
import type { PlannedJob } from '../../coordinator/plan.ts';
import { foldRun, type RunFacts } from '../../coordinator/run-state.ts';
import type { JobRecord, JobState } from '../../proto/index.ts';

const job = (id: string, needs: string[] = []): PlannedJob => ({
	id,
	kind: 'train',
	class: 'train',
	title: id,
	needs,
	payload: () => ({}),
});
const plan = [job('a'), job('b', ['a']), job('c', ['a'])];

const record = (id: string, state: JobState, message?: string): JobRecord => ({
	job: { id, run: 'r', kind: 'train', class: 'train', payload: {} },
	state,
	generation: 0,
	epoch: state === 'queued' ? 0 : 1,
	node: '',
	errors: 0,
	losses: 0,
	failure: message ? { code: 'DIVERGED', message, remedy: 'Lower lr.' } : null,
	submittedAt: 0,
	updatedAt: 0,
	sequence: 0,
});

const facts = (records: JobRecord[], more: Partial<RunFacts> = {}): RunFacts => ({
	run: 'r',
	generation: 1,
	submittedAt: '2026-01-01T00:00:00.000Z',
	plan,
	records: new Map(records.map((r) => [r.job.id, r])),
	cancelled: false,
	previous: null,
	now: '2026-01-01T00:01:00.000Z',
	...more,
});

const ids = (jobs: readonly PlannedJob[]): string[] => jobs.map(({ id }) => id);

test('a new run waits, and only what needs nothing is ready', (t) => {
	const { state, ready } = foldRun(facts([]));
	t.is(state.status, 'waiting');
	t.deepEqual(ids(ready), ['a']);
});

test('a job that is done makes ready what needs it, and nothing twice', (t) => {
	t.deepEqual(ids(foldRun(facts([record('a', 'done')])).ready), ['b', 'c']);
	t.deepEqual(ids(foldRun(facts([record('a', 'done'), record('b', 'queued')])).ready), ['c']);
	t.deepEqual(ids(foldRun(facts([record('a', 'running')])).ready), []);
});

test('a run is complete when every job is done, even if it was cancelled too late', (t) => {
	const all = ['a', 'b', 'c'].map((id) => record(id, 'done'));
	const { state } = foldRun(facts(all, { cancelled: true }));
	t.is(state.status, 'complete');
	t.is(state.endedAt, '2026-01-01T00:01:00.000Z');
});

test('one dead job fails the run with its cause and the next command, and stops the others', (t) => {
	const { state, ready, stop } = foldRun(
		facts([record('a', 'done'), record('b', 'dead', 'Loss became NaN at step 7'), record('c', 'running')]),
	);
	t.is(state.status, 'failed');
	t.regex(state.reason, /^b failed: Loss became NaN at step 7\. Lower lr\. Next: rtil /);
	t.is(stop, state.reason);
	t.deepEqual(ready, []);
});

test('stopping the other jobs does not turn a failure into a cancellation', (t) => {
	const first = foldRun(facts([record('a', 'done'), record('b', 'dead', 'x'), record('c', 'running')])).state;
	const stopped = [record('a', 'done'), record('b', 'dead', 'x'), record('c', 'cancelled')];
	const { state, stop } = foldRun(facts(stopped, { previous: first, cancelled: true }));
	t.is(state.status, 'failed');
	t.is(state.reason, first.reason);
	t.is(stop, undefined);
});

test('a cancelled run is cancelling until its jobs have stopped', (t) => {
	const running = foldRun(facts([record('a', 'running')], { cancelled: true }));
	t.is(running.state.status, 'cancelling');
	t.deepEqual(running.ready, []);
	t.is(foldRun(facts([record('a', 'cancelled')], { cancelled: true })).state.status, 'cancelled');
	t.is(foldRun(facts([], { cancelled: true })).state.status, 'cancelled');
});

test('a cancellation that was taken back queues anew what it stopped', (t) => {
	const { state, again } = foldRun(facts([record('a', 'cancelled')], { generation: 2 }));
	t.deepEqual(ids(again), ['a']);
	t.is(state.status, 'running');
});
