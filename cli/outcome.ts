// The table at the end: what each arm reached with each solver on each problem, and whether RTIL helped.
import {
	furtherMeasures,
	furtherNames,
	type Interval,
	networkNotes,
	type SummaryRow,
} from '../metrics/index.ts';
import { type Column, renderTable } from './table.ts';

/** PSNR and SSIM with 95 % intervals, and paired differences against the reference arm. */
export function outcomeTable(summary: readonly SummaryRow[]): string {
	const reference = summary.find((row) => row.difference)?.difference?.reference;
	const right = 'right' as const;
	const columns: Column<SummaryRow>[] = [
		{ title: 'problem', cell: (row) => `${row.problem} ${row.level}` },
		{ title: 'solver', cell: (row) => row.solver },
		{ title: 'arm', cell: (row) => row.arm },
		{ title: 'PSNR dB', cell: (row) => withInterval(row.psnr, 2), align: right },
		{ title: 'SSIM', cell: (row) => withInterval(row.ssim, 3), align: right },
	];
	if (reference !== undefined) {
		columns.push(
			{ title: `ΔPSNR vs ${reference}`, cell: (row) => difference(row.difference?.psnr, 2), align: right },
			{ title: `ΔSSIM vs ${reference}`, cell: (row) => difference(row.difference?.ssim, 3), align: right },
		);
	}
	const sorted = [...summary].sort((a, b) => byCell(a).localeCompare(byCell(b)));
	const images = Math.max(...summary.map((row) => row.images));
	const note = `Mean [95 % confidence interval] over ${images} image${images === 1 ? '' : 's'}; * marks a difference whose interval excludes 0.`;
	return [renderTable(columns, sorted), ...furtherTable(sorted, reference), note].join('\n');
}

/** Means over holes, of composites and of what networks say, for the rows that have them; nothing where none has. */
function furtherTable(summary: readonly SummaryRow[], reference: string | undefined): string[] {
	const shown = furtherMeasures.filter((measure) => summary.some((row) => row[measure]));
	if (shown.length === 0) return [];
	const rows = summary.filter((row) => shown.some((measure) => row[measure]));
	const columns: Column<SummaryRow>[] = [
		{ title: 'problem', cell: (row) => `${row.problem} ${row.level}` },
		{ title: 'solver', cell: (row) => row.solver },
		{ title: 'arm', cell: (row) => row.arm },
	];
	for (const measure of shown) {
		const { title, digits } = furtherNames[measure];
		columns.push({ title, cell: (row) => row[measure]?.mean.toFixed(digits) ?? '–', align: 'right' });
		if (reference === undefined) continue;
		const cell = (row: SummaryRow): string => difference(row.difference?.[measure], digits, meanOnly);
		columns.push({ title: 'Δ', cell, align: 'right' });
	}
	return ['', renderTable(columns, rows), ...networkNotes(rows)];
}

function byCell({ problem, level, solver }: SummaryRow): string {
	return `${problem} ${String(level).padStart(12)} ${solver}`;
}

/** `21.34 [20.90, 21.78]`; an interval needs two images. */
function withInterval(value: Interval | null, digits: number): string {
	if (!value) return '–';
	const { mean, low, high } = value;
	return low === null || high === null
		? mean.toFixed(digits)
		: `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}

const meanOnly = (value: Interval | null, digits: number): string => value?.mean.toFixed(digits) ?? '–';

function difference(value: Interval | null | undefined, digits: number, show = withInterval): string {
	if (!value) return '';
	const excludesZero = value.low !== null && value.high !== null && (value.low > 0 || value.high < 0);
	const text = show(value, digits);
	return `${value.mean > 0 ? '+' : ''}${text}${excludesZero ? ' *' : '  '}`;
}
