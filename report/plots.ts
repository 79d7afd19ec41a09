// Plots as SVG text, drawn by Vega-Lite without a browser. Colours are written as plain values of the light palette;
// style.ts exchanges them for the dark one through attribute selectors, so the same SVG serves both.
import type { TopLevelSpec } from 'vega-lite';
import { type Html, html, Html as Markup } from './html.ts';
import { inkColours, palette } from './palette.ts';

const WIDTH = 420;

/** Characters of a row label; longer ones are cut, the table has them whole. */
const MOST_LABEL = 22;

/** An arm as plots show it: colour, shape and dash all say the same, so none is needed alone. */
export interface Series {
	readonly label: string;
	readonly colour: number;
}

const shapes = ['circle', 'square', 'diamond', 'triangle-up', 'triangle-down', 'cross'] as const;
const dashes = [
	[1, 0],
	[6, 3],
	[2, 2],
	[8, 3, 2, 3],
	[4, 4],
	[1, 3],
];

/** One line of a plot of intervals. */
export interface IntervalMark {
	/** Its row, as labelled on the axis. */
	readonly row: string;
	readonly series: Series;
	readonly mean: number;
	readonly low: number | null;
	readonly high: number | null;
	/** Values of single images, drawn faintly. */
	readonly points?: readonly number[];
}

export interface IntervalPlot {
	readonly title: string;
	readonly axis: string;
	readonly marks: readonly IntervalMark[];
	/** Draw a line at 0: the axis shows differences. */
	readonly zero?: boolean;
	/** Common bounds of several plots; default: of this one. */
	readonly domain?: readonly [number, number];
	/** Characters of the longest row label of several plots that stand together. */
	readonly labelWidth: number;
	/** What a reader who does not see it is told. */
	readonly alt: string;
}

/** Means as points with their intervals as bars, one row a solver and level, one mark an arm. */
export async function intervalPlot(plot: IntervalPlot): Promise<Html> {
	const series = distinct(plot.marks.map((mark) => mark.series));
	const rows = [...new Set(plot.marks.map((mark) => mark.row))];
	const values = plot.marks.map(({ row, series: { label }, mean, low, high }) => ({
		row,
		label,
		mean,
		low,
		high,
	}));
	const points = plot.marks.flatMap((mark) =>
		(mark.points ?? []).map((value) => ({ row: mark.row, label: mark.series.label, value })),
	);
	// Vega estimates 0.8 em a character where it has no canvas to measure with: below that, panels would not align.
	const extent = 10 + 9.6 * Math.min(MOST_LABEL, plot.labelWidth);
	const labelExpr = `length(datum.label) > ${MOST_LABEL} ? slice(datum.label, 0, ${MOST_LABEL - 1}) + '…' : datum.label`;
	const axis = { minExtent: extent, maxExtent: extent, labelLimit: 0, labelExpr };
	const y = { field: 'row', type: 'nominal', sort: rows, title: null, axis } as const;
	const yOffset = { field: 'label', type: 'nominal', sort: series.map(({ label }) => label) } as const;
	const scale = {
		zero: false,
		nice: true,
		...(plot.domain ? { domain: [...plot.domain], nice: false } : {}),
	};
	const x = { type: 'quantitative', title: plot.axis, scale, axis: { tickCount: 6 } } as const;
	const layer: object[] = [
		{
			data: { values: points },
			mark: { type: 'point', shape: 'stroke', angle: 90, size: 120, strokeWidth: 1.5, opacity: 0.5 },
			encoding: { x: { ...x, field: 'value' } },
		},
		{
			transform: [{ filter: 'isValid(datum.low)' }],
			mark: { type: 'rule', strokeWidth: 2.5 },
			encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' } },
		},
		{
			mark: { type: 'point', filled: true, size: 75, opacity: 1 },
			encoding: {
				x: { ...x, field: 'mean' },
				shape: {
					field: 'label',
					legend: null,
					scale: { domain: series.map(({ label }) => label), range: series.map(shapeOf) },
				},
			},
		},
	];
	const zero = {
		data: { values: [{ zero: 0 }] },
		mark: { type: 'rule', color: inkColours.soft, strokeWidth: 1.5 },
		encoding: { x: { ...x, field: 'zero' } },
	};
	const spec = {
		data: { values },
		title: plot.title,
		height: { step: Math.max(18, 40 / series.length) },
		encoding: { y, ...(series.length > 1 ? { yOffset } : {}), color: colourOf(series) },
		layer,
	};
	// The zero line must not take part in the rows' encoding, hence a layer around.
	const whole = plot.zero
		? {
				data: { values },
				title: plot.title,
				height: spec.height,
				layer: [zero, { encoding: spec.encoding, layer }],
			}
		: spec;
	return draw(whole, plot.alt);
}

