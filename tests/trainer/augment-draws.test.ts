// What augmentation draws: pure, independent of the batch, more with more probability, spread as published.
import test from 'ava';
import {
	type AugmentationGroup,
	type AugmentationInputs,
	augmentationSource,
} from '../../trainer/augment-draws.ts';

const options = { seed: 4, purpose: 'd real', count: 8, resolution: 32 };

const parts = (inputs: AugmentationInputs): number[][] =>
	Object.values(inputs).map((values: Float32Array) => [...values]);

test('draws are a function of seed, purpose and step', (t) => {
	const draw = augmentationSource(options);
	const first = parts(draw(5, 0.7));
	draw(6, 0.1);
	t.deepEqual(parts(draw(5, 0.7)), first);
	t.deepEqual(parts(augmentationSource(options)(5, 0.7)), first);
	for (const other of [{ seed: 5 }, { purpose: 'd fake' }]) {
		t.notDeepEqual(parts(augmentationSource({ ...options, ...other })(5, 0.7)), first);
	}
	t.notDeepEqual(parts(draw(6, 0.7)), first);
});

test('an image is drawn for alike in every size of batch', (t) => {
	const small = augmentationSource({ ...options, count: 3 })(9, 0.6);
	const large = augmentationSource(options)(9, 0.6);
	t.deepEqual([...large.geometry.slice(0, 18)], [...small.geometry]);
	t.deepEqual([...large.colour.slice(0, 36)], [...small.colour]);
	t.deepEqual([...large.moved.slice(0, 3)], [...small.moved]);
});

const many = { ...options, count: 4000 };
const unchanged = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];

/** Share of images that anything happens to. */
function touched(groups: readonly AugmentationGroup[], p: number): number {
	const { moved, colour } = augmentationSource({ ...many, groups })(0, p);
	let count = 0;
	for (let i = 0; i < many.count; i++) {
		const recoloured = unchanged.some((value, k) => colour[12 * i + k] !== value);
		if (moved[i] === 1 || recoloured) count++;
	}
	return count / many.count;
}

test('each transform happens with its probability, and none without', (t) => {
	for (const group of ['blit', 'geometry', 'colour'] as const) t.is(touched([group], 0), 0, group);
	const p = 0.3;
	// Effective: half of the mirrorings and three of four quarter turns move an image, and 81 of 81 shifts but one.
	const blit = 1 - (1 - p / 2) * (1 - (3 * p) / 4) * (1 - p * (1 - 1 / 81));
	// Scale, anisotropy, shift, and rotation before or after.
	const geometry = 1 - (1 - p) ** 4;
	// Brightness, contrast, hue, saturation, and half of the luma flips.
	const colour = 1 - (1 - p) ** 4 * (1 - p / 2);
	for (const [group, wanted] of Object.entries({ blit, geometry, colour })) {
		const share = touched([group as AugmentationGroup], p);
		const deviation = Math.sqrt((wanted * (1 - wanted)) / many.count);
		t.true(Math.abs(share - wanted) < 4 * deviation, `${group}: ${share}, not ${wanted}`);
	}
});

test('more probability only adds transforms', (t) => {
	const draw = augmentationSource(many);
	const [few, more] = [draw(0, 0.2), draw(0, 0.5)];
	t.true(few.moved.every((value, i) => value <= more.moved[i]!));
	t.true(few.moved.some((value, i) => value < more.moved[i]!));
});

test('pixel transforms keep pixels on pixels, within an eighth of the image', (t) => {
	const { geometry } = augmentationSource({ ...many, groups: ['blit'] })(0, 1);
	for (let i = 0; i < many.count; i++) {
		const [a, b, e, c, d, f] = geometry.slice(6 * i, 6 * i + 6) as unknown as number[];
		t.deepEqual([Math.abs(a!) + Math.abs(b!), Math.abs(c!) + Math.abs(d!)], [1, 1]);
		t.is(Math.abs(a! * d! - b! * c!), 1);
		for (const shift of [e!, f!]) t.true(Number.isInteger(shift) && Math.abs(shift) <= 4);
	}
});

test('scales and shifts are spread as published', (t) => {
	const { geometry } = augmentationSource({ ...many, groups: ['geometry'] })(0, 1);
	const spread = (values: number[]): number =>
		Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
	const rows = Array.from({ length: many.count }, (_, i) => [...geometry.slice(6 * i, 6 * i + 6)]);
	// The area changes by the square of the isotropic scale alone: log₂ N(0, 0.2).
	const scale = spread(rows.map(([a, b, , c, d]) => Math.log2(a! * d! - b! * c!) / 2));
	t.true(Math.abs(scale - 0.2) < 0.01, `${scale}`);
	// The fractional shift is applied last and undone first, so the map scales it: take that out again.
	const shift = spread(
		rows.flatMap(([a, b, e, c, d, f]) => {
			const area = a! * d! - b! * c!;
			return [(d! * e! - b! * f!) / area / 32, (a! * f! - c! * e!) / area / 32];
		}),
	);
	t.true(Math.abs(shift - 0.125) < 0.006, `${shift}`);
});
