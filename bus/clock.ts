// Time as an argument, and retrying in terms of it.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from './contract.ts';

export const systemClock: Clock = {
	now: () => Date.now(),
	async sleep(ms, signal) {
		signal?.throwIfAborted();
		try {
			await delay(ms, undefined, signal ? { signal } : {});
		} catch (error) {
			throw signal?.aborted ? signal.reason : error;
		}
	},
};

/** The wait before try n + 1 (n from 0): doubled each time between two bounds, in milliseconds. */
export function backoff(n: number, bounds: { first: number; most: number }): number {
	return Math.min(bounds.most, bounds.first * 2 ** Math.min(n, 30));
}
