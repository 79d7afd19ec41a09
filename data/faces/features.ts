// What a head carries: eyes, brows, nose, mouth, beard, glasses.
import { headPath, type SkinTones } from './head.ts';
import type { Person } from './person.ts';
import type { Pose } from './pose.ts';
import {
	black,
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

export function eyes(person: Person, pose: Pose, tones: SkinTones, defs: Definitions): string {
	return [-1, 1].map((sign) => eye(sign, person, pose, tones, defs)).join('');
}

function eye(sign: number, person: Person, pose: Pose, tones: SkinTones, defs: Definitions): string {
	const { eye: e, softness } = person;
	const half = 6.9 * e.size;
	const at = (u: number, v: number): Point => pose.face(sign * (e.spread + u), v - (e.tilt * u) / half);
	const up = 3.75 * e.open * e.size;
	const down = 2.7 * (0.6 + 0.4 * e.open) * e.size;
	const upper: Point[] = [at(-half, 0.7), at(-half * 0.4, -up * 0.86), at(half * 0.35, -up), at(half, -0.6)];
	const lower: Point[] = [at(half * 0.4, down), at(-half * 0.4, down)];
	const shape = smooth([...upper, ...lower]);
	const facing = pose.facing(sign * e.spread);
	const middle = at(0, -0.3);
	const iris: Point = [middle[0] + e.gazeX, middle[1] + e.gazeY];
	const r = 3.55 * e.size;
	const paint = defs.radial(
		iris,
		r,
		[0, mix(e.colour, black, 0.3)],
		[0.55, mix(e.colour, white, 0.12)],
		[1, mix(e.colour, black, 0.55)],
	);
	const [, eyeY] = middle;
	const sclera = defs.linear([0, eyeY - up], [0, eyeY + down], [0, [176, 164, 160]], [0.5, [240, 236, 232]]);
	const lash = hex(mix(multiply(tones.deep, tones.deep), [24, 16, 16], 0.6));
	const catchlight: Point = [iris[0] + 1.3 * (person.lightX > 0 ? 1 : -1), iris[1] - 1.3];
	return (
		ellipse(at(0, -2.5), 10 * facing, 6.6, hex(tones.deep), { ...defs.blur(2.4), opacity: 0.42 }) +
		fill(shape, sclera) +
		group(
			defs.clip(shape),
			ellipse(iris, r * Math.max(0.75, facing), r, paint),
			ellipse(iris, r * 0.42, r * 0.45, '#0c0808'),
			ellipse(catchlight, 0.95, 0.95, '#fff', { opacity: 0.9 }),
		) +
		line(smooth(upper, false), lash, 1 + 0.75 * softness) +
		line(smooth([upper[3]!, ...lower, upper[0]!], false), hex(tones.deep), 0.6, { opacity: 0.6 }) +
		line(
			smooth([at(-half, -1.6), at(-half * 0.2, -up - 2.1), at(half * 0.9, -2.6)], false),
			hex(tones.deep),
			0.8,
			{ opacity: 0.65 },
		)
	);
}

export function brows(person: Person, pose: Pose, defs: Definitions): string {
	const { height, arch, thickness, slant, colour } = person.brow;
	return [-1, 1]
		.map((sign) => {
			const at = (u: number, v: number) => pose.face(sign * u, v);
			const top = -height;
			const path = smooth([
				at(7, top + slant),
				at(15, top - arch - thickness * 0.45),
				at(25, top + 1.6 - slant),
				at(15.5, top - arch + thickness * 0.6),
				at(7.4, top + slant + thickness),
			]);
			return fill(path, hex(colour), { ...defs.blur(0.45), opacity: 0.88 });
		})
		.join('');
}

export function nose(person: Person, pose: Pose, tones: SkinTones, defs: Definitions): string {
	const { width, length, bridge } = person.nose;
	const dark = person.lightX > 0 ? -1 : 1;
	const at = (u: number, v: number, lift: number) => pose.face(u, v, lift);
	const flank = smooth([
		at(dark * bridge, -4, 3),
		at(dark * (bridge + 1.2), 8, 5),
		at(dark * width, length - 3, 5),
		at(dark * width * 0.5, length, 8),
		at(dark * 1.2, 9, 8),
	]);
	const deep = hex(tones.deep);
	const base = smooth(
		[
			at(-width, length - 2.8, 4),
			at(-width * 0.75, length + 0.2, 5),
			at(0, length + 2, 8),
			at(width * 0.75, length + 0.2, 5),
			at(width, length - 2.8, 4),
		],
		false,
	);
	const nostril = (s: number) =>
		ellipse(at(s * width * 0.48, length + 0.2, 7), 1.7, 0.95, hex(multiply(tones.deep, tones.deep)), {
			opacity: 0.75,
		});
	return (
		fill(flank, deep, { ...defs.blur(1.6), opacity: 0.3 + 0.4 * person.contrast }) +
		ellipse(at(0, length + 4, 5), width, 1.8, deep, { ...defs.blur(1.6), opacity: 0.4 }) +
		line(base, deep, 1.2, { ...defs.blur(0.5), opacity: 0.7 }) +
		nostril(-1) +
		nostril(1) +
		line(smooth([at(0, 0, 6), at(0, 8, 8), at(0, length - 5, 10)], false), hex(tones.light), 2.2, {
			...defs.blur(1),
			opacity: 0.55,
		}) +
		ellipse(at(person.lightX, length - 4, 11), 2.1, 1.8, hex(mix(tones.light, white, 0.5)), {
			...defs.blur(1),
			opacity: 0.7,
		})
	);
}

export function mouth(person: Person, pose: Pose, tones: SkinTones, defs: Definitions): string {
	const { width: m, smile, open, fullness, colour } = person.mouth;
	const y = 33.4;
	const at = (u: number, v: number) => pose.face(u, y + v, 2 - Math.abs(u) * 0.15);
	const lift = 2.6 * smile;
	const corner = (s: number) => at(s * m, -lift);
	const gap = 5.8 * open;
	const sag = 1.2 * smile;
	const upperLip = [
		at(-m * 0.55, -2.2 * fullness - lift * 0.55),
		at(-2.4, -3.3 * fullness),
		at(0, -2.5 * fullness),
	];
	const mirrored = [at(2.4, -3.3 * fullness), at(m * 0.55, -2.2 * fullness - lift * 0.55)];
	const lineUpper = [at(m * 0.5, sag * 0.5 - lift * 0.4), at(0, sag), at(-m * 0.5, sag * 0.5 - lift * 0.4)];
	const lineLower = [
		at(m * 0.52, sag * 0.6 + gap * 0.7),
		at(0, sag + gap),
		at(-m * 0.52, sag * 0.6 + gap * 0.7),
	];
	const lower = [at(m * 0.5, 3 * fullness + gap * 0.8 + sag * 0.6), at(0, 4.6 * fullness + gap + sag)];
	const lowerLeft = at(-m * 0.5, 3 * fullness + gap * 0.8 + sag * 0.6);
	const upper = smooth([corner(-1), ...upperLip, ...mirrored, corner(1), ...lineUpper]);
	const under = smooth([corner(1), ...lower, lowerLeft, corner(-1), ...[...lineLower].reverse()]);
	const inside = smooth([corner(-1), ...[...lineUpper].reverse(), corner(1), ...lineLower]);
	const dark = mix(multiply(colour, colour), [60, 20, 22], 0.5);
	const teeth = smooth([
		at(-m * 0.86, -lift * 0.7),
		...[...lineUpper].reverse(),
		at(m * 0.86, -lift * 0.7),
		at(m * 0.45, sag * 0.5 + gap * 0.42),
		at(0, sag + gap * 0.66),
		at(-m * 0.45, sag * 0.5 + gap * 0.42),
	]);
	const parted = open
		? fill(inside, hex(mix(dark, black, 0.35))) + fill(teeth, '#efe8e0', { ...defs.blur(0.3), opacity: 0.95 })
		: line(smooth([corner(-1), ...[...lineUpper].reverse(), corner(1)], false), hex(dark), 1, {
				opacity: 0.9,
			});
	return (
		ellipse(at(0, 6.6 + gap), m * 0.7, 1.8, hex(tones.deep), { ...defs.blur(1.6), opacity: 0.45 }) +
		fill(upper, hex(mix(colour, dark, 0.28)), defs.blur(0.35)) +
		fill(under, hex(mix(colour, tones.light, 0.14)), defs.blur(0.35)) +
		ellipse(at(person.lightX, 2.8 * fullness + gap + sag), m * 0.32, 0.9, '#fff', {
			...defs.blur(0.8),
			opacity: 0.3,
		}) +
		parted +
		[-1, 1].map((s) => ellipse(corner(s), 1.5, 1.3, hex(dark), { ...defs.blur(0.8), opacity: 0.6 })).join('')
	);
}

export function beard(person: Person, pose: Pose, defs: Definitions): string {
	if (person.beard === 'none') return '';
	const { colour } = person.hair;
	const { chin, beardLength } = person;
	const bottom = chin + (person.beard === 'full' ? 6 * beardLength : 1);
	const at = (u: number, v: number) => pose.face(u, v, 1);
	const both = (points: (readonly [number, number])[]) => [
		...points.map(([u, v]) => at(u, v)),
		...points.map(([u, v]) => at(-u, v)).reverse(),
	];
	const moustache = smooth(
		both([
			[0, 24.5],
			[6, 25],
			[11.5, 31],
			[13, 36],
			[8, 31.6],
			[0, 30.5],
		]),
	);
	const goatee = smooth(
		both([
			[0, 38.5],
			[9, 37.5],
			[13, 33],
			[14, 43],
			[8, bottom],
			[0, bottom + 1],
		]),
	);
	const full = smooth(
		both([
			[0, 24.5],
			[7, 25],
			[14, 29],
			[25, 20],
			[32.5, 4],
			[36.4, 6],
			[34, 28],
			[26, 43],
			[13, bottom],
			[0, bottom + 1.5],
		]),
	);
	const stubbly = person.beard === 'stubble';
	const paint = defs.linear(
		[at(0, 22)[0] + 30 * person.lightX, 70],
		[at(0, 22)[0] - 30 * person.lightX, 118],
		[0, mix(colour, white, 0.12)],
		[1, mix(colour, black, 0.35)],
	);
	const shape = (path: string, blur: number, opacity: number) =>
		fill(path, paint, { ...defs.blur(blur), opacity });
	if (stubbly) return group(defs.clip(headPath(person, pose)), shape(full, 2.2, 0.16 + 0.24 * beardLength));
	if (person.beard === 'full') return shape(full, 1.3, 0.8 + 0.15 * beardLength);
	const under = person.beard === 'goatee' ? shape(goatee, 1, 0.85) : '';
	return shape(moustache, 0.8, 0.85) + under;
}

export function glasses(person: Person, pose: Pose, defs: Definitions): string {
	if (person.glasses === 'none') return '';
	const colour = hex(person.glassesColour);
	const round = person.glasses === 'round';
	const rim = person.glasses === 'half' ? 0.9 : 1.5;
	const [rx, ry] = round ? [9.6, 9.2] : [10.8, 7.4];
	const lens = (sign: number) => {
		const at = (u: number, v: number) => pose.face(sign * (person.eye.spread + 0.4 + u), v + 1.4, 4);
		const bend = round ? 0.71 : 0.86;
		const path = smooth([
			at(-rx, 0),
			at(-rx * bend, -ry * bend),
			at(0, -ry),
			at(rx * bend, -ry * bend),
			at(rx, 0),
			at(rx * bend, ry * bend),
			at(0, ry),
			at(-rx * bend, ry * bend),
		]);
		const tint = fill(path, hex(mix(person.glassesColour, black, 0.5)), { opacity: person.glassesTint });
		const glint = line(smooth([at(-4, -ry * 0.55), at(1, -ry * 0.7)], false), '#fff', 1.6, {
			...defs.blur(0.8),
			opacity: 0.35,
		});
		const arm = line(smooth([at(rx, -1.5), pose.outline(sign * 38, 1, 0)], false), colour, rim, {
			opacity: 0.85,
		});
		return tint + glint + arm + line(path, colour, rim, { opacity: 0.92 });
	};
	const bridge = smooth([pose.face(-6.4, 0, 4), pose.face(0, -1.6, 9), pose.face(6.4, 0, 4)], false);
	return lens(-1) + lens(1) + line(bridge, colour, rim);
}
