import test from 'ava';
import { decode, encode, type JobRecord, type Messages, type RunEvent } from '../../proto/index.ts';

const job = {
	id: 'train.rtil',
	run: 'r1',
	kind: 'train',
	class: 'train',
	payload: { steps: 10, lr: 0.1, x: [null] },
};
const messages: Messages = {
	Job: job,
	JobRecord: {
		job,
		state: 'running',
		generation: 1,
		epoch: 3,
		node: 'node1',
		errors: 1,
		losses: 2,
		failure: { code: 'DIVERGED', message: 'NaN', remedy: '' },
		submittedAt: 1_790_000_000_000,
		updatedAt: 1_790_000_000_001,
		sequence: 2 ** 40,
	},
	Result: { job: 'j', run: 'r', epoch: 1, node: 'n', value: [1, 'ü', { a: true }], at: 1 },
	Event: { run: 'r', kind: 'log', job: '', node: 'n', at: 2, data: { type: 'log', text: 'x' } },
	DeadLetter: {
		job,
		failure: { code: 'DEFECT', message: 'm', remedy: '' },
		errors: 3,
		losses: 0,
		at: 4,
	},
	CheckpointAnnouncement: {
		id: 'c',
		run: 'r',
		arm: 'rtil',
		step: 1000,
		manifest: { format: 1 },
		files: [{ name: 'g.safetensors', sha256: '0'.repeat(64), bytes: 2 ** 33 }],
		node: 'n',
		at: 5,
	},
	NodeStatus: {
		name: 'n',
		class: 'train',
		kinds: ['train', 'calibrate'],
		state: 'idle',
		pid: 1,
		workerPid: 2,
		run: '',
		job: '',
		description: { engine: 'native' },
		memory: 2 ** 34,
		startedAt: 6,
		at: 7,
	},
	LeaseHolder: { holder: 'h', at: 8 },
};

for (const [name, message] of Object.entries(messages)) {
	test(`${name} comes back as it was sent`, (t) => {
		t.deepEqual(decode(name as 'Job', encode(name as 'Job', message as Messages['Job'])), message);
	});
}

test('absent parts come back as null and empty', (t) => {
	const record: JobRecord = { ...messages.JobRecord, failure: null, job: { ...job, payload: undefined } };
	const back = decode('JobRecord', encode('JobRecord', record));
	t.is(back.failure, null);
	t.is(back.job.payload, null);
});

test('the bytes in an event travel as bytes', (t) => {
	const event: RunEvent = {
		...messages.Event,
		data: { type: 'sample', step: 1, png: Uint8Array.of(0, 255) },
	};
	const { data } = decode('Event', encode('Event', event));
	t.is(data.step, 1);
	t.deepEqual([...(data.png as Uint8Array)], [0, 255]);
});

test('bytes that are no message are refused', (t) => {
	t.throws(() => decode('Job', Uint8Array.of(255, 255, 255)), { code: 'CORRUPT', message: /rtil\.v1\.Job/ });
	const broken = encode('Job', job).slice(0, -4);
	t.throws(() => decode('Job', broken), { code: 'CORRUPT' });
});
