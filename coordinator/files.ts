// Files that appear whole or not at all, and files of JSON lines.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Writes a file whole or not at all. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
	await mkdir(path.dirname(file), { recursive: true });
	const draft = `${file}.${process.pid}.part`;
	await writeFile(draft, content);
	await rename(draft, file);
}

/** The objects of a JSON-lines file; a torn last line is left out. Missing file: none. */
export async function readLines<T>(file: string): Promise<T[]> {
	const text = await readFile(file, 'utf8').catch(() => '');
	return text
		.slice(0, text.lastIndexOf('\n') + 1)
		.split('\n')
		.filter(Boolean)
		.map((line) => JSON.parse(line) as T);
}
