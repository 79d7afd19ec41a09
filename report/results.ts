// The numbers: forest plots of paired differences, means by problem, the table, and every single reconstruction.
import type { Interval } from '../metrics/index.ts';
import { byProblem, bySetting, type Cell, type Comparison, judgement, settingName } from './comparison.ts';
import { furtherTable } from './further.ts';
import { type Html, html } from './html.ts';
import { intervalPlot, legend } from './plots.ts';
import type { RunContents } from './run-folder.ts';
import { fixed, plusMinus, problemKind, problemName, solverName, withBounds } from './wording.ts';

/** More rows than this are left to results.json. */
const MOST_ROWS = 400;

export async function results(run: RunContents, comparison: Comparison): Promise<Html> {
	const { cells } = comparison;
	if (cells.length === 0)
		return html`<p>There are no reconstructions in results.json, hence no table and no plot.</p>`;
	return html`${await differencePlots(comparison)}${await meanPlots(cells)}${table(comparison)}${furtherTable(comparison)}${everyRow(run)}`;
}

async function differencePlots({ compared, reference }: Comparison): Promise<Html | null> {
	if (compared.length === 0 || !reference) return null;
	const values = compared.flatMap((cell) => [...bounds(cell.difference?.psnr ?? null), ...cell.points, 0]);
	const domain = padded(Math.min(...values), Math.max(...values));
	const plots = byProblem(compared).map(([problem, cells]) =>
		intervalPlot({
			title: capital(problemKind(problem)),
			axis: `PSNR difference to ${reference.label} (dB)`,
			zero: true,
			domain,
			labelWidth: longestLabel(compared),
			marks: cells.flatMap((cell) => {
				const psnr = cell.difference?.psnr;
				return psnr ? [{ ...mark(cell, psnr), points: cell.points }] : [];
			}),
			alt: `Paired PSNR differences for ${problemKind(problem)}: ${cells
				.map(
					(cell) =>
						`${cell.of.label}, ${settingName(cell)}: ${withBounds(cell.difference?.psnr ?? null, 2)} dB`,
				)
				.join('; ')}.`,
		}),
	);
	return html`<h3>Paired differences</h3>
	<figure>${legend([...new Set(compared.map((cell) => cell.of))])}<div class="plots">${await Promise.all(plots)}</div>
	<figcaption>Mean difference in PSNR on the same images, with its 95 % interval; ticks are single images. Right of 0:
	better than ${reference.label}. All panels share one axis.</figcaption></figure>`;
}

async function meanPlots(cells: readonly Cell[]): Promise<Html> {
	const measured = [
		{ measure: 'psnr', axis: 'PSNR (dB)', digits: 2 },
		{ measure: 'ssim', axis: 'SSIM', digits: 3 },
	] as const;
	const labelWidth = longestLabel(cells);
	const panels = byProblem(cells).flatMap(([problem, group]) =>
		measured.flatMap(({ measure, axis, digits }) => {
			const marks = group.flatMap((cell) => (cell[measure] ? [mark(cell, cell[measure])] : []));
			if (marks.length === 0) return [];
			return intervalPlot({
				title: `${capital(problemKind(problem))}: ${measure.toUpperCase()}`,
				axis,
				marks,
				labelWidth,
				alt: `Mean ${measure.toUpperCase()} for ${problemKind(problem)}: ${group
					.map((cell) => `${cell.of.label}, ${settingName(cell)}: ${plusMinus(cell[measure], digits)}`)
					.join('; ')}.`,
			});
		}),
	);
	const plots = await Promise.all(panels);
	return html`<h3>Means</h3>
	<figure>${legend([...new Set(cells.map((cell) => cell.of))])}<div class="plots">${plots}</div>
	<figcaption>Mean over the test images with its 95 % interval. These intervals are wide because images differ in
	difficulty; whether the arms differ is seen in the paired differences above.</figcaption></figure>`;
}

