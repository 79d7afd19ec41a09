// How numbers and names are written in the report.
import type { Interval, PairedDifference, ResultRow } from '../metrics/index.ts';

export const MINUS = '−';

/** `23.41`, with a true minus sign; `∞` and `–` for what has no digits. */
export function fixed(value: number | null | undefined, digits: number): string {
	if (value === null || value === undefined || Number.isNaN(value)) return '–';
	if (!Number.isFinite(value)) return value < 0 ? `${MINUS}∞` : '∞';
	const text = Math.abs(value).toFixed(digits);
	return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** `+1.20` or `−0.35`. */
export function signed(value: number, digits: number): string {
	const text = fixed(value, digits);
	return text.startsWith(MINUS) ? text : `+${text}`;
}

/** `23.41 ± 0.52`, or the mean alone when there is no interval. */
export function plusMinus(interval: Interval | null, digits: number): string {
	if (!interval) return '–';
	const mean = fixed(interval.mean, digits);
	return interval.halfWidth === null ? mean : `${mean} ± ${fixed(interval.halfWidth, digits)}`;
}

/** `+1.20 [+0.85, +1.55]`. */
export function withBounds(difference: Interval | null, digits: number): string {
	if (!difference) return '–';
	const { mean, low, high } = difference;
	if (low === null || high === null) return `${signed(mean, digits)} (no interval)`;
	return `${signed(mean, digits)} [${signed(low, digits)},\u00a0${signed(high, digits)}]`;
}

/** `15 of 16 images`, ties counted as neither. */
export function wins(difference: PairedDifference): string {
	const tied = difference.ties > 0 ? `, ${difference.ties} tied` : '';
	return `${difference.wins} of ${difference.n} ${plural(difference.n, 'image')}${tied}`;
}

/** `p = 0.03`, `p < 0.001`. */
export function pValue(p: number): string {
	return p < 0.001 ? 'p\u00a0<\u00a00.001' : `p\u00a0=\u00a0${p.toPrecision(2)}`;
}

export function plural(count: number, noun: string): string {
	return count === 1 ? noun : `${noun}s`;
}

/** `1,234,567`. */
export function grouped(value: number): string {
	return Number.isInteger(value) ? value.toLocaleString('en-US') : fixed(value, 1);
}

/** `1.3 × 10¹⁵`. */
export function scientific(value: number): string {
	if (!Number.isFinite(value) || value === 0) return fixed(value, 0);
	const exponent = Math.floor(Math.log10(Math.abs(value)));
	if (Math.abs(exponent) < 4) return fixed(value, 1);
	const raised = String(exponent).replace(
		/[-0-9]/g,
		(c) => (c === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)]) as string,
	);
	return `${(value / 10 ** exponent).toFixed(1)} × 10${raised}`;
}

/** `1 h 05 min`, `3 min 20 s`, `42 s`. */
export function duration(seconds: number): string {
	if (!(seconds >= 0) || !Number.isFinite(seconds)) return '–';
	if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
	const whole = Math.round(seconds);
	const pad = (value: number) => String(value).padStart(2, '0');
	if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
	return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** `CSGM`, `ILO`: solvers are acronyms. */
export function solverName(solver: string): string {
	return /^(l-)?[a-z]{2,5}$/.test(solver) ? solver.toUpperCase() : solver;
}

/** `compressed sensing, 25 %`, `inpainting half, 50 %`, `super-resolution ×4`. */
export function problemName({ problem, level }: Pick<ResultRow, 'problem' | 'level'>): string {
	return `${problemKind(problem)}${levelName(problem, level)}`;
}

export function problemKind(problem: string): string {
	return problem.replaceAll(/(?<!super)-/g, ' ');
}

function levelName(problem: string, level: number): string {
	if (problem.startsWith('super-resolution')) return ` ×${level}`;
	const isFraction = /^(compressed-sensing|inpainting)/.test(problem);
	return isFraction && level > 0 && level <= 1
		? `, ${Number((100 * level).toPrecision(3))}\u00a0%`
		: `, ${level}`;
}
