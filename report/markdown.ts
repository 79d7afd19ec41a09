// Results as Markdown: a section a problem, a row a solver, arms beside each other, paired differences with intervals.
import {
	furtherMeasures,
	furtherNames,
	type Interval,
	type Measure,
	networkNotes,
	type SummaryRow,
	verdict,
} from '../metrics/index.ts';

export interface MarkdownOptions {
	/** The arm that the others are compared with; it comes first. */
	reference: string;
	/** The level of headings of problems; default 3. */
	heading?: number;
}

/** A measure as tables show it, for each arm; `compared`: its differences, too. */
interface Shown {
	measure: Measure;
	title: string;
	digits: number;
	compared: boolean;
}

const usual: readonly Shown[] = [
	{ measure: 'psnr', title: 'PSNR dB', digits: 2, compared: true },
	{ measure: 'ssim', title: 'SSIM', digits: 3, compared: true },
	{ measure: 'seconds', title: 's / image', digits: 2, compared: false },
];
const further: readonly Shown[] = furtherMeasures.map((measure) => ({
	measure,
	...furtherNames[measure],
	compared: true,
}));

/** Tables of a summary; a problem with further measures has a second one of these. */
export function comparisonMarkdown(summary: readonly SummaryRow[], options: MarkdownOptions): string {
	const { reference, heading = 3 } = options;
	const arms = [...new Set([reference, ...summary.map(({ arm }) => arm)])];
	const problems = [...new Set(summary.map(titleOf))];
	const sections = problems.map((title) => {
		const rows = summary.filter((row) => titleOf(row) === title);
		const present = further.filter(({ measure }) => rows.some((row) => row[measure]));
		return [
			`${'#'.repeat(heading)} ${title}`,
			'',
			...tableOf(rows, arms, usual),
			...(present.length > 0 ? ['', ...tableOf(rows, arms, present)] : []),
			...networkNotes(rows).flatMap((note) => ['', note]),
		].join('\n');
	});
	return `${sections.join('\n\n')}\n`;
}

/** A row a solver; the reference is the first arm. */
function tableOf(rows: readonly SummaryRow[], arms: readonly string[], shown: readonly Shown[]): string[] {
	const [reference, ...others] = arms;
	const compared = shown.filter((one) => one.compared);
	const titles = (list: readonly Shown[], prefix: string): string[] =>
		list.map(({ title }, i) => (i === 0 ? `${prefix} ${title}` : title));
	const head = [
		'solver',
		...arms.flatMap((arm) => titles(shown, arm)),
		...others.flatMap((arm) => titles(compared, `${arm} − ${reference},`)),
	];
	const lines = [...new Set(rows.map(({ solver }) => solver))].map((solver) => {
		const of = (arm: string): SummaryRow | undefined =>
			rows.find((row) => row.arm === arm && row.solver === solver);
		return [
			solver,
			...arms.flatMap((arm) => shown.map(({ measure, digits }) => number(of(arm)?.[measure], digits))),
			...others.flatMap((arm) =>
				compared.map(({ measure, digits }) => withInterval(of(arm)?.difference?.[measure], digits)),
			),
		];
	});
	return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...lines.map(line)];
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
