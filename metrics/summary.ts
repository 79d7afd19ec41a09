// Rows of results → one table: means with intervals by arm × solver × problem × level, and paired differences
// against a reference arm over the same images, measurements and seeds.

import {
	type Interval,
	type IntervalOptions,
	meanInterval,
	type PairedDifference,
	pairedDifference,
} from './statistics.ts';

/** One reconstruction: what was inverted, how, and how well. `null`: not finite, or not known. */
export interface ResultRow {
	arm: string;
	solver: string;
	problem: string;
	/** Strength of the problem: observed fraction, or factor. */
	level: number;
	image: string;
	seed: number;
	/** dB, data range 1. */
	psnr: number | null;
	ssim: number | null;
	/** ‖Ax − y‖ / ‖y‖. */
	residual: number | null;
	seconds: number | null;
	/** What the solver's perceptual term compared, if it had one. */
	perceptual?: string;
	/** Over the pixels that were not measured; absent where there are none (`holeQuality`). */
	holePsnr?: number | null;
	holeSsim?: number | null;
	/** Over the image with the measured pixels put back. */
	compositedPsnr?: number | null;
	compositedSsim?: number | null;
	/** Absent where an image is too small. */
	msssim?: number | null;
	/** Absent where no weights were known; `lpipsBy` states network and version. */
	lpips?: number | null;
	lpipsBy?: string;
	/** Cosine similarity to the true face; absent where no face network was known; `identityBy` states it. */
	identity?: number | null;
	identityBy?: string;
	/** Of the reconstruction alone; absent where no statistics were known or an image is too small; `niqeBy` states them. */
	niqe?: number | null;
	niqeBy?: string;
}

/** The columns of a row that are measured. */
export const measures = ['psnr', 'ssim', 'residual', 'seconds'] as const;
/** Those that only some rows have. */
export const furtherMeasures = [
	'msssim',
	'holePsnr',
	'holeSsim',
	'compositedPsnr',
	'compositedSsim',
	'lpips',
	'identity',
	'niqe',
] as const;
export type FurtherMeasure = (typeof furtherMeasures)[number];

/** Those by weights of the user's, and the field that states them: values by different ones have no mean. */
const stated = { lpips: 'lpipsBy', identity: 'identityBy', niqe: 'niqeBy' } as const;
type Stated = keyof typeof stated;

/** How tables show them. */
export const furtherNames: Readonly<Record<FurtherMeasure, { title: string; digits: number }>> = {
	msssim: { title: 'MS-SSIM', digits: 3 },
	holePsnr: { title: 'hole PSNR dB', digits: 2 },
	holeSsim: { title: 'hole SSIM', digits: 3 },
	compositedPsnr: { title: 'composite PSNR dB', digits: 2 },
	compositedSsim: { title: 'composite SSIM', digits: 3 },
	lpips: { title: 'LPIPS', digits: 3 },
	identity: { title: 'identity', digits: 3 },
	niqe: { title: 'NIQE', digits: 2 },
};

/** Which networks and statistics are behind the measures of a table, and which way is better: a sentence a measure. */
export function networkNotes(summary: readonly SummaryRow[]): string[] {
	const notes = {
		lpips: 'LPIPS, less is better',
		identity: 'Identity, more is better',
		niqe: 'NIQE, less is better',
	};
	return (Object.keys(stated) as Stated[]).flatMap((measure) => {
		const networks = new Set(summary.flatMap((row) => row[stated[measure]] ?? []));
		return networks.size > 0 ? [`${notes[measure]}: ${[...networks].join('; ')}.`] : [];
	});
}

export type Measure = (typeof measures)[number] | FurtherMeasure;

/** One cell of the comparison: an arm with a solver on a problem; further measures where its rows have them. */
export interface SummaryRow extends Partial<Record<FurtherMeasure, Interval>> {
	arm: string;
	solver: string;
	problem: string;
	level: number;
	/** Images and rows behind it. */
	images: number;
	rows: number;
	psnr: Interval | null;
	ssim: Interval | null;
	residual: Interval | null;
	seconds: Interval | null;
	/** What is behind `lpips`, `identity` and `niqe`, which are left out where rows name several. */
	lpipsBy?: string;
	identityBy?: string;
	niqeBy?: string;
	/** This arm less the reference on the same (image, seed); `null` for the reference itself or without pairs. */
	difference: SummaryDifference | null;
}

export type SummaryDifference = { reference: string } & Record<
	(typeof measures)[number],
	PairedDifference | null
> &
	Partial<Record<FurtherMeasure, PairedDifference>>;

export interface SummaryOptions extends IntervalOptions {
	/** The arm that the others are compared with; default: `vanilla` if it is there, else the first. */
	reference?: string;
}

/**
 * Groups rows by arm × solver × problem × level, in the order of first appearance. Intervals are over images: several
 * seeds of one image are averaged first, because they are repeats and not independent samples of the test set. Values
 * that are `null` or not finite are left out, together with their pair.
 */
