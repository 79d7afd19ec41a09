// report: a run folder in, one HTML page out, that can be mailed: tables, plots and pictures inside, no script. Imports
// errors and the pure statistics of metrics. Start with inputs.ts (what is read), then page.ts (what it becomes).
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runFiles } from './inputs.ts';
import { page } from './page.ts';
import { readRun } from './run-folder.ts';

export type { ArmProvenance, MetricsLine, Provenance, Results } from './inputs.ts';
export {
	metricsLineSchema,
	problemSlug,
	provenanceSchema,
	resultsSchema,
	rowSchema,
	runFiles,
} from './inputs.ts';
export { comparisonMarkdown, type MarkdownOptions } from './markdown.ts';

/**
 * Writes `report.html` into a run folder from what lies there and returns its path and what the report had to leave
 * out. A cancelled, failed or unfinished run still gives a page, which names what is missing. Throws NOT_FOUND when the
 * folder does not exist. The file appears whole or not at all.
 *
 * @example const { file, missing } = await writeReport('runs/demo');
 */
export async function writeReport(runDir: string): Promise<{ file: string; missing: string[] }> {
	const run = await readRun(runDir);
	const file = path.join(runDir, runFiles.report);
	await writeFile(`${file}.partial`, await page(run));
	await rename(`${file}.partial`, file);
	return { file, missing: run.missing };
}
