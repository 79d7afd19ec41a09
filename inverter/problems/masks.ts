// Masks of inpainting: 1 where a pixel is observed, row by row, [H · W]. A user's mask travels inside the description of
// the problem, one bit a pixel, so that the description alone recreates the operator.
import type { ImageShape } from './operator.ts';

type Size = Pick<ImageShape, 'height' | 'width'>;

/** A hole by its edges, as fractions of height and width. */
interface Band {
	top: number;
	bottom: number;
	left: number;
	right: number;
}

/**
 * Where aligned faces have their eyes. Conmy, Mukherjee and Schönlieb (L-BRGM, Fig. 3 and Table 2) hide an eye patch, but
 * do not state its edges. FFHQ's alignment and RTIL's have the eye line at 0.48 of the height, RTIL's the eyes at 0.371
 * and 0.629 of the width: the band is centred on them, and wide enough for both with the brows' ends.
 */
const eyes: Band = { top: 0.4, bottom: 0.56, left: 0.2, right: 0.8 };

/** Side of the hole: a third, rounded. */
const third = (side: number): number => Math.round(side / 3);

function withHole(
	{ height, width }: Size,
	top: number,
	left: number,
	rows: number,
	columns: number,
): Float32Array {
	const mask = new Float32Array(height * width).fill(1);
	for (let y = top; y < top + rows; y++) mask.fill(0, y * width + left, y * width + left + columns);
	return mask;
}

/** The masks that have a name and nothing else; the observed fraction of a large image beside each. */
export const namedMasks = {
	centre: {
		observed: 8 / 9,
		make(size: Size): Float32Array {
			const [rows, columns] = [third(size.height), third(size.width)];
			const [top, left] = [Math.floor((size.height - rows) / 2), Math.floor((size.width - columns) / 2)];
			return withHole(size, top, left, rows, columns);
		},
	},
	half: {
		observed: 0.5,
		make: (size: Size): Float32Array =>
			withHole(size, 0, Math.ceil(size.width / 2), size.height, Math.floor(size.width / 2)),
	},
	eyes: {
		observed: 1 - (eyes.bottom - eyes.top) * (eyes.right - eyes.left),
		make(size: Size): Float32Array {
			const edge = (fraction: number, side: number): number => Math.round(fraction * side);
			const [top, left] = [edge(eyes.top, size.height), edge(eyes.left, size.width)];
			// A row and a column of a tiny image are hidden, too.
			const rows = Math.max(1, edge(eyes.bottom, size.height) - top);
			const columns = Math.max(1, edge(eyes.right, size.width) - left);
			return withHole(size, top, left, rows, columns);
		},
	},
} as const;

/** One bit a pixel, row by row, the highest bit of a byte first, in base64. */
export function packMask(mask: ArrayLike<number>): string {
	const bytes = new Uint8Array(Math.ceil(mask.length / 8));
	for (let i = 0; i < mask.length; i++) if (mask[i] === 1) bytes[i >> 3]! |= 0x80 >> (i & 7);
	return Buffer.from(bytes).toString('base64');
}

/** The mask of packed bits; null when they are not those of height × width pixels. */
export function unpackMask(bits: string, { height, width }: Size): Float32Array | null {
	const bytes = Buffer.from(bits, 'base64');
	if (bytes.length !== Math.ceil((height * width) / 8)) return null;
	return Float32Array.from({ length: height * width }, (_, i) => (bytes[i >> 3]! >> (7 - (i & 7))) & 1);
}
