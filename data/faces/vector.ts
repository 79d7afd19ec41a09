// The few pieces of SVG the portraits are made of: colours, smooth outlines, gradients and soft edges.

export type Colour = readonly [red: number, green: number, blue: number];
export type Point = readonly [x: number, y: number];

export const black: Colour = [0, 0, 0];
export const white: Colour = [255, 255, 255];

/** The colour a fraction `t` of the way from `a` to `b`. */
export function mix(a: Colour, b: Colour, t: number): Colour {
	return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
}

/** A colour seen through another, as ink on paper. */
export function multiply(a: Colour, b: Colour): Colour {
	return [(a[0] * b[0]) / 255, (a[1] * b[1]) / 255, (a[2] * b[2]) / 255];
}

/** Hue in turns; saturation and lightness in [0, 1]. */
export function hsl(hue: number, saturation: number, lightness: number): Colour {
	const spread = saturation * Math.min(lightness, 1 - lightness);
	const channel = (n: number): number => {
		const k = (n + hue * 12) % 12;
		return 255 * (lightness - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
	};
	return [channel(0), channel(8), channel(4)];
}

export function hex(colour: Colour): string {
	return `#${colour.map((c) => clamp(Math.round(c), 0, 255).toString(16).padStart(2, '0')).join('')}`;
}

export function clamp(value: number, low: number, high: number): number {
	return Math.min(high, Math.max(low, value));
}

/** A number as short as the eye allows: a tenth of a unit of the 128-unit canvas is a twentieth of a pixel at 64². */
export function short(value: number): string {
	return String(Math.round(value * 10) / 10);
}

/** Path data of a smooth curve through points (Catmull-Rom as cubic Béziers). */
export function smooth(points: readonly Point[], closed = true): string {
	const n = points.length;
	const point = (i: number): Point => points[closed ? (i + n) % n : clamp(i, 0, n - 1)]!;
	let path = `M${short(point(0)[0])} ${short(point(0)[1])}`;
	for (let i = 0; i < (closed ? n : n - 1); i++) {
		const [p, a, b, q] = [point(i - 1), point(i), point(i + 1), point(i + 2)];
		const first = [a[0] + (b[0] - p[0]) / 6, a[1] + (b[1] - p[1]) / 6] as const;
		const second = [b[0] - (q[0] - a[0]) / 6, b[1] - (q[1] - a[1]) / 6] as const;
		path += `C${[...first, ...second, ...b].map(short).join(' ')}`;
	}
	return closed ? `${path}Z` : path;
}

type Attributes = Record<string, string | number>;

function attributes(values: Attributes): string {
	return Object.entries(values)
		.map(([name, value]) => ` ${name}="${typeof value === 'number' ? Math.round(value * 100) / 100 : value}"`)
		.join('');
}

/** A filled path; further attributes as given. */
export function fill(path: string, paint: string, more: Attributes = {}): string {
	return `<path d="${path}"${attributes({ fill: paint, ...more })}/>`;
}

/** A stroked path with round ends. */
export function line(path: string, paint: string, width: number, more: Attributes = {}): string {
	const style = { fill: 'none', stroke: paint, 'stroke-width': width, 'stroke-linecap': 'round', ...more };
	return `<path d="${path}"${attributes(style)}/>`;
}

export function ellipse([x, y]: Point, rx: number, ry: number, paint: string, more: Attributes = {}): string {
	return `<ellipse${attributes({ cx: x, cy: y, rx, ry, fill: paint, ...more })}/>`;
}

/** Elements that share attributes. */
export function group(more: Attributes, ...children: string[]): string {
	return `<g${attributes(more)}>${children.join('')}</g>`;
}

type Stop = readonly [offset: number, colour: Colour, opacity?: number];

function stops(list: readonly Stop[]): string {
	return list
		.map(
			([offset, colour, opacity]) =>
				`<stop${attributes({
					offset,
					'stop-color': hex(colour),
					...(opacity === undefined ? {} : { 'stop-opacity': opacity }),
				})}/>`,
		)
		.join('');
}

/** What a drawing refers to by name: gradients, blurs and clips, each defined once. */
export class Definitions {
	private readonly parts: string[] = [];
	private readonly blurs = new Map<number, string>();

	/** A gradient along a line of the canvas; the paint to use. */
	linear(from: Point, to: Point, ...list: Stop[]): string {
		const [x1, y1, x2, y2] = [...from, ...to];
		return this.paint('linearGradient', { gradientUnits: 'userSpaceOnUse', x1, y1, x2, y2 }, list);
	}

	/** A gradient around a point of the canvas; the paint to use. */
	radial([cx, cy]: Point, r: number, ...list: Stop[]): string {
		return this.paint('radialGradient', { gradientUnits: 'userSpaceOnUse', cx, cy, r }, list);
	}

	private paint(kind: string, where: Attributes, list: readonly Stop[]): string {
		const id = `p${this.parts.length}`;
		this.parts.push(`<${kind}${attributes({ id, ...where })}>${stops(list)}</${kind}>`);
		return `url(#${id})`;
	}

	/** Attributes that soften an element by a Gaussian of this deviation. */
	blur(deviation: number): Attributes {
		let id = this.blurs.get(deviation);
		if (id === undefined) {
			id = `b${this.blurs.size}`;
			this.blurs.set(deviation, id);
			// Wide margins: the default region cuts the soft edge of a thin shape.
			this.parts.push(
				`<filter id="${id}" x="-60%" y="-60%" width="220%" height="220%">` +
					`<feGaussianBlur stdDeviation="${deviation}"/></filter>`,
			);
		}
		return { filter: `url(#${id})` };
	}

	/** Attributes that keep an element inside a path. */
	clip(path: string): Attributes {
		const id = `c${this.parts.length}`;
		this.parts.push(`<clipPath id="${id}"><path d="${path}"/></clipPath>`);
		return { 'clip-path': `url(#${id})` };
	}

	toString(): string {
		return `<defs>${this.parts.join('')}</defs>`;
	}
}
