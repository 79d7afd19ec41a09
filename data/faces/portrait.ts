// One portrait as SVG: background, hair behind, clothes, head, features, hair above. The order is the painting's.

import { beard, brows, eyes, glasses, mouth, nose } from './features.ts';
import { hairAbove, hairBehind, hat } from './hair.ts';
import { ears, neck, skin, skinTones } from './head.ts';
import type { Person } from './person.ts';
import { CANVAS, makePose, type Pose } from './pose.ts';
import {
	black,
	Definitions,
	ellipse,
	fill,
	hex,
	line,
	mix,
	multiply,
	type Point,
	smooth,
	white,
} from './vector.ts';

/** The SVG text of a person, `size` pixels a side. */
export function portrait(person: Person, size: number): string {
	const defs = new Definitions();
	const pose = makePose(person);
	const tones = skinTones(person);
	const body = [
		background(person, defs),
		hairBehind(person, pose, defs),
		neck(person, pose, tones, defs),
		clothes(person, pose, defs),
		ears(person, pose, tones),
		skin(person, pose, tones, defs),
		beard(person, pose, defs),
		mouth(person, pose, tones, defs),
		nose(person, pose, tones, defs),
		eyes(person, pose, tones, defs),
		brows(person, pose, defs),
		hairAbove(person, pose, defs),
		hat(person, pose, defs),
		glasses(person, pose, defs),
	].join('');
	return (
		`<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}" ` +
		`viewBox="0 0 ${CANVAS} ${CANVAS}">${defs}${body}</svg>`
	);
}

const frame = `M0 0H${CANVAS}V${CANVAS}H0Z`;

function background({ background: b, lightColour }: Person, defs: Definitions): string {
	const shapes = b.shapes.map(({ kind, x, y, size, colour, opacity }) => {
		const soft = { ...defs.blur(kind === 'disc' ? 4 : 6), opacity };
		if (kind === 'disc') return ellipse([x, y], size * 0.6, size * 0.6, hex(colour), soft);
		if (kind === 'band') return fill(`M${x - size / 2} -20h${size}v170h${-size}Z`, hex(colour), soft);
		return fill(`M-20 ${y}h170v150h-170Z`, hex(colour), soft);
	});
	const glow = defs.radial([b.glowX, 40], 80, [0, lightColour, b.glow], [1, lightColour, 0]);
	return (
		fill(frame, defs.linear([b.glowX, 0], [CANVAS - b.glowX, CANVAS], [0, b.upper], [1, b.lower])) +
		shapes.join('') +
		fill(frame, glow)
	);
}

function clothes(person: Person, pose: Pose, defs: Definitions): string {
	const { clothesColour, clothesAccent, lightX, softness } = person;
	const suit = person.clothes === 'suit';
	const [x] = pose.outline(0, 46, 4);
	const [, chinY] = pose.outline(0, person.chin, 22);
	const y = Math.max(chinY + 1, 108);
	const colour = suit ? mix(clothesColour, [28, 30, 38], 0.75) : clothesColour;
	const half = 20 - 3 * softness;
	const slope = 9 + 5 * softness;
	const shade = (c: typeof colour) =>
		defs.linear(
			[x + 50 * lightX, 100],
			[x - 50 * lightX, 134],
			[0, mix(c, white, 0.14)],
			[1, mix(c, black, 0.35)],
		);
	const shoulders = (neckHalf: number, dip: number): Point[] => [
		[x - 92, 150],
		[x - 70, y + slope + 8],
		[x - neckHalf - 10, y + 2],
		[x - neckHalf, y - 3],
		[x, y + dip],
		[x + neckHalf, y - 3],
		[x + neckHalf + 10, y + 2],
		[x + 70, y + slope + 8],
		[x + 92, 150],
	];
	if (person.clothes === 'turtleneck') {
		const collar = smooth([
			[x - half - 1, y - 10],
			[x, y - 3],
			[x + half + 1, y - 10],
			[x + half + 4, y + 12],
			[x - half - 4, y + 12],
		]);
		return fill(smooth(shoulders(half, 0)), shade(colour)) + fill(collar, shade(mix(colour, black, 0.12)));
	}
	const dip = person.clothes === 'v-neck' ? 20 : suit ? 26 : 8;
	const garment = fill(smooth(shoulders(half + 2, dip)), shade(colour));
	if (!suit) return garment;
	const shirt = mix([238, 238, 236], clothesAccent, 0.12);
	const collarSide = (s: number) =>
		fill(
			`M${x} ${y + 6}L${x + s * (half + 1)} ${y - 8}L${x + s * (half + 4)} ${y + 2}L${x + s * 9} ${y + 16}Z`,
			hex(mix(shirt, black, s * lightX > 0 ? 0 : 0.14)),
		);
	const tie = fill(`M${x - 4} ${y + 5}h8l3 30h-14Z`, shade(multiply(clothesAccent, [230, 230, 230])));
	const front = fill(
		`M${x - half - 2} ${y - 4}L${x} ${y + 34}L${x + half + 2} ${y - 4}L${x} ${y + 4}Z`,
		hex(shirt),
	);
	const lapels = [-1, 1].map((s) =>
		line(`M${x + s * (half + 4)} ${y}L${x + s * 8} ${y + 26}`, hex(mix(colour, black, 0.4)), 1.2, {
			opacity: 0.7,
		}),
	);
	return garment + front + tie + collarSide(-1) + collarSide(1) + lapels.join('');
}
