import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import test from 'ava';
import { protoPath } from 'grpc-health-check';
import { InverterClient, runInverterNode } from '../../inverter/index.ts';
import { picture, startNode, temporaryFolder, writeTinyCheckpoint } from './node-fixture.ts';

const problem = { kind: 'inpainting', mask: 'half' };
/** Hours, if nobody stops it. */
const endless = { kind: 'ilo', steps: [100_000], patience: 0 };

async function drain(events: AsyncIterable<unknown>): Promise<void> {
	for await (const _ of events);
}

test('cancellation, deadlines and a full queue', async (t) => {
	const { client, dir } = await startNode(t, { queue: 1 });
	await writeTinyCheckpoint(path.join(dir, 'runs/10'));
	const input = { problem, images: [{ name: 'x', file: await picture() }] };

	// Cancelled in the middle: the worker is free for the next call at once.
	const cancel = new AbortController();
	await t.throwsAsync(
		async () => {
			for await (const { progress } of client.invert({ input, solver: endless, signal: cancel.signal })) {
				if (progress) cancel.abort(new Error('changed my mind'));
			}
		},
		{ message: 'changed my mind' },
	);
	await client.sample({ count: 1 });

	// A deadline of the call ends it with a status, a time limit with the best so far.
	await t.throwsAsync(
		async () => {
			for await (const _ of client.invert({ input, solver: endless, deadlineSeconds: 1 }));
		},
		{ code: 'DEADLINE' },
	);
	await client.sample({ count: 1 });
	for await (const { reconstruction } of client.invert({ input, solver: endless, timeLimitSeconds: 0.5 })) {
		if (reconstruction) t.is(reconstruction.stopReason, 'deadline');
	}

	// One at work, one waiting; the third is refused at once.
	const controller = new AbortController();
	const first = client.invert({ input, solver: endless, signal: controller.signal });
	let event = await first.next();
	while (!event.done && !event.value.progress) event = await first.next();
	const second = client.invert({ input, solver: endless, signal: controller.signal });
	t.is((await second.next()).value!.accepted!.waiting, 0);
	await t.throwsAsync(client.invert({ input, solver: endless }).next(), { code: 'EXHAUSTED' });
	controller.abort(new Error('enough'));
	// What had arrived before is still delivered.
	await t.throwsAsync(drain(first), { message: 'enough' });
	await t.throwsAsync(drain(second), { message: 'enough' });
	await client.sample({ count: 1 });
});

test('health and reflection answer, and nothing listens after the end', async (t) => {
	const { address, stop } = await startNode(t);
	const definition = grpc.loadPackageDefinition(loadSync(protoPath)) as never as {
		grpc: { health: { v1: { Health: grpc.ServiceClientConstructor } } };
	};
	const health = new definition.grpc.health.v1.Health(address, grpc.credentials.createInsecure());
	const status = await new Promise((resolve, reject) => {
		(
			health as never as { check(request: object, callback: (error: unknown, answer: unknown) => void): void }
		).check({ service: 'rtil.v1.Inverter' }, (error, answer) => (error ? reject(error) : resolve(answer)));
	});
	t.is((status as { status: unknown }).status, 1);
	health.close();
	await stop();
	const client = new InverterClient(address);
	await t.throwsAsync(client.listCheckpoints(), { code: 'UNAVAILABLE', message: /^Nobody answers at / });
	client.close();
});

test('a port in use is one line', async (t) => {
	const taken = createServer().listen(0, '127.0.0.1');
	await once(taken, 'listening');
	t.teardown(() => taken.close());
	const { port } = taken.address() as { port: number };
	const cache = await temporaryFolder(t);
	const node = runInverterNode({ grpc: { port }, cache, signal: new AbortController().signal });
	await t.throwsAsync(node, {
		code: 'UNAVAILABLE',
		message: `The gRPC address 127.0.0.1:${port} is in use.`,
	});
});
