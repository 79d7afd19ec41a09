// Plain text tables: columns padded to their widest cell, numbers to the right, nothing cut.

/** One column of a table. */
export interface Column<Row> {
	title: string;
	cell(row: Row): string;
	/** Default: left. */
	align?: 'left' | 'right';
}

/** The table as lines of text; a line of titles, a rule, one line a row. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
	const cells = rows.map((row) => columns.map((column) => column.cell(row)));
	const widths = columns.map((column, i) =>
		Math.max(column.title.length, ...cells.map((line) => line[i]!.length)),
	);
	const line = (words: readonly string[]): string =>
		words
			.map((word, i) => (columns[i]!.align === 'right' ? word.padStart(widths[i]!) : word.padEnd(widths[i]!)))
			.join('  ')
			.trimEnd();
	const rule = widths.map((width) => '─'.repeat(width)).join('  ');
	return [line(columns.map((column) => column.title)), rule, ...cells.map(line)].join('\n');
}

/** `1:02:03`, `12:34`: a duration for people, from seconds; `–` when it is not known. */
export function clockTime(seconds: number | undefined | null): string {
	if (seconds === undefined || seconds === null || !Number.isFinite(seconds)) return '–';
	const whole = Math.max(0, Math.round(seconds));
	const two = (n: number): string => String(n).padStart(2, '0');
	const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
	return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
