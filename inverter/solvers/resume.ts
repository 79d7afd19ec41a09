// What a solve leaves behind so that another process can finish it, to the same result bit for bit on the same engine.
import type { HostTensors } from '../../engine/index.ts';

/** A solve between two steps. */
export interface SolveSnapshot {
	tensors: HostTensors;
	/** Numbers (also not finite), strings, arrays and plain objects of them. */
	values: Record<string, unknown>;
}

/** Share of the time that snapshots may take: those of tuned weights are three times the size of a generator. */
const MOST_OF_TIME = 0.1;

/** The place of one solve's snapshots: nothing but that solve, with the same options and seed, may be given it. */
export interface SolveStore {
	/** Seconds between two snapshots: more where saving takes more than a tenth of them; 0: after every step. */
	readonly every: number;
	/** The latest snapshot; null: there is none, begin at the beginning. */
	load(): Promise<SolveSnapshot | null>;
	save(snapshot: SolveSnapshot): Promise<void>;
}

/** Saves at the pace of a store; without one, never. */
export class SolveRecorder {
	readonly #store: SolveStore | undefined;
	readonly #now: () => number;
	readonly #perceptual: string | null;
	/** Time of the next snapshot. */
	#due: number;

	/** @param perceptual what the perceptual term compares: weights of a network that have become known make another solve */
	constructor(store: SolveStore | undefined, now: () => number, perceptual: string | null = null) {
		this.#store = store;
		this.#now = now;
		this.#perceptual = perceptual;
		this.#due = now() + 1000 * (store?.every ?? 0);
	}

	/** What a solve before this one left. */
	async latest(): Promise<SolveSnapshot | null> {
		const latest = (await this.#store?.load()) ?? null;
		return latest && (latest.values.perceptual ?? null) === this.#perceptual ? latest : null;
	}

	/** Saves what `snapshot` gives if it is time. */
	async record(snapshot: () => SolveSnapshot): Promise<void> {
		if (!this.#store || this.#now() < this.#due) return;
		const begun = this.#now();
		const { tensors, values } = snapshot();
		await this.#store.save({ tensors, values: { ...values, perceptual: this.#perceptual } });
		const saved = this.#now();
		const { every } = this.#store;
		this.#due = saved + (every === 0 ? 0 : Math.max(1000 * every, (saved - begun) / MOST_OF_TIME));
	}
}