export function summarise(rows: readonly ResultRow[], options: SummaryOptions = {}): SummaryRow[] {
	const reference = options.reference ?? referenceArm(rows.map((row) => row.arm));
	const groups = groupBy(rows, groupKey);
	return [...groups.values()].map((group) => {
		const { arm, solver, problem, level } = group[0] as ResultRow;
		const others =
			arm === reference ? [] : (groups.get(groupKey({ ...group[0], arm: reference } as ResultRow)) ?? []);
		const values = (measure: Measure) => {
			const sample = imageMeans(group, measure);
			return sample.size > 0 ? meanInterval([...sample.values()], options) : null;
		};
		return {
			arm,
			solver,
			problem,
			level,
			images: new Set(group.map((row) => row.image)).size,
			rows: group.length,
			psnr: values('psnr'),
			ssim: values('ssim'),
			residual: values('residual'),
			seconds: values('seconds'),
			...further(group, values),
			...networksOf(group),
			difference: others.length > 0 ? differences(group, others, reference, options) : null,
		};
	});
}

/** The arm to compare with: `vanilla` when present, else the first named; empty without arms. */
export function referenceArm(arms: readonly string[]): string {
	return arms.includes('vanilla') ? 'vanilla' : (arms[0] ?? '');
}

/** What an interval of a difference says: `none` when it contains 0, `unknown` when there is no interval. */
export function verdict(difference: Interval | null): 'higher' | 'lower' | 'none' | 'unknown' {
	if (!difference || difference.low === null || difference.high === null) return 'unknown';
	if (difference.low > 0) return 'higher';
	return difference.high < 0 ? 'lower' : 'none';
}

/** The difference group − others for each image that both have, several seeds averaged. */
export function imageDifferences(
	group: readonly ResultRow[],
	others: readonly ResultRow[],
	measure: Measure,
): Map<string, number> {
	const { own, theirs } = pairedMeans(group, others, measure);
	return new Map([...own].map(([image, value]) => [image, value - (theirs.get(image) as number)]));
}

function pairedMeans(group: readonly ResultRow[], others: readonly ResultRow[], measure: Measure) {
	const partners = new Map(others.map((row) => [pairKey(row), row]));
	const pairs = group.flatMap((row) => {
		const other = partners.get(pairKey(row));
		return other && isNumber(row[measure]) && isNumber(other[measure]) ? [[row, other] as const] : [];
	});
	return {
		own: imageMeans(
			pairs.map(([row]) => row),
			measure,
		),
		theirs: imageMeans(
			pairs.map(([, row]) => row),
			measure,
		),
	};
}

function differences(
	group: readonly ResultRow[],
	others: readonly ResultRow[],
	reference: string,
	options: IntervalOptions,
): SummaryDifference {
	const compare = (measure: Measure): PairedDifference | null => {
		const { own, theirs } = pairedMeans(group, others, measure);
		if (own.size === 0) return null;
		const partners = [...own.keys()].map((image) => theirs.get(image) as number);
		return pairedDifference([...own.values()], partners, options);
	};
	return {
		reference,
		psnr: compare('psnr'),
		ssim: compare('ssim'),
		residual: compare('residual'),
		seconds: compare('seconds'),
		...further(group, (measure) =>
			isStated(measure) && networkOf(group, measure) !== networkOf(others, measure) ? null : compare(measure),
		),
	};
}

/** The further measures that the rows of a group have. */
function further<T>(
	group: readonly ResultRow[],
	of: (measure: FurtherMeasure) => T | null,
): Partial<Record<FurtherMeasure, T>> {
	const found: Partial<Record<FurtherMeasure, T>> = {};
	for (const measure of furtherMeasures) {
		if (isStated(measure) && networkOf(group, measure) === undefined) continue;
		const value = of(measure);
		if (value !== null) found[measure] = value;
	}
	return found;
}

const isStated = (measure: Measure): measure is Stated => Object.hasOwn(stated, measure);

/** The network behind a measure of a group; undefined without one, and for several, which have no mean. */
function networkOf(group: readonly ResultRow[], measure: Stated): string | undefined {
	const [by, another] = new Set(
		group.flatMap((row) => (isNumber(row[measure]) ? (row[stated[measure]] ?? []) : [])),
	);
	return another === undefined ? by : undefined;
}

function networksOf(group: readonly ResultRow[]): Pick<SummaryRow, (typeof stated)[Stated]> {
	const entries = (Object.keys(stated) as Stated[]).flatMap((measure) => {
		const by = networkOf(group, measure);
		return by === undefined ? [] : [[stated[measure], by]];
	});
	return Object.fromEntries(entries);
}

/** Mean over the seeds of each image. */
function imageMeans(rows: readonly ResultRow[], measure: Measure): Map<string, number> {
	const usable = rows.filter((row) => isNumber(row[measure]));
	const byImage = groupBy(usable, (row) => row.image);
	return new Map(
		[...byImage].map(([image, repeats]) => [
			image,
			repeats.reduce((sum, row) => sum + (row[measure] as number), 0) / repeats.length,
		]),
	);
}

const isNumber = (value: number | null | undefined): value is number => Number.isFinite(value);

const groupKey = (row: ResultRow): string => JSON.stringify([row.arm, row.solver, row.problem, row.level]);

const pairKey = (row: ResultRow): string => JSON.stringify([row.image, row.seed]);

/** Values by key, both in order of first appearance. */
function groupBy<T>(values: readonly T[], key: (value: T) => string): Map<string, T[]> {
	const groups = new Map<string, T[]>();
	for (const value of values) {
		const group = groups.get(key(value));
		if (group) group.push(value);
		else groups.set(key(value), [value]);
	}
	return groups;
}
