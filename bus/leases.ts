// Leases: one holder at a time, known by a token that grows from holder to holder.
//
// A key in a bucket whose entries expire: to create it is to win, to update it in time is to keep it. Who cannot renew
// in time must assume it lost before the server frees it, so the holder's own deadline counts from before the renewal.
import { randomUUID } from 'node:crypto';
import { RtilError } from '../errors/index.ts';
import type { LeaseHolder } from '../proto/index.ts';
import type { Bus, FollowOptions, KvStore, Lease } from './contract.ts';
import { type Link, requirePath } from './link.ts';

/** @param ttl what the bucket was made with, in milliseconds */
export function makeLeases(
	link: Link,
	store: KvStore<LeaseHolder>,
	ttl: number,
): Pick<Bus, 'tryLease' | 'lease'> {
	const { clock } = link;

	async function tryLease(name: string): Promise<Lease | null> {
		requirePath('lease', name);
		const holder = `${link.name}/${randomUUID()}`;
		let asked = clock.now();
		let revision: number;
		try {
			revision = await store.create(name, { holder, at: asked });
		} catch (error) {
			if (error instanceof RtilError && error.code === 'ALREADY_EXISTS') return null;
			throw error;
		}
		const lost = new AbortController();
		const released = new AbortController();
		const ended = AbortSignal.any([lost.signal, released.signal, link.closing]);
		const lose = (why: string) =>
			lost.abort(
				new RtilError('CONFLICT', `The lease "${name}" is lost: ${why}`, 'Another process has taken over.'),
			);

		const keep = async () => {
			for (;;) {
				await clock.sleep(ttl / 3, ended);
				asked = clock.now();
				revision = await store.update(name, { holder, at: asked }, revision);
			}
		};
		const kept = keep().catch((error) => {
			if (ended.aborted) return;
			lose(error instanceof Error ? error.message : String(error));
		});
		const watchdog = async () => {
			for (;;) {
				const left = asked + ttl * 0.9 - clock.now();
				if (left <= 0) return lose(`it could not be renewed for ${ttl} ms`);
				await clock.sleep(left, ended);
			}
		};
		watchdog().catch(() => {}); // rejects when the lease has ended

		return {
			name,
			token: revision,
			signal: lost.signal,
			async release() {
				if (released.signal.aborted) return;
				released.abort();
				await kept;
				if (lost.signal.aborted) return;
				await store.delete(name, revision).catch((error) => {
					if (!(error instanceof RtilError)) throw error; // expired, or the server is away: it frees itself
				});
			},
		};
	}

	async function lease(name: string, { signal }: FollowOptions = {}): Promise<Lease> {
		for (;;) {
			signal?.throwIfAborted();
			const won = await tryLease(name);
			if (won) return won;
			await clock.sleep(ttl / 8, signal ? AbortSignal.any([signal, link.closing]) : link.closing);
		}
	}

	return { tryLease, lease };
}
