// A network over single images of any size: a captured program is of one size.
import type { Engine, Program, ProgramFunction, ProgramSpec } from '../engine/index.ts';

type Functions = Record<string, ProgramFunction>;

/** The program for images of the size asked for last; one of another size makes room for it. */
export class SizedProgram<F extends Functions> {
	readonly #engine: Engine;
	readonly #specOf: (height: number, width: number) => ProgramSpec<F>;
	#current: { height: number; width: number; program: Program<F> } | undefined;

	/** @param specOf what is compiled for images of a height and width, in pixels */
	constructor(engine: Engine, specOf: (height: number, width: number) => ProgramSpec<F>) {
		this.#engine = engine;
		this.#specOf = specOf;
	}

	of(height: number, width: number): Program<F> {
		const current = this.#current;
		if (current?.height === height && current.width === width) return current.program;
		this.dispose();
		const program = this.#engine.compile<F>(this.#specOf(height, width));
		this.#current = { height, width, program };
		return program;
	}

	/** Frees what the program holds; asked again, it is compiled again. */
	dispose(): void {
		this.#current?.program.dispose();
		this.#current = undefined;
	}
}
