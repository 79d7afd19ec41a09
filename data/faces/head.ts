// The head without its features: outline, ears, neck, skin and its shading.
import type { Person } from './person.ts';
import type { Pose } from './pose.ts';
import {
	type Colour,
	type Definitions,
	ellipse,
	fill,
	group,
	hex,
	line,
	mix,
	multiply,
	type Point,
	smooth,
	white,
} from './vector.ts';

/** Half width of the head by height in its frame, and how far that part of the outline lies before the axis. */
const profile: readonly (readonly [v: number, u: number, z: number])[] = [
	[-41, 18, 0],
	[-30, 30, 0],
	[-15, 35.6, 0],
	[0, 36, 2],
	[12, 35, 5],
	[24, 32, 10],
	[35, 26.5, 15],
	[44, 18.5, 19],
];

/** Half width of the head at a height, unposed. */
export function headHalfWidth(v: number): number {
	let before = profile[0]!;
	for (const after of profile) {
		if (v <= after[0]) {
			const t = after[0] === before[0] ? 0 : (v - before[0]) / (after[0] - before[0]);
			return Math.max(8, before[1] + (after[1] - before[1]) * t);
		}
		before = after;
	}
	return before[1];
}

export interface SkinTones {
	base: Colour;
	light: Colour;
	shade: Colour;
	deep: Colour;
}

export function skinTones({ skin, contrast, lightColour }: Person): SkinTones {
	const base = multiply(skin, mix(white, lightColour, 0.5));
	return {
		base,
		light: mix(base, lightColour, 0.16 + 0.2 * contrast),
		shade: mix(base, multiply(base, [168, 128, 124]), 0.35 + 0.6 * contrast),
		deep: multiply(base, [128, 84, 80]),
	};
}

/** The face's outline, from the top of the skull round both sides of the jaw. */
export function headPath(person: Person, pose: Pose): string {
	const side = (sign: 1 | -1): Point[] =>
		profile.map(([v, u, z]) => {
			const jaw = v > 20 ? person.jaw : v > 5 ? (1 + person.jaw) / 2 : 1;
			const cheek = v > 8 && v < 30 ? person.cheek : 0;
			return pose.outline(sign * (u * jaw + cheek), v > 30 ? v + (person.chin - 52) * 0.7 : v, z);
		});
	const chin = [-8, 0, 8].map((u) => pose.outline(u * person.jaw, person.chin + (u ? -1.6 : 0), 22));
	return smooth([pose.outline(0, -46, 0), ...side(1), ...chin.reverse(), ...side(-1).reverse()]);
}

export function ears(person: Person, pose: Pose, tones: SkinTones): string {
	return [-1, 1]
		.map((sign) => {
			const at = pose.outline(sign * (37.4 + 1.4 * person.ears), 5, -2);
			const turned = 1 + sign * Math.sin(person.yaw) * -0.9;
			const inner: Point = [at[0] + sign * 0.4, at[1] - 0.5];
			const width = Math.max(1, 3.9 * person.ears * turned);
			return (
				ellipse(at, width, 8.6 * person.ears, hex(mix(tones.base, tones.shade, 0.55))) +
				ellipse(inner, width * 0.5, 5.4 * person.ears, hex(tones.deep), { opacity: 0.45 })
			);
		})
		.join('');
}

export function neck(person: Person, pose: Pose, tones: SkinTones, defs: Definitions): string {
	const half = 21.5 - 4 * person.softness;
	const [x] = pose.outline(0, 40, 4);
	const [, chinY] = pose.outline(0, person.chin, 22);
	const path = smooth([
		[x - half, chinY - 30],
		[x - half, chinY + 4],
		[x - half - 12, 134],
		[x + half + 12, 134],
		[x + half, chinY + 4],
		[x + half, chinY - 30],
	]);
	const paint = defs.linear([0, chinY - 8], [0, 130], [0, tones.deep], [0.5, tones.shade], [1, tones.base]);
	return fill(path, paint);
}

/** The face itself with its shading; features come on top. */
export function skin(person: Person, pose: Pose, tones: SkinTones, defs: Definitions): string {
	const { lightX, lightY, contrast } = person;
	const path = headPath(person, pose);
	const [cx, cy] = pose.face(0, 6);
	const base = defs.radial(
		[cx + 13 * lightX, cy - 12 + 10 * lightY],
		66,
		[0, tones.light],
		[0.42, tones.base],
		[0.8, tones.shade],
		[1, tones.deep],
	);
	const across = defs.linear(
		[cx + 36 * lightX, cy + 20 * lightY],
		[cx - 38 * lightX, cy - 18 * lightY],
		[0, tones.light, 0.25 * contrast * Math.abs(lightX)],
		[0.45, tones.base, 0],
		[1, tones.deep, 0.85 * contrast * Math.abs(lightX)],
	);
	const soft = defs.blur(4);
	const blush = hex(mix(tones.base, [205, 70, 60], 0.6));
	const spot = (u: number, v: number, rx: number, ry: number, paint: string, opacity: number) =>
		ellipse(pose.face(u, v), rx * pose.facing(u), ry, paint, { ...soft, opacity });
	const light = hex(mix(tones.light, white, 0.35));
	return (
		fill(path, base) +
		group(
			defs.clip(path),
			fill(path, across),
			spot(-18, 15, 9, 6, blush, person.blush),
			spot(18, 15, 9, 6, blush, person.blush),
			spot(8 * lightX, -22, 15, 7, light, 0.35 * contrast),
			spot(-17 + 4 * lightX, 9, 6.5, 4, light, 0.16 + 0.14 * Math.max(0, -lightX)),
			spot(17 + 4 * lightX, 9, 6.5, 4, light, 0.16 + 0.14 * Math.max(0, lightX)),
			spot(0, person.chin - 7, 7, 4, light, 0.25),
			spot(0, person.chin + 2, 22, 5, hex(tones.deep), 0.35 * contrast),
			age(person, pose, tones, defs),
		)
	);
}

/** Folds beside the mouth, on the forehead and under the eyes, by age and expression. */
function age(person: Person, pose: Pose, tones: SkinTones, defs: Definitions): string {
	const depth = 0.12 + 0.5 * Math.max(0, person.age - 0.3) + 0.22 * Math.max(0, person.mouth.smile);
	const soft = defs.blur(0.8);
	const fold = (points: Point[], opacity: number, width = 1.1) =>
		line(smooth(points, false), hex(tones.deep), width, { ...soft, opacity });
	const sides = [-1, 1].map(
		(s) =>
			fold(
				[pose.face(8 * s, 18, 3), pose.face(13.5 * s, 25), pose.face((person.mouth.width + 3.5) * s, 33)],
				depth,
				1.4,
			) + fold([pose.face(9 * s, 6.5), pose.face(16 * s, 9), pose.face(22 * s, 6.5)], depth * 0.8),
	);
	const forehead = [-16, -20.5].map((v) =>
		fold([pose.face(-14, v + 1), pose.face(0, v), pose.face(14, v + 1)], Math.max(0, person.age - 0.55)),
	);
	return [...sides, ...(person.age > 0.6 ? forehead : [])].join('');
}
