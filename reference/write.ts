// `npm run docs`: writes every generated page.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pages } from './index.ts';

const folder = path.join(import.meta.dirname, '..', '..', 'docs');
for (const [name, page] of Object.entries(pages)) {
	await writeFile(path.join(folder, name), page());
	process.stdout.write(`docs/${name}\n`);
}
