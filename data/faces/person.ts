// Who is drawn and how they are seen: every trait of a portrait, from uniform draws in a fixed order.
import { type Colour, clamp, hsl, mix } from './vector.ts';

/** Uniform draws on (0, 1), one a call. */
export type Draw = () => number;

export type BeardStyle = 'none' | 'stubble' | 'moustache' | 'goatee' | 'full';
export type ClothesStyle = 'crew' | 'v-neck' | 'suit' | 'turtleneck';
export type HatStyle = 'none' | 'beanie' | 'cap';

/** Lengths are in units of the canvas (128 a side), in the head's frame: origin between the eyes, y down. */
export interface Hair {
	style: 'none' | 'ring' | 'cap';
	colour: Colour;
	/** How far hair stands off the skull above and beside it. */
	top: number;
	side: number;
	/** Where hair ends at the sides of the face, and behind the neck. */
	bottom: number;
	back: number;
	/** Height of the hairline at the middle and how far it draws back at the temples. */
	hairline: number;
	recession: number;
	/** Parting, from −1 (the picture's left) to 1, and how far a fringe falls below the hairline. */
	part: number;
	fringe: number;
	/** Unevenness of the outline, and how many waves it has. */
	curl: number;
	waves: number;
	bun: boolean;
	/** Phases that tell strands of one head from another's. */
	phase: number;
	opacity: number;
}

export interface Person {
	/** Pose: radians; yaw > 0 looks to the picture's right, pitch > 0 down, roll > 0 clockwise. */
	yaw: number;
	pitch: number;
	roll: number;
	shift: readonly [x: number, y: number];
	scale: number;
	/** Light: direction from −1 (left) to 1 (right), height, strength of the shading, colour. */
	lightX: number;
	lightY: number;
	contrast: number;
	lightColour: Colour;
	skin: Colour;
	age: number;
	softness: number;
	width: number;
	jaw: number;
	chin: number;
	cheek: number;
	blush: number;
	ears: number;
	eye: {
		colour: Colour;
		open: number;
		size: number;
		tilt: number;
		gazeX: number;
		gazeY: number;
		spread: number;
	};
	brow: { height: number; arch: number; thickness: number; slant: number; colour: Colour };
	nose: { width: number; length: number; bridge: number };
	mouth: { width: number; smile: number; open: number; fullness: number; colour: Colour };
	hair: Hair;
	beard: BeardStyle;
	beardLength: number;
	glasses: 'none' | 'round' | 'square' | 'half';
	glassesColour: Colour;
	glassesTint: number;
	hat: HatStyle;
	hatColour: Colour;
	clothes: ClothesStyle;
	clothesColour: Colour;
	clothesAccent: Colour;
	background: { upper: Colour; lower: Colour; glow: number; glowX: number; shapes: readonly BackShape[] };
}

export interface BackShape {
	kind: 'disc' | 'band' | 'edge';
	x: number;
	y: number;
	size: number;
	colour: Colour;
	opacity: number;
}

const skinTones: readonly Colour[] = [
	[250, 222, 202],
	[243, 206, 180],
	[232, 186, 154],
	[214, 162, 126],
	[190, 134, 98],
	[154, 103, 72],
	[118, 77, 54],
	[88, 58, 44],
];

const hairTones: readonly Colour[] = [
	[30, 25, 25],
	[52, 37, 30],
	[84, 57, 40],
	[122, 86, 56],
	[168, 124, 74],
	[216, 182, 124],
	[232, 208, 160],
	[142, 70, 40],
	[104, 42, 30],
];

const eyeTones: readonly Colour[] = [
	[60, 38, 26],
	[84, 54, 32],
	[110, 78, 44],
	[96, 110, 70],
	[84, 124, 150],
	[110, 130, 140],
];

const grey: Colour = [176, 174, 172];

