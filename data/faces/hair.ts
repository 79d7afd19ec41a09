// Hair: what hangs behind the head, what covers the skull, and hats over it.
import { headHalfWidth, headPath } from './head.ts';
import type { Person } from './person.ts';
import type { Pose } from './pose.ts';
import {
	black,
	type Colour,
	type Definitions,
	ellipse,
	fill,
	group,
	hex,
	line,
	mix,
	type Point,
	smooth,
	white,
} from './vector.ts';

/** Outer edge of the hair: from the bottom at the left over the top to the bottom at the right. */
function outer(person: Person, pose: Pose, bottom: number): Point[] {
	const { top, side, curl, waves, phase } = person.hair;
	const wave = (t: number) => curl * Math.sin((t * waves + phase) * 2 * Math.PI);
	const heights: number[] = [];
	for (let v = Math.min(bottom, 128); v > -34; v -= 8) heights.push(v);
	const edge = (sign: number, v: number, t: number): Point => {
		const hanging = v > 10 ? Math.max(headHalfWidth(v), 33 + 0.05 * (v - 10)) : headHalfWidth(v);
		const taper = v > -20 ? 1 : 1 + (0.4 * (-20 - v)) / 14;
		return pose.outline(sign * (hanging + side * taper + wave(t)), v, -2);
	};
	const sides = heights.length;
	const left = heights.map((v, i) => edge(-1, v, i / sides));
	const right = heights.map((v, i) => edge(1, v, 3 - i / sides)).reverse();
	const crown = [-23, -12, 0, 12, 23].map((u, i) => {
		const arch = 46.5 - (u * u) / 62;
		const lifted = top * (1 - 0.18 * Math.sign(person.hair.part) * (u / 23));
		return pose.outline(u * (1 + side / 40), -arch - lifted - wave(1 + i / 5) * 0.8, -3);
	});
	return [...left, ...crown, ...right];
}

/** Inner edge over the face: from the right side along temple and forehead to the left side. */
function inner(person: Person, pose: Pose, bottom: number): Point[] {
	const { hairline, recession, part, fringe, back } = person.hair;
	const locks = back > 0 && bottom > 12;
	const side = (sign: number): Point[] => {
		const low = locks
			? [pose.outline(sign * 31.5, Math.min(bottom, 128), 4), pose.outline(sign * 32.5, 14, 4)]
			: [pose.outline(sign * (headHalfWidth(bottom) - 1), bottom, 4), pose.outline(sign * 33, bottom - 5, 4)];
		return [
			...low,
			pose.face(sign * 31, -8),
			pose.face(sign * (28 - recession * 0.3), -17 - recession * 0.4),
		];
	};
	const brow = [20, 10, 0, -10, -20].map((u) => {
		const away = u - part * 16;
		const parted = Math.max(0, 5 - Math.abs(away) * 0.42);
		const drawnBack = recession * (Math.abs(u) > 5 ? 1 : 0.25);
		const fall = fringe * (1 - 0.012 * Math.abs(away));
		const v = hairline + Math.abs(u) * 0.2 - parted * (fringe ? 0.5 : 1) - drawnBack + fall;
		return pose.face(u, Math.max(v, -40 + Math.abs(u) * 0.3)); // never above the skull: sky would show through
	});
	return [...side(1), ...brow, ...side(-1).reverse()];
}

function tones(person: Person): { light: Colour; base: Colour; dark: Colour; gleam: Colour } {
	const { colour } = person.hair;
	return {
		base: colour,
		light: mix(colour, [255, 236, 208], 0.12 + 0.12 * person.contrast),
		dark: mix(colour, black, 0.3 + 0.3 * person.contrast),
		gleam: mix(colour, white, 0.45),
	};
}

/** Hair behind neck and shoulders, and a bun. */
export function hairBehind(person: Person, pose: Pose, defs: Definitions): string {
	const { style, back, bun, top } = person.hair;
	if (style !== 'cap') return '';
	const { base, dark, light } = tones(person);
	const [x, y] = pose.outline(0, -52 - top, -6);
	const knot = bun
		? ellipse(
				[x, y],
				13,
				11,
				defs.radial([x + 4 * person.lightX, y - 4], 15, [0, light], [0.6, base], [1, dark]),
			)
		: '';
	if (back <= 0) return knot;
	const paint = defs.linear([0, 30], [0, 118], [0, base], [0.55, dark], [1, mix(dark, black, 0.25)]);
	return knot + fill(smooth(outer(person, pose, back)), paint);
}

