// The first thing to read: what was compared and the answer, with numbers; then one line a comparison.
import { type Cell, type Comparison, judgement, settingName } from './comparison.ts';
import { type Html, html } from './html.ts';
import type { Arm, RunContents } from './run-folder.ts';
import { problemName, pValue, signed, solverName, wins, withBounds } from './wording.ts';

/** The answer in one sentence. */
export function answer(run: RunContents, comparison: Comparison): string {
	const { reference, compared, cells } = comparison;
	if (!reference) return 'This run has no arms yet: there is nothing to compare.';
	if (cells.length === 0)
		return `Nothing was evaluated${run.provenance.state === 'complete' ? '' : ' yet'}: there are no reconstructions to compare.`;
	const others = run.arms.filter((arm) => arm !== reference);
	if (others.length === 0)
		return `Only ${reference.label} was evaluated: there is nothing to compare it with.`;
	if (compared.length === 0)
		return 'The arms share no evaluated image with a finite PSNR, so that no paired difference can be given.';
	return others
		.map((arm) =>
			answerFor(
				arm,
				reference,
				compared.filter((cell) => cell.of === arm),
			),
		)
		.join(' ');
}

function answerFor(arm: Arm, reference: Arm, cells: readonly Cell[]): string {
	const pair = `${arm.label} and ${reference.label}`;
	const [only] = cells;
	if (!only) return `${arm.label} shares no evaluated image with ${reference.label}.`;
	if (cells.length === 1) return singleAnswer(only, arm, reference);
	const clear = cells.filter((cell) => judgement(cell) === 'better' || judgement(cell) === 'worse');
	const count = (kind: string) => cells.filter((cell) => judgement(cell) === kind).length;
	const few = count('too few images');
	if (few === cells.length)
		return `Too few images to tell ${pair} apart: an interval needs at least two for each comparison.`;
	const mean = cells.reduce((sum, cell) => sum + psnrDifference(cell), 0) / cells.length;
	const range = cells.map(psnrDifference);
	const spread = `between ${bare(Math.min(...range))} and ${bare(Math.max(...range))} dB, ${bare(mean)} dB on average`;
	if (clear.length === 0)
		return `No clear difference between ${pair}: in all ${cells.length} comparisons the 95 % interval of the paired PSNR difference contains 0 (the differences lie ${spread}).`;
	const largest = clear.reduce((a, b) => (Math.abs(psnrDifference(b)) > Math.abs(psnrDifference(a)) ? b : a));
	const better = count('better');
	const worse = count('worse');
	const none = count('no clear difference');
	const parts = [
		better > 0 && `in ${better} ${arm.label} is better than ${reference.label}`,
		worse > 0 &&
			(better > 0 ? `in ${worse} worse` : `in ${worse} ${arm.label} is worse than ${reference.label}`),
		none > 0 && `in ${none} there is no clear difference`,
		few > 0 && `in ${few} there are too few images`,
	].filter((part) => part !== false);
	return `Of ${cells.length} comparisons, ${joined(parts)}; the largest clear difference in PSNR is ${withBounds(largest.difference?.psnr ?? null, 2)} dB, for ${settingName(largest)}.`;
}

function singleAnswer(cell: Cell, arm: Arm, reference: Arm): string {
	const numbers = `${withBounds(cell.difference?.psnr ?? null, 2)} dB for ${settingName(cell)}`;
	const said = judgement(cell);
	if (said === 'no clear difference')
		return `No clear difference between ${arm.label} and ${reference.label}: the paired PSNR difference is ${numbers}, and its 95 % interval contains 0.`;
	if (said === 'too few images')
		return `Too few images to tell ${arm.label} and ${reference.label} apart: the PSNR difference is ${numbers}.`;
	return `${arm.label} is ${said} than ${reference.label}: the paired PSNR difference is ${numbers}.`;
}

/** One line for every comparison. */
export function verdicts(comparison: Comparison): Html | null {
	const { compared, reference } = comparison;
	if (compared.length === 0 || !reference) return null;
	const several = new Set(compared.map((cell) => cell.of)).size > 1;
	const chance =
		compared.length > 5 &&
		html` With ${compared.length} comparisons, about one in twenty would miss 0 by chance alone.`;
	return html`<ul class="verdicts">${compared.map((cell) => {
		const said = judgement(cell);
		const psnr = cell.difference?.psnr ?? null;
		const who = several && html`<span class="name arm-${cell.of.colour % 6}">${cell.of.label}</span> `;
		return html`<li class="${said.split(' ')[0]}"><span>${who}<strong>${solverName(cell.solver)}</strong>
			${problemName(cell)}</span><span class="verdict">${sentenceCase(said)}</span>
			<span>${withBounds(psnr, 2)} dB; higher PSNR in ${psnr && html`${wins(psnr)} (${pValue(psnr.pSign)})`}</span></li>`;
	})}</ul>
	<p class="note">Differences of PSNR are ${several ? 'arm' : compared[0]?.of.label} − ${reference.label} on the same images,
	measurements and seeds, with 95 % confidence intervals (Student t over images) and
	the p of an exact sign test. “No clear difference” means that the
	interval contains 0.${chance}</p>`;
}

const psnrDifference = (cell: Cell): number => cell.difference?.psnr?.mean ?? 0;

const bare = (value: number): string => signed(value, 2);

const sentenceCase = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function joined(parts: readonly string[]): string {
	return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
