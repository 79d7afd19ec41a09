// The measures that only some problems have: of holes and composites, and of networks whose weights were known.
import {
	type FurtherMeasure,
	furtherMeasures,
	furtherNames,
	networkNotes,
	verdict,
} from '../metrics/index.ts';
import type { Cell, Comparison } from './comparison.ts';
import { type Html, html } from './html.ts';
import { plusMinus, problemName, solverName, withBounds } from './wording.ts';

/** A table of means and paired differences; null where nothing has such a measure. */
export function furtherTable({ cells, reference }: Comparison): Html | null {
	const shown = furtherMeasures.filter((measure) => cells.some((cell) => cell[measure]));
	if (shown.length === 0) return null;
	const having = cells.filter((cell) => shown.some((measure) => cell[measure]));
	const pair = (cell: Cell, measure: FurtherMeasure): Html => {
		const { digits } = furtherNames[measure];
		const difference = cell.difference?.[measure] ?? null;
		const clear = ['higher', 'lower'].includes(verdict(difference));
		return html`<td>${plusMinus(cell[measure] ?? null, digits)}</td>${
			cell.of === reference
				? html`<td>reference</td>`
				: html`<td class="${clear && 'clear'}">${withBounds(difference, digits)}</td>`
		}`;
	};
	return html`<h3>Holes and perceptual measures</h3>
	<div class="scroll" role="region" aria-label="Holes and perceptual measures" tabindex="0"><table id="further-table">
	<caption><span>Means and paired differences, with 95 % confidence intervals</span></caption>
	<thead><tr>${['Problem', 'Solver', 'Arm'].map((name) => html`<th scope="col" class="text">${name}</th>`)}${shown.map(
		(measure) => html`<th scope="col">${furtherNames[measure].title}</th><th scope="col">Difference</th>`,
	)}</tr></thead>
	<tbody class="plain">${having.map(
		(
			cell,
		) => html`<tr><td class="text wrap">${problemName(cell)}</td><td class="text">${solverName(cell.solver)}</td>
		<th scope="row" class="text"><span class="name arm-${cell.of.colour % 6}">${cell.of.label}</span></th>
		${shown.map((measure) => pair(cell, measure))}</tr>`,
	)}</tbody></table></div>
	<p class="note">Hole: over the pixels that were not measured; SSIM over the windows centred there. Composite: the whole
	image with the measured pixels put back. ${networkNotes(having).join(' ')}</p>`;
}