/** Everything about one portrait; consumes about a hundred draws. */
export function drawPerson(draw: Draw): Person {
	const between = (low: number, high: number) => low + (high - low) * draw();
	// A bell on (−1, 1): most people look at the camera.
	const bell = () => (draw() + draw() + draw()) / 1.5 - 1;
	const chance = (probability: number) => draw() < probability;
	const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)]!;
	const along = (list: readonly Colour[], position: number): Colour => {
		const place = clamp(position, 0, 0.999) * (list.length - 1);
		return mix(list[Math.floor(place)]!, list[Math.floor(place) + 1]!, place % 1);
	};

	const tone = draw() ** 1.25;
	const age = draw();
	const softness = draw(); // 0: square jaw, heavy brows, beards; 1: soft jaw, thin brows, long hair
	const skin = mix(along(skinTones, tone), hsl(between(0.02, 0.08), 0.5, between(0.45, 0.7)), 0.08);
	const hairColour = drawHairColour(draw, tone, age);
	const yaw = 0.42 * bell();
	const smile = between(-0.25, 1.1);

	return {
		yaw,
		pitch: 0.16 * bell(),
		roll: 0.09 * bell() + 0.1 * yaw * between(-1, 1),
		shift: [2.2 * bell(), 2 * bell()],
		scale: 1 + 0.07 * bell(),
		lightX: between(-1, 1),
		lightY: between(-1, -0.2),
		contrast: between(0.45, 1),
		lightColour: mix([255, 240, 220], [228, 238, 255], draw()),
		skin,
		age,
		softness,
		width: 1 + 0.07 * bell(),
		jaw: between(0.9, 1.06) - 0.08 * (softness - 0.5),
		chin: 52 + 3.5 * bell() - 2 * softness,
		cheek: bell(),
		blush: between(0.05, 0.35) * (1 - 0.6 * tone),
		ears: between(0.8, 1.2),
		eye: {
			colour: mix(tone > 0.55 ? eyeTones[0]! : pick(eyeTones), [40, 28, 22], between(0, 0.35)),
			open: clamp(between(0.62, 1.12) - 0.12 * Math.max(0, smile), 0.5, 1.1),
			size: between(0.92, 1.1) + 0.06 * softness,
			tilt: 1.1 * bell(),
			gazeX: 1.2 * bell() - yaw,
			gazeY: 0.7 * bell(),
			spread: 16.2 + 0.7 * bell(),
		},
		brow: {
			height: between(8.4, 11.2),
			arch: between(0.4, 2.6),
			thickness: between(1.5, 2.6) + 1.1 * (1 - softness),
			slant: 1.2 * bell(),
			colour: mix(hairColour, [70, 50, 38], 0.45),
		},
		nose: { width: between(5.6, 8.4), length: 20.5 + 1.8 * bell(), bridge: between(1.8, 3) },
		mouth: {
			width: between(10.2, 12.6) + 1.8 * Math.max(0, smile),
			smile,
			open: smile > 0.35 && chance(0.62) ? between(0.3, 1) : chance(0.06) ? between(0.3, 0.7) : 0,
			fullness: between(0.7, 1.25),
			colour: mix(
				mix(skin, [168, 66, 66], between(0.3, 0.52)),
				[170, 30, 52],
				softness > 0.55 && chance(0.45) ? between(0.3, 0.7) : 0,
			),
		},
		hair: drawHair(draw, hairColour, softness, age, tone),
		beard:
			softness > 0.5 || chance(0.45)
				? 'none'
				: pick(['stubble', 'stubble', 'moustache', 'goatee', 'full', 'full']),
		beardLength: between(0, 1),
		glasses: chance(0.78) ? 'none' : pick(['round', 'square', 'half']),
		glassesColour: pick([
			[28, 26, 28],
			[70, 46, 30],
			[120, 116, 112],
			[150, 116, 60],
			[40, 44, 80],
		] as Colour[]),
		glassesTint: chance(0.12) ? between(0.55, 0.85) : between(0.02, 0.12),
		hat: chance(0.05) ? pick(['beanie', 'cap']) : 'none',
		hatColour: hsl(draw(), between(0.15, 0.55), between(0.2, 0.5)),
		clothes: softness < 0.6 && chance(0.5) ? 'suit' : pick(['crew', 'v-neck', 'turtleneck', 'crew']),
		clothesColour: hsl(draw(), between(0.05, 0.6), between(0.12, 0.68)),
		clothesAccent: hsl(draw(), between(0.2, 0.7), between(0.2, 0.5)),
		background: drawBackground(draw),
	};
}

