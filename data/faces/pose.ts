// Where a point of the head falls on the canvas. Features sit on a cylinder that turns with the head; the frame is
// then moved so that the eyes stay in place, as in photographs aligned by the eyes.
import type { Person } from './person.ts';
import type { Point } from './vector.ts';

/** Side of the canvas. */
export const CANVAS = 128;

/** Where the middle between the eyes lies: x 0.5, y 0.48 of the side, as FFHQ's alignment has it. */
const EYES: Point = [64, 61.4];

/** Radius of the face's cylinder: how fast features move when the head turns. */
const RADIUS = 37;

export interface Pose {
	/** A feature at (u, v) of the head's frame, on the cylinder raised by `lift`. */
	face(u: number, v: number, lift?: number): Point;
	/** A point of the outline: `u` to the side as seen, at depth `z` before the head's axis. */
	outline(u: number, v: number, z?: number): Point;
	/** How wide a thing at `u` looks, 1 when it faces the camera. */
	facing(u: number): number;
}

export function makePose({ yaw, pitch, roll, shift, scale, width, eye }: Person): Pose {
	const turn = (u: number) => Math.asin(Math.max(-0.98, Math.min(0.98, u / (RADIUS * width)))) + yaw;
	const onFace = (u: number, lift = 0) => (RADIUS * width + lift) * Math.sin(turn(u));
	const depth = (u: number, lift = 0) => (RADIUS + lift) * Math.cos(turn(u));
	const eyesX = (onFace(-eye.spread) + onFace(eye.spread)) / 2;
	const eyesY = depth(0) * Math.sin(pitch);
	const [cos, sin] = [Math.cos(roll), Math.sin(roll)];
	const place = (x: number, y: number): Point => {
		const dx = (x - eyesX) * scale;
		const dy = (y - eyesY) * scale;
		return [EYES[0] + shift[0] + dx * cos - dy * sin, EYES[1] + shift[1] + dx * sin + dy * cos];
	};
	return {
		face: (u, v, lift = 0) =>
			place(onFace(u * width, lift), v * Math.cos(pitch) + depth(u, lift) * Math.sin(pitch)),
		outline: (u, v, z = 0) =>
			place(
				u * width * (1 - 0.03 * Math.abs(yaw)) + z * Math.sin(yaw),
				v * Math.cos(pitch) + z * Math.sin(pitch),
			),
		facing: (u) => Math.max(0.3, Math.cos(turn(u)) / Math.cos(turn(u) - yaw)),
	};
}
