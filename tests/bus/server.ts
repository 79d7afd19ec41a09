// One real nats-server for a test file, in a folder of its own, and connections to it that close with the test.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import {
	type Bus,
	type BusOptions,
	connectBus,
	type EmbeddedNats,
	startEmbeddedNats,
} from '../../bus/index.ts';

/** A temporary folder that is removed when the test ends. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
	const dir = await mkdtemp(join(tmpdir(), 'rtil-test-'));
	t.teardown(() => rm(dir, { recursive: true, force: true }));
	return dir;
}

/** A server that ends with the test. */
export async function startServer(t: ExecutionContext): Promise<EmbeddedNats & { dir: string }> {
	const dir = await mkdtemp(join(tmpdir(), 'rtil-test-'));
	const server = await startEmbeddedNats({ dir });
	t.teardown(async () => {
		await server.stop();
		await rm(dir, { recursive: true, force: true });
	});
	return { ...server, dir };
}

/** A connection that closes with the test; a second of silence is enough to lose a job or a lease. */
export async function connectTo(
	t: ExecutionContext,
	url: string,
	options: Partial<BusOptions> = {},
): Promise<Bus> {
	const bus = await connectBus({
		url,
		name: 'test',
		timing: { ackWait: 1000, nodeTtl: 1000, leaseTtl: 1000 },
		...options,
	});
	t.teardown(() => bus.close());
	return bus;
}

/** The first value for which `accept` holds. */
export async function first<T>(
	values: AsyncIterable<T>,
	accept: (value: T) => boolean = () => true,
): Promise<T> {
	for await (const value of values) if (accept(value)) return value;
	throw new Error('the sequence ended before the value came');
}

/** Resolves when the process is gone. */
export async function untilGone(pid: number): Promise<void> {
	for (;;) {
		try {
			process.kill(pid, 0);
		} catch {
			return;
		}
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
