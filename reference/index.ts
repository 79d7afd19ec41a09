// Pages of docs/ that are made from the registries, so that they say what the program does: `npm run docs` writes them,
// and a test compares. May import every room but cli. A new page is a function of no arguments and a line here.
import { experimentJsonSchema } from '../coordinator/index.ts';
import { problemsPage } from './problems.ts';
import { solversPage } from './solvers.ts';

/** File name in docs/ → its text. */
export const pages: Readonly<Record<string, () => string>> = {
	'problems.md': problemsPage,
	'solver-options.md': solversPage,
	'experiment.schema.json': () => `${JSON.stringify(experimentJsonSchema(), null, '\t')}\n`,
};
