// Portraits drawn from numbers, so that everything runs where no photographs are: soft-shaded heads with varied pose,
// light, skin, hair, eyes, expression, glasses, beards, clothes and background, aligned by the eyes as FFHQ is. Face
// `i` of a seed is always the same face. Start at `drawFace`; person.ts says who, portrait.ts how.
import { stream } from '../../engine/random.ts';
import { drawPerson } from './person.ts';
import { portrait } from './portrait.ts';

/** More uniforms than a person takes; a stream gives any number at the same cost per number. */
const DRAWS = 256;

/**
 * The SVG text of a face: a pure function of (seed, index), `size` pixels a side.
 *
 * @example await sharp(Buffer.from(drawFace(1, 0, 64))).png().toFile('face.png')
 */
export function drawFace(seed: number, index: number, size: number): string {
	const uniforms = stream(seed, 'faces').uniforms(index, DRAWS);
	let next = 0;
	return portrait(
		drawPerson(() => uniforms[next++]!),
		size,
	);
}
