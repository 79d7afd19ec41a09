// The cells of a comparison: a checkpoint × problem × solver each. Their rows are kept in a file of JSON lines, so that a
// comparison of hours goes on where it was stopped.
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { RtilError } from '../errors/index.ts';
import type { ResultRow } from '../metrics/index.ts';

/** What the rows of a cell depend on, as JSON; equal cells have equal rows. */
export function cellKey(parts: Record<string, unknown>): string {
	return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** Rows by cell, from a file and into it; without a file, in memory alone. */
export class CellStore {
	readonly #file: string | undefined;
	readonly #cells = new Map<string, ResultRow[]>();

	private constructor(file: string | undefined) {
		this.#file = file;
	}

	/** @throws CORRUPT for a file that holds something else. */
	static async open(file?: string): Promise<CellStore> {
		const store = new CellStore(file);
		if (file === undefined) return store;
		await mkdir(path.dirname(path.resolve(file)), { recursive: true });
		const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
			if (error.code === 'ENOENT') return '';
			throw error;
		});
		// The last line of a process that was killed may be half of one.
		const whole = text.slice(0, text.lastIndexOf('\n') + 1);
		for (const [i, line] of whole.split('\n').entries()) {
			if (line === '') continue;
			try {
				const { cell, rows } = JSON.parse(line) as { cell: string; rows: ResultRow[] };
				if (typeof cell !== 'string' || !Array.isArray(rows)) throw new Error('no rows');
				store.#cells.set(cell, rows);
			} catch (cause) {
				throw new RtilError('CORRUPT', `${file}:${i + 1} holds no rows of a comparison`, '', { cause });
			}
		}
		return store;
	}

	get(cell: string): ResultRow[] | undefined {
		return this.#cells.get(cell);
	}

	async add(cell: string, rows: ResultRow[]): Promise<void> {
		this.#cells.set(cell, rows);
		if (this.#file !== undefined) await appendFile(this.#file, `${JSON.stringify({ cell, rows })}\n`);
	}
}