function drawHairColour(draw: Draw, tone: number, age: number): Colour {
	const place = draw();
	const reach = tone > 0.55 ? 2.2 : tone > 0.35 ? 4.5 : hairTones.length - 0.01;
	const position = place * reach;
	const base = mix(
		hairTones[Math.floor(position)]!,
		hairTones[Math.min(Math.floor(position) + 1, hairTones.length - 1)]!,
		position < 6 ? position % 1 : 0,
	);
	const greyness = clamp((age - 0.66) * 3.4 * draw() * 2, 0, 1);
	const dyed = draw() < 0.02 ? hsl(draw(), 0.5, 0.45) : base;
	return mix(dyed, mix(grey, [225, 222, 216], draw()), greyness);
}

function drawHair(draw: Draw, colour: Colour, softness: number, age: number, tone: number): Hair {
	const between = (low: number, high: number) => low + (high - low) * draw();
	const kind = draw();
	const part = between(-0.8, 0.8);
	const hair: Hair = {
		style: 'cap',
		colour,
		top: between(3, 7),
		side: between(1.2, 3),
		bottom: between(-4, 8),
		back: 0,
		hairline: between(-29, -24.5),
		recession: between(0, 5) + 4 * Math.max(0, age - 0.6) * (1 - softness),
		part,
		fringe: 0,
		curl: between(0, 0.5),
		waves: between(5, 9),
		bun: false,
		phase: draw(),
		opacity: 1,
	};
	const curly = draw() < (tone > 0.55 ? 0.45 : 0.14);
	if (curly) {
		hair.curl = between(0.9, 1.8);
		hair.waves = between(9, 14);
		hair.top += between(1, 7);
		hair.side += between(0.5, 4);
	}
	if (softness > 0.46) {
		if (kind < 0.36) {
			Object.assign(hair, { bottom: between(46, 72), back: 128, side: between(4, 8) }); // long
			hair.curl += draw() < 0.5 ? between(0.6, 1.5) : 0;
		} else if (kind < 0.62) {
			Object.assign(hair, { bottom: between(24, 40), back: between(44, 56), side: between(4, 8.5) }); // bob
		} else if (kind < 0.8) {
			Object.assign(hair, { bottom: between(-2, 4), side: 1.4, bun: draw() < 0.5 }); // tied back
		} else {
			Object.assign(hair, { top: between(6, 11), side: between(2.5, 5), bottom: between(6, 16), back: 30 }); // short
		}
		if (draw() < 0.34) Object.assign(hair, { fringe: between(6, 13), recession: 0 });
	} else if (kind < 0.12) {
		hair.style = age > 0.4 || draw() < 0.5 ? 'ring' : 'none';
		hair.bottom = between(4, 10);
	} else if (kind < 0.26) {
		Object.assign(hair, {
			top: between(0.6, 2),
			side: between(0.2, 0.8),
			opacity: between(0.55, 0.9),
			curl: 0,
		}); // cropped
	} else if (kind < 0.44) {
		Object.assign(hair, { hairline: between(-39, -32), recession: between(4, 9) }); // receding
	} else if (kind < 0.62) {
		hair.top = between(8, 13); // swept up
	} else if (kind < 0.72) {
		hair.fringe = between(3, 9);
		hair.recession = 0;
	}
	return hair;
}

function drawBackground(draw: Draw): Person['background'] {
	const between = (low: number, high: number) => low + (high - low) * draw();
	const hue = draw() < 0.55 ? between(0.52, 0.68) : draw();
	const lightness = between(0.16, 0.8);
	const saturation = between(0.04, 0.5) * (1 - 0.5 * Math.abs(lightness - 0.5));
	const upper = hsl(hue, saturation, lightness);
	const lower = hsl(
		(hue + between(-0.07, 0.07) + 1) % 1,
		saturation * between(0.6, 1.2),
		clamp(lightness + between(-0.24, 0.2), 0.08, 0.92),
	);
	const count = draw() < 0.45 ? 0 : 1 + Math.floor(draw() * 4);
	const shapes = Array.from({ length: count }, (): BackShape => {
		const kind = draw();
		return {
			kind: kind < 0.6 ? 'disc' : kind < 0.85 ? 'band' : 'edge',
			x: between(0, 128),
			y: between(0, 110),
			size: between(10, 36),
			colour: hsl((hue + between(-0.15, 0.15) + 1) % 1, between(0.1, 0.5), between(0.15, 0.85)),
			opacity: between(0.15, 0.5),
		};
	});
	return { upper, lower, glow: between(0, 0.4), glowX: between(10, 118), shapes };
}
