// Captured programs by key: capturing takes seconds, and an evaluation solves many batches of the same shape. A program
// holds the state of one solve, so it is taken out while it is in use. Beside them, what was computed of a prior once.
import type { HostTensor, Program, ProgramFunction } from '../../engine/index.ts';

type AnyProgram = Program<Record<string, ProgramFunction>>;

/** Idle programs, at most `limit`; the one idle longest is freed for a new one. */
export class ProgramCache {
	readonly #limit: number;
	readonly #idle: { key: string; program: AnyProgram }[] = [];
	readonly #known = new Map<string, HostTensor>();

	constructor(limit = 4) {
		this.#limit = limit;
	}

	/** An idle program of that key, or a new one. Give it back with `put`. */
	take(key: string, make: () => AnyProgram): AnyProgram {
		const at = this.#idle.findIndex((entry) => entry.key === key);
		return at < 0 ? make() : this.#idle.splice(at, 1)[0]!.program;
	}

	put(key: string, program: AnyProgram): void {
		this.#idle.push({ key, program });
		if (this.#idle.length > this.#limit) this.#idle.shift()!.program.dispose();
	}

	/** The value of that key, made once while it is among the last `limit`; nobody may change it. */
	remember(key: string, make: () => HostTensor): HostTensor {
		const value = this.#known.get(key) ?? make();
		this.#known.delete(key);
		this.#known.set(key, value);
		if (this.#known.size > this.#limit) this.#known.delete(this.#known.keys().next().value!);
		return value;
	}

	dispose(): void {
		this.#known.clear();
		for (const { program } of this.#idle.splice(0)) program.dispose();
	}
}
