// Results as Markdown: a section a problem, a row a solver, arms beside each other, paired differences with intervals.
import { type Interval, type SummaryRow, verdict } from '../metrics/index.ts';

export interface MarkdownOptions {
	/** The arm that the others are compared with; it comes first. */
	reference: string;
	/** The level of headings of problems; default 3. */
	heading?: number;
}

/** Tables of a summary. */
export function comparisonMarkdown(summary: readonly SummaryRow[], options: MarkdownOptions): string {
	const { reference, heading = 3 } = options;
	const arms = [...new Set([reference, ...summary.map(({ arm }) => arm)])];
	const others = arms.slice(1);
	const head = [
		'solver',
		...arms.flatMap((arm) => [`${arm} PSNR dB`, 'SSIM', 's / image']),
		...others.flatMap((arm) => [`${arm} − ${reference}, PSNR dB`, 'SSIM']),
	];
	const problems = [...new Set(summary.map(titleOf))];
	const sections = problems.map((title) => {
		const rows = summary.filter((row) => titleOf(row) === title);
		const lines = [...new Set(rows.map(({ solver }) => solver))].map((solver) => {
			const of = (arm: string): SummaryRow | undefined =>
				rows.find((row) => row.arm === arm && row.solver === solver);
			return [
				solver,
				...arms.flatMap((arm) => {
					const row = of(arm);
					return [number(row?.psnr, 2), number(row?.ssim, 3), number(row?.seconds, 2)];
				}),
				...others.flatMap((arm) => {
					const difference = of(arm)?.difference;
					return [withInterval(difference?.psnr, 2), withInterval(difference?.ssim, 3)];
				}),
			];
		});
		return [
			`${'#'.repeat(heading)} ${title}`,
			'',
			line(head),
			line(head.map((_, i) => (i === 0 ? '---' : '---:'))),
			...lines.map(line),
		].join('\n');
	});
	return `${sections.join('\n\n')}\n`;
}

const titleOf = ({ problem, level }: SummaryRow): string => `${problem} ${level}`;

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const number = (value: Interval | null | undefined, digits: number): string =>
	value ? value.mean.toFixed(digits) : '–';

/** `+0.52 [0.10, 0.94]`, in bold when the interval excludes 0. */
function withInterval(value: Interval | null | undefined, digits: number): string {
	if (!value) return '–';
	const { mean, low, high } = value;
	const sign = mean > 0 ? '+' : '';
	if (low === null || high === null) return `${sign}${mean.toFixed(digits)}`;
	const text = `${sign}${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
	return verdict(value) === 'none' ? text : `**${text}**`;
}