export interface CurvePlot {
	readonly title: string;
	readonly axis: string;
	readonly curves: readonly { series: Series; points: readonly { x: number; y: number }[] }[];
	readonly alt: string;
}

/** Curves over the images seen. Long ones are thinned to means over equal stretches. */
export async function curvePlot(plot: CurvePlot): Promise<Html> {
	const series = plot.curves.map((curve) => curve.series);
	const values = plot.curves.flatMap(({ series: { label }, points }) =>
		thinned(points, 240).map((point) => ({ ...point, label })),
	);
	return draw(
		{
			data: { values },
			title: plot.title,
			height: 190,
			mark: { type: 'line', strokeWidth: 1.8, interpolate: 'linear', strokeJoin: 'round' },
			encoding: {
				x: { field: 'x', type: 'quantitative', title: plot.axis, axis: { format: '~s', tickCount: 5 } },
				y: {
					field: 'y',
					type: 'quantitative',
					title: null,
					scale: { zero: false, nice: true },
					axis: { format: '~g', tickCount: 5 },
				},
				color: colourOf(series),
				strokeDash: {
					field: 'label',
					legend: null,
					scale: {
						domain: series.map(({ label }) => label),
						range: series.map(({ colour }) => dashes[colour % dashes.length]),
					},
				},
			},
		},
		plot.alt,
	);
}

/** What colour, shape and dash mean; nothing to say about one series. */
export function legend(series: readonly Series[]): Html | null {
	if (series.length < 2) return null;
	return html`<ul class="legend">${series.map(
		({ label, colour }) => html`<li><span class="swatch arm-${colour % palette.length}"></span>${label}</li>`,
	)}</ul>`;
}

function colourOf(series: readonly Series[]): object {
	const domain = series.map(({ label }) => label);
	const range = series.map(({ colour }) => palette[colour % palette.length]?.light);
	return { field: 'label', type: 'nominal', legend: null, scale: { domain, range } };
}

const shapeOf = ({ colour }: Series): string => shapes[colour % shapes.length] as string;

function distinct(series: readonly Series[]): Series[] {
	const byLabel = new Map(series.map((one) => [one.label, one]));
	return [...byLabel.values()].sort((a, b) => a.colour - b.colour);
}

function thinned(points: readonly { x: number; y: number }[], most: number): { x: number; y: number }[] {
	if (points.length <= most) return [...points];
	return Array.from({ length: most }, (_, i) => {
		const from = Math.floor((i * points.length) / most);
		const stretch = points.slice(from, Math.floor(((i + 1) * points.length) / most));
		const mean = (key: 'x' | 'y') => stretch.reduce((sum, point) => sum + point[key], 0) / stretch.length;
		return { x: mean('x'), y: mean('y') };
	});
}

/** Renders a specification; Vega is loaded only here, because it takes a while. */
async function draw(spec: object, alt: string): Promise<Html> {
	const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
	const config = {
		background: 'transparent',
		font: 'system-ui, sans-serif',
		aria: false,
		view: { stroke: null },
		title: { color: inkColours.ink, fontSize: 14, fontWeight: 600, anchor: 'start', offset: 10 },
		axis: {
			labelColor: inkColours.soft,
			titleColor: inkColours.soft,
			labelFontSize: 12,
			titleFontSize: 12,
			titleFontWeight: 'normal',
			labelLimit: 150,
			gridColor: inkColours.line,
			domainColor: inkColours.line,
			tickColor: inkColours.line,
		},
		axisY: { domain: false, ticks: false, labelPadding: 8 },
	};
	const full = { ...spec, width: WIDTH, autosize: { type: 'fit-x', contains: 'padding' }, config };
	const logger = vega.logger(vega.Error);
	const compiled = compile(full as unknown as TopLevelSpec, { logger });
	const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logger });
	try {
		const svg = (await view.toSVG()).replace(/^<svg /, '<svg aria-hidden="true" focusable="false" ');
		return html`<div class="plot" role="img" aria-label="${alt}">${new Markup(svg)}</div>`;
	} finally {
		view.finalize();
	}
}