function table({ cells, reference }: Comparison): Html {
	const head = (text: string, unit = '') =>
		html`<th scope="col">${text}${unit && html`<br><span class="fine">${unit}</span>`}</th>`;
	const groups = bySetting(cells).map(
		(group) =>
			html`<tbody>${group.map((cell, i) => {
				const { psnr, ssim } = cell.difference ?? {};
				const clear = judgement(cell) === 'better' || judgement(cell) === 'worse';
				return html`<tr>${
					i === 0 &&
					html`<th scope="rowgroup" rowspan="${group.length}" class="text wrap">${problemName(cell)}</th>
				<th scope="rowgroup" rowspan="${group.length}" class="text">${solverName(cell.solver)}</th>`
				}<th scope="row" class="text"><span class="name arm-${cell.of.colour % 6}">${cell.of.label}</span></th>
			<td>${plusMinus(cell.psnr, 2)}</td>${
				cell.of === reference
					? html`<td>reference</td>`
					: html`<td class="${clear && 'clear'}">${withBounds(psnr ?? null, 2)}</td>`
			}<td>${plusMinus(cell.ssim, 3)}</td>${
				cell.of === reference ? html`<td>reference</td>` : html`<td>${withBounds(ssim ?? null, 3)}</td>`
			}<td>${fixed(cell.residual?.mean, 3)}</td><td>${fixed(cell.seconds?.mean, 1)}</td><td>${cell.images}</td></tr>`;
			})}</tbody>`,
	);
	return html`<h3>Table</h3>
	<div class="scroll" role="region" aria-label="Results table" tabindex="0"><table id="results-table">
	<caption><span>Means and paired differences, with 95 % confidence intervals</span></caption>
	<thead><tr><th scope="col" class="text">Problem</th><th scope="col" class="text">Solver</th>
	<th scope="col" class="text">Arm</th>${head('PSNR', 'dB')}${head('Difference', 'dB')}${head('SSIM')}
	${head('Difference')}${head('Residual')}${head('Time', 's / image')}${head('n')}</tr></thead>
	${groups}</table></div>
	<p class="note">Mean ± half width of the interval over images; differences are paired, with their interval in
	brackets, bold where it does not contain 0. PSNR and SSIM with data range 1; SSIM with an 11 × 11 gaussian window, σ 1.5, mean over colour
	channels. Residual
	is ‖Ax − y‖ / ‖y‖, n the number of images. Several seeds of an image are averaged before anything else, so that intervals count images.</p>`;
}

function everyRow({ rows, arms }: RunContents): Html {
	if (rows.length > MOST_ROWS)
		return html`<p class="note">The ${rows.length} single reconstructions are in results.json.</p>`;
	return html`<details><summary>Every reconstruction (${rows.length})</summary>
	<div class="scroll" role="region" aria-label="Every reconstruction" tabindex="0"><table>
	<thead><tr>${['Problem', 'Solver', 'Arm', 'Image'].map((name) => html`<th scope="col" class="text">${name}</th>`)}
	${['Seed', 'PSNR', 'SSIM', 'Residual', 'Time (s)'].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
	<tbody class="plain">${rows.map(
		(row) => html`<tr><td class="text">${problemName(row)}</td><td class="text">${solverName(row.solver)}</td>
		<td class="text">${arms.find((arm) => arm.name === row.arm)?.label ?? row.arm}</td><td class="text">${row.image}</td>
		<td>${row.seed}</td><td>${fixed(row.psnr, 2)}</td><td>${fixed(row.ssim, 3)}</td><td>${fixed(row.residual, 3)}</td>
		<td>${fixed(row.seconds, 1)}</td></tr>`,
	)}</tbody></table></div></details>`;
}

const longestLabel = (cells: readonly Cell[]): number =>
	Math.max(...cells.map((cell) => rowLabel(cell).length));

function rowLabel(cell: Cell): string {
	const name = problemName(cell).slice(problemKind(cell.problem).length).replace(/^, /, '').trim();
	return `${solverName(cell.solver)}  ${name}`;
}

function mark(cell: Cell, interval: Interval) {
	return {
		row: rowLabel(cell),
		series: cell.of,
		mean: interval.mean,
		low: interval.low,
		high: interval.high,
	};
}

function bounds(interval: Interval | null): number[] {
	return interval ? [interval.mean, interval.low ?? interval.mean, interval.high ?? interval.mean] : [];
}

function padded(low: number, high: number): [number, number] {
	const margin = 0.06 * (high - low || 1);
	return [low - margin, high + margin];
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