/** Hair over the skull and beside the face. */
export function hairAbove(person: Person, pose: Pose, defs: Definitions): string {
	const { hair } = person;
	if (hair.style === 'none') return '';
	const { base, light, dark, gleam } = tones(person);
	const [cx, cy] = pose.outline(0, -20, 0);
	const paint = defs.linear(
		[cx + 34 * person.lightX, cy - 34],
		[cx - 30 * person.lightX, cy + 46],
		[0, light],
		[0.35, base],
		[1, dark],
	);
	if (hair.style === 'ring') {
		const ring = [-1, 1].map((s) =>
			smooth([
				pose.outline(s * 36.5, -16, -4),
				pose.outline(s * (38 + hair.side), -4, -4),
				pose.outline(s * 37, hair.bottom, -2),
				pose.outline(s * 34, 4, 2),
				pose.outline(s * 33.5, -10, 2),
			]),
		);
		return ring.map((path) => fill(path, paint, { ...defs.blur(0.8), opacity: 0.9 })).join('');
	}
	const edge = outer(person, pose, hair.bottom);
	const path = smooth([...edge, ...inner(person, pose, hair.bottom)]);
	const soft = hair.opacity < 1 ? defs.blur(1.2) : {};
	const shadow = fill(path, hex(mix(person.skin, black, 0.65)), {
		...defs.blur(2),
		opacity: 0.4,
		transform: `translate(${-1.5 * person.lightX} 2.4)`,
	});
	const shine = ellipse(pose.outline(14 * person.lightX, -40 - hair.top * 0.6, 6), 15, 4.5, hex(gleam), {
		...defs.blur(3),
		opacity: 0.3 * person.contrast,
	});
	return group(
		{ opacity: hair.opacity },
		hair.opacity < 1 ? '' : group(defs.clip(headPath(person, pose)), shadow),
		fill(path, paint, soft),
		group(defs.clip(path), strands(person, pose, edge, light, dark), shine),
	);
}

/** Locks from along the parting to the edge, alternately light and dark. */
function strands(person: Person, pose: Pose, edge: readonly Point[], light: Colour, dark: Colour): string {
	const { part, hairline, phase, curl, top } = person.hair;
	const count = 22;
	let drawn = '';
	for (let i = 0; i < count; i++) {
		const end = edge[Math.round(((i + 0.5) / count) * (edge.length - 1))]!;
		const jitter = Math.sin((i * 7.13 + phase * 50) * 2.1);
		const spread = (i + 0.5) / count - 0.5;
		const root = pose.outline(part * 12 + 26 * spread, hairline - 13 - top * 0.6 + 60 * spread * spread, 8);
		const inside: Point = [end[0] + (root[0] - end[0]) * 0.08, end[1] + 3 * jitter];
		const bow: Point = [
			(root[0] + 1.5 * end[0]) / 2.5 + (3 + 3 * curl) * jitter,
			(1.4 * root[1] + end[1]) / 2.4 - 5 - 3 * curl * jitter,
		];
		drawn += line(smooth([root, bow, inside], false), hex(i % 2 ? light : dark), 1.5 + jitter * 0.5, {
			opacity: 0.22,
		});
	}
	return drawn;
}

export function hat(person: Person, pose: Pose, defs: Definitions): string {
	if (person.hat === 'none') return '';
	const colour = person.hatColour;
	const brim = -20;
	const crown = [-37, -34, -20, 0, 20, 34, 37];
	const heights = [brim, -38, -54, -60, -54, -38, brim];
	const dome = smooth([
		...crown.map((u, i) => pose.outline(u * 1.06, heights[i]!, -1)),
		pose.face(22, brim + 1, 3),
		pose.face(0, brim + 3, 3),
		pose.face(-22, brim + 1, 3),
	]);
	const [cx] = pose.outline(0, -40);
	const paint = defs.radial(
		[cx + 16 * person.lightX, 14],
		60,
		[0, mix(colour, white, 0.25)],
		[1, mix(colour, black, 0.5)],
	);
	const band =
		person.hat === 'beanie'
			? smooth([
					pose.outline(-39.5, brim - 9, 0),
					pose.face(0, brim - 7, 5),
					pose.outline(39.5, brim - 9, 0),
					pose.outline(39, brim + 2, 0),
					pose.face(0, brim + 4, 5),
					pose.outline(-39, brim + 2, 0),
				])
			: smooth([
					pose.outline(-36, brim, 6),
					pose.face(0, brim - 3, 16),
					pose.outline(36, brim, 6),
					pose.face(0, brim + 7, 24),
				]);
	return fill(dome, paint) + fill(band, hex(mix(colour, black, person.hat === 'beanie' ? 0.18 : 0.4)));
}
