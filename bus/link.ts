// The connection as the other files of this room see it, and what they share: names, transient failures, retrying.
import {
	JetStreamApiError,
	type JetStreamClient,
	JetStreamError,
	type JetStreamManager,
} from '@nats-io/jetstream';
import { errors, type NatsConnection } from '@nats-io/transport-node';
import { expected, RtilError } from '../errors/index.ts';
import { backoff } from './clock.ts';
import type { BusTiming, Clock } from './contract.ts';

export interface Link {
	nc: NatsConnection;
	js: JetStreamClient;
	jsm: JetStreamManager;
	url: string;
	name: string;
	clock: Clock;
	timing: BusTiming;
	/** Largest message the server takes, in bytes of content. */
	maxMessage: number;
	/** Aborts when this side closes the connection. */
	closing: AbortSignal;
	/** Consumers that are being started; see `startConsumer`. */
	starting: Set<Promise<unknown>>;
	onStatus: (text: string) => void;
}

/** Does it again while the server is away, with back-off, for `patience` milliseconds (default 30 000) or until the
 * signal aborts. Only for what may be done twice. Throws UNAVAILABLE when that or the connection ends. */
export async function persist<T>(
	link: Link,
	action: () => Promise<T>,
	{ patience = 30_000, signal = link.closing }: { patience?: number | undefined; signal?: AbortSignal } = {},
): Promise<T> {
	const end = link.clock.now() + patience;
	for (let n = 0; ; n++) {
		try {
			return await action();
		} catch (error) {
			if (isClosed(error)) throw unavailable(link, error);
			if (!isTransient(error)) throw error;
			if (signal.aborted || link.closing.aborted || link.clock.now() > end) throw unavailable(link, error);
		}
		await link.clock.sleep(backoff(n, { first: 50, most: 2000 }), signal).catch((error) => {
			throw unavailable(link, error);
		});
	}
}

/**
 * Starts a consumer. Closing the connection waits for it: one that closes in between would leave the consumer's
 * heartbeat timer behind (nats.js sets it before it subscribes), which keeps the process alive for good.
 */
export async function startConsumer<T>(link: Link, start: () => Promise<T>): Promise<T> {
	if (link.closing.aborted) throw unavailable(link, link.closing.reason);
	const started = start();
	link.starting.add(started);
	try {
		return await started;
	} finally {
		link.starting.delete(started);
	}
}

export function isTransient(error: unknown): boolean {
	if (error instanceof JetStreamApiError) return error.status === 503 || error.status === 500;
	return (
		error instanceof errors.TimeoutError ||
		error instanceof errors.RequestError ||
		error instanceof errors.ConnectionError ||
		error instanceof JetStreamError
	);
}

export function isClosed(error: unknown): boolean {
	return error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError;
}

/** Whether a write was refused because the key or subject was not at the revision named. */
export function isWrongRevision(error: unknown): boolean {
	return error instanceof JetStreamApiError && (error.code === 10071 || error.code === 10164);
}

export function unavailable(link: Link, cause: unknown): RtilError {
	return new RtilError(
		'UNAVAILABLE',
		`The NATS server at ${link.url} does not answer`,
		'Check that it runs (`rtil up` starts one) and that the network lets you reach it.',
		{ cause },
	);
}

/** Names become parts of subjects and keys: this holds them to what both allow. Throws INVALID_INPUT. */
export function requireToken(name: string, value: string): void {
	if (!/^[\w-]{1,120}$/.test(value)) throw expected('1 to 120 letters, digits, _ or -', name, value);
}

/** Like `requireToken`, dots between tokens allowed. */
export function requirePath(name: string, value: string): void {
	if (value.length > 240 || !/^[\w-]+(\.[\w-]+)*$/.test(value)) {
		throw expected('at most 240 letters, digits, _ or -, with dots between', name, value);
	}
}
