// What a solve leaves behind so that another process can finish it, to the same result bit for bit on the same engine.
import type { HostTensors } from '../../engine/index.ts';

/** A solve between two steps. */
export interface SolveSnapshot {
	tensors: HostTensors;
	/** Numbers (also not finite), strings, arrays and plain objects of them. */
	values: Record<string, unknown>;
}

/** The place of one solve's snapshots: nothing but that solve, with the same options and seed, may be given it. */
export interface SolveStore {
	/** Seconds between two snapshots. */
	readonly every: number;
	/** The latest snapshot; null: there is none, begin at the beginning. */
	load(): Promise<SolveSnapshot | null>;
	save(snapshot: SolveSnapshot): Promise<void>;
}

/** Saves at the pace of a store; without one, never. */
export class SolveRecorder {
	readonly #store: SolveStore | undefined;
	readonly #now: () => number;
	#savedAt: number;

	constructor(store: SolveStore | undefined, now: () => number) {
		this.#store = store;
		this.#now = now;
		this.#savedAt = now();
	}

	/** What a solve before this one left. */
	async latest(): Promise<SolveSnapshot | null> {
		return (await this.#store?.load()) ?? null;
	}

	/** Saves what `snapshot` gives if it is time. */
	async record(snapshot: () => SolveSnapshot): Promise<void> {
		if (!this.#store || this.#now() - this.#savedAt < 1000 * this.#store.every) return;
		await this.#store.save(snapshot());
		this.#savedAt = this.#now();
	}
}
