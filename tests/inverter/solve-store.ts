// A store of snapshots in memory that stops a solve at its first, second, … snapshot, as a kill would.
import type { SolveSnapshot, SolveStore } from '../../inverter/index.ts';

export class MemoryStore implements SolveStore {
	readonly every = 0;
	snapshot: SolveSnapshot | null = null;
	saves = 0;
	readonly #stopAt: number;

	/** @param stopAt saves after which the solve is stopped by an error */
	constructor(stopAt: number, snapshot: SolveSnapshot | null = null) {
		this.#stopAt = stopAt;
		this.snapshot = snapshot;
	}

	load(): Promise<SolveSnapshot | null> {
		return Promise.resolve(structuredClone(this.snapshot));
	}

	save(snapshot: SolveSnapshot): Promise<void> {
		this.snapshot = structuredClone(snapshot);
		if (++this.saves >= this.#stopAt) throw new Error('killed');
		return Promise.resolve();
	}
}
