// Typed key-values over a JetStream bucket: compare-and-set that survives a lost answer, listing, watching.
import { type KV, KvWatchInclude, type KvEntry as NatsEntry } from '@nats-io/kv';
import { RtilError } from '../errors/index.ts';
import { decode, encode, type MessageName } from '../proto/index.ts';
import type { FollowOptions, KvChange, KvEntry, KvStore } from './contract.ts';
import { limits, refuseOver } from './limits.ts';
import {
	isTransient,
	isWrongRevision,
	type Link,
	persist,
	requirePath,
	startConsumer,
	unavailable,
} from './link.ts';
import { type BucketName, openBucket } from './topology.ts';

export interface Codec<T> {
	encode(value: T): Uint8Array;
	decode(bytes: Uint8Array): T;
}

export function jsonCodec<T>(): Codec<T> {
	return {
		encode: (value) => Buffer.from(JSON.stringify(value)),
		decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as T,
	};
}

export function messageCodec<N extends MessageName>(name: N) {
	return {
		encode: (value: Parameters<typeof encode<N>>[1]) => encode(name, value),
		decode: (bytes: Uint8Array) => decode(name, bytes),
	};
}

export async function openStore<T>(link: Link, name: BucketName, codec: Codec<T>): Promise<KvStore<T>> {
	const bucket = await persist(link, () => openBucket(link, name));
	const place = (key: string) => `"${key}" in the key-values "${name}"`;

	// A write whose answer was lost may have happened: then the key holds our bytes at a newer revision.
	async function write(
		key: string,
		value: T,
		expected: number | undefined,
		patience?: number,
	): Promise<number> {
		requirePath('key', key);
		const bytes = codec.encode(value);
		refuseOver(link.maxMessage, bytes.length, place(key));
		let unsure = false;
		return await persist(
			link,
			async () => {
				if (unsure) {
					const now = await bucket.get(key);
					if (now && now.revision > (expected ?? 0) && Buffer.from(now.value).equals(bytes))
						return now.revision;
				}
				try {
					if (expected === undefined) return await bucket.put(key, bytes);
					if (expected === 0) return await bucket.create(key, bytes);
					return await bucket.update(key, bytes, expected);
				} catch (error) {
					unsure ||= isTransient(error);
					if (!isWrongRevision(error)) throw error;
					throw expected === 0
						? new RtilError('ALREADY_EXISTS', `There is already a value for ${place(key)}`)
						: new RtilError('CONFLICT', `Somebody else has written ${place(key)} since revision ${expected}`);
				}
			},
			{ patience },
		);
	}

	function toEntry(entry: NatsEntry): KvEntry<T> | null {
		if (entry.operation !== 'PUT') return null;
		return { key: entry.key, value: codec.decode(entry.value), revision: entry.revision };
	}

	async function* watch(
		filter = '>',
		options: FollowOptions & { from?: 'start' | 'now' } = {},
	): AsyncGenerator<KvChange<T>> {
		const { signal, from = 'start' } = options;
		for await (const entry of entriesOf(link, bucket, filter, from, signal)) {
			const value = toEntry(entry)?.value ?? null;
			yield { key: entry.key, value, revision: entry.revision, live: entry.isUpdate };
		}
	}

	return {
		async get(key) {
			requirePath('key', key);
			const entry = await persist(link, () => bucket.get(key));
			return entry && toEntry(entry);
		},
		create: (key, value) => write(key, value, 0),
		update: write,
		put: (key, value, patience) => write(key, value, undefined, patience),
		async delete(key, revision) {
			requirePath('key', key);
			await persist(link, async () => {
				try {
					await bucket.delete(key, revision === undefined ? {} : { previousSeq: revision });
				} catch (error) {
					if (!isWrongRevision(error)) throw error;
					if ((await bucket.get(key))?.operation === 'DEL') return; // the answer to our own try was lost
					throw new RtilError(
						'CONFLICT',
						`Somebody else has written ${place(key)} since revision ${revision}`,
					);
				}
			});
		},
		async entries(filter = '>') {
			return await persist(link, async () => {
				const found: KvEntry<T>[] = [];
				const history = await startConsumer(link, () => bucket.history({ key: filter }));
				// A connection that closes half-way would leave its heartbeat timer, and the process, alive for good.
				const stop = () => history.stop();
				link.closing.addEventListener('abort', stop, { once: true });
				if (link.closing.aborted) stop();
				try {
					for await (const entry of history) {
						const live = toEntry(entry);
						if (live) found.push(live);
					}
				} finally {
					link.closing.removeEventListener('abort', stop);
				}
				if (link.closing.aborted) throw unavailable(link, link.closing.reason);
				return found;
			});
		},
		watch,
	};
}

// The changes of a bucket, across whatever happens to the connection.
async function* entriesOf(
	link: Link,
	bucket: KV,
	key: string,
	from: 'start' | 'now',
	asked: AbortSignal | undefined,
) {
	const signal = asked ? AbortSignal.any([asked, link.closing]) : link.closing;
	let seen = 0;
	while (!signal.aborted) {
		const options = {
			key,
			...(seen > 0
				? { resumeFromRevision: seen + 1 }
				: { include: from === 'start' ? KvWatchInclude.LastValue : KvWatchInclude.UpdatesOnly }),
		};
		const open = () => startConsumer(link, () => bucket.watch(options));
		const iterator = await persist(link, open, { patience: Number.POSITIVE_INFINITY, signal }).catch(
			(error) => {
				if (asked?.aborted) return null;
				throw error;
			},
		);
		if (!iterator) return;
		const stop = () => iterator.stop();
		signal.addEventListener('abort', stop, { once: true });
		if (signal.aborted) stop();
		try {
			for await (const entry of iterator) {
				if (signal.aborted) break;
				seen = entry.revision;
				yield entry;
			}
		} catch (error) {
			if (!isTransient(error)) throw error;
		} finally {
			signal.removeEventListener('abort', stop);
			iterator.stop();
		}
		if (asked?.aborted) return;
		if (signal.aborted || link.nc.isClosed()) throw unavailable(link, link.closing.reason);
		await link.clock.sleep(limits.restart.first, signal).catch(() => {});
	}
}
