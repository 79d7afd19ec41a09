// What single operators are known to do, beside the laws of all.
import test from 'ava';
import { type HostTensor, openEngine, stream } from '../../engine/index.ts';
import {
	measure,
	OperatorPrograms,
	packMask,
	parseProblem,
	problemLevel,
	problemName,
} from '../../inverter/problems/index.ts';

const programs = new OperatorPrograms(await openEngine());
test.after.always(() => programs.dispose());

const side = 16;
const key = { seed: 1, image: 'x' };
const some: HostTensor = { shape: [1, side, side, 3], data: stream(1, 'x').normals(0, side * side * 3) };

const applied = (json: object, x: HostTensor = some, seed = 1): HostTensor =>
	measure(
		programs,
		parseProblem(json),
		x,
		Array.from({ length: x.shape[0]! }, () => ({ ...key, seed })),
	).y;

const near = (a: HostTensor, b: HostTensor, slack = 1e-6): boolean =>
	a.data.length === b.data.length && a.data.every((value, i) => Math.abs(value - b.data[i]!) <= slack);

/** One bright pixel: [1, 16, 16, 1] at (row, column). */
function point(row: number, column: number): HostTensor {
	const data = new Float32Array(side * side);
	data[row * side + column] = 1;
	return { shape: [1, side, side, 1], data };
}

test('a point becomes the kernel, as it stands in the description', (t) => {
	const taps = [
		[1, 2, 3],
		[4, 5, 6],
		[7, 8, 9],
	];
	const y = applied({ kind: 'deblurring', kernel: 'custom', taps, boundary: 'zero' }, point(5, 9));
	for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) t.is(y.data[(4 + i) * side + 8 + j], taps[i]![j]!);
	t.is(
		y.data.reduce((sum, value) => sum + value, 0),
		45,
	);
});

for (const boundary of ['reflect', 'symmetric', 'replicate', 'circular', 'zero']) {
	test(`a custom kernel of equal taps is the uniform blur: ${boundary}`, (t) => {
		const taps = Array.from({ length: 7 }, () => new Array(7).fill(1 / 49));
		const own = applied({ kind: 'deblurring', kernel: 'custom', taps, boundary });
		t.true(near(own, applied({ kind: 'deblurring', kernel: 'uniform', size: 7, boundary })));
	});
}

test('motion to the right is the mean along the row, upwards along the column, and both directions are one', (t) => {
	const motion = (length: number, angle: number): HostTensor =>
		applied({ kind: 'deblurring', kernel: 'motion', length, angle });
	const row = { kind: 'deblurring', kernel: 'custom', taps: [new Array(7).fill(1 / 7)] };
	const column = { ...row, taps: Array.from({ length: 7 }, () => [1 / 7]) };
	t.true(near(motion(7, 0), applied(row)));
	t.true(near(motion(7, 90), applied(column)));
	t.true(near(motion(9, 30), motion(9, -150)));
	t.true(near(motion(1, 77), some));
	// Counter-clockwise from the right: at 45° the path leaves upwards to the right.
	const y = applied({ kind: 'deblurring', kernel: 'motion', length: 6, angle: 45 }, point(8, 8)).data;
	t.true(y[7 * side + 9]! > 0.1 && y[9 * side + 7]! > 0.1 && y[7 * side + 7]! === 0);
	t.true(Math.abs(y.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
});

test('shake is a path of its seed about its middle, straight without turns', (t) => {
	const shake = (more: object): Float32Array =>
		applied({ kind: 'deblurring', kernel: 'shake', length: 7, ...more }, point(8, 8)).data;
	for (const seed of [0, 1, 2]) {
		const y = shake({ seed });
		let [mass, rows, columns] = [0, 0, 0];
		y.forEach((value, i) => {
			mass += value;
			rows += value * Math.floor(i / side);
			columns += value * (i % side);
		});
		t.true(Math.abs(mass - 1) < 1e-5);
		t.true(Math.abs(rows - 8) < 0.5 && Math.abs(columns - 8) < 0.5, `${rows}, ${columns}`);
		t.deepEqual(y, shake({ seed }));
		// A straight path reaches farther than one that turns.
		const reach = (values: Float32Array): number =>
			Math.max(...values.map((v, i) => (v > 0 ? Math.hypot(Math.floor(i / side) - 8, (i % side) - 8) : 0)));
		t.true(reach(shake({ seed, turn: 0 })) > reach(shake({ seed, turn: 120 })));
	}
	t.notDeepEqual(shake({ seed: 0 }), shake({ seed: 1 }));
});

test('area and box agree where the factor divides the sides', (t) => {
	const reduce = (filter: string): HostTensor => applied({ kind: 'super-resolution', factor: 4, filter });
	t.true(near(reduce('area'), reduce('box'), 0));
});

test('a composition is its steps one after the other, with noise at the end', (t) => {
	const blur = { kind: 'deblurring', kernel: 'motion', length: 5, angle: 20 };
	const reduce = { kind: 'super-resolution', factor: 2 };
	const noise = { kind: 'gaussian', sigma: 0.1 };
	const byHand = applied({ ...reduce, noise }, applied(blur));
	t.true(near(applied({ kind: 'composition', steps: [blur, reduce], noise }), byHand));
	t.is(problemLevel(parseProblem({ kind: 'composition', steps: [blur, reduce] })), 2);
});

test('problems are told apart by name and level', (t) => {
	for (const [problem, name, level] of [
		[{ kind: 'compressed-sensing', ratio: 0.1 }, 'compressed-sensing', 0.1],
		[{ kind: 'compressed-sensing', ratio: 0.1, matrix: 'gaussian' }, 'compressed-sensing-gaussian', 0.1],
		[{ kind: 'inpainting', mask: 'half' }, 'inpainting-half', 0.5],
		[{ kind: 'super-resolution', factor: 4, noise: { kind: 'none' } }, 'super-resolution', 4],
		[
			{ kind: 'super-resolution', factor: 4, noise: { kind: 'poisson', photons: 30 } },
			'super-resolution-photons-30',
			4,
		],
		[{ kind: 'denoising', noise: { kind: 'gaussian', sigma: 0.2 } }, 'denoising', 0.2],
		[{ kind: 'denoising', noise: { kind: 'snr', decibels: 12 } }, 'denoising-snr', 12],
		[
			{
				kind: 'composition',
				steps: [{ kind: 'deblurring', kernel: 'motion', length: 5 }, { kind: 'colorization' }],
				noise: { kind: 'gaussian', sigma: 0.1 },
			},
			'composition-deblurring-motion-colorization-sigma-0.1',
			1,
		],
	] as const) {
		const spec = parseProblem(problem);
		t.deepEqual([problemName(spec), problemLevel(spec)], [name, level]);
	}
});

test('the eye patch is a band at the eye line of aligned faces, and its level the fraction that is seen', (t) => {
	const ones = { shape: [1, 100, 100, 1], data: new Float32Array(10_000).fill(1) };
	const { data } = applied({ kind: 'inpainting', mask: 'eyes' }, ones);
	const seen = (row: number, column: number): number => data[row * 100 + column]!;
	t.deepEqual([seen(48, 37), seen(48, 63), seen(40, 20), seen(55, 79)], [0, 0, 0, 0]);
	t.deepEqual([seen(39, 50), seen(56, 50), seen(48, 19), seen(48, 80)], [1, 1, 1, 1]);
	const level = problemLevel(parseProblem({ kind: 'inpainting', mask: 'eyes' }));
	t.true(Math.abs(data.reduce((sum, value) => sum + value, 0) / 10_000 - level) < 1e-9);
});

test('a mask of its own hides what its bits say, for an image of its size alone', (t) => {
	const mask = stream(2, 'mask').integers(0, side * side, 2);
	const spec = { kind: 'inpainting', mask: 'custom', height: side, width: side, bits: packMask(mask) };
	const { data } = applied(spec);
	t.true(data.every((value, i) => value === (mask[Math.floor(i / 3)] ? some.data[i]! : 0)));
	const observed = mask.reduce((sum, value) => sum + value, 0) / mask.length;
	t.is(problemLevel(parseProblem(spec)), observed);
	const small = { shape: [1, 8, 8, 3], data: some.data.slice(0, 192) };
	t.throws(() => applied(spec, small), {
		message: 'Expected a mask of 8 × 8 pixels for inpainting but received "16 × 16"',
	});
});

test('a dense matrix keeps energy on average, and by m without the scale', (t) => {
	const energy = (json: object): number => {
		let sum = 0;
		for (let seed = 0; seed < 16; seed++)
			for (const value of applied(json, some, seed).data) sum += value ** 2;
		return sum / 16 / some.data.reduce((total, value) => total + value * value, 0);
	};
	const dense = { kind: 'compressed-sensing', matrix: 'gaussian', ratio: 0.25 };
	t.true(Math.abs(energy(dense) - 1) < 0.1);
	t.true(Math.abs(energy({ ...dense, scale: 'published' }) / 192 - 1) < 0.1);
});

test('a dense matrix is of the seed: one for all images of it, another for another', (t) => {
	const spec = parseProblem({ kind: 'compressed-sensing', matrix: 'gaussian', ratio: 0.1 });
	const twice = { shape: [2, side, side, 3], data: new Float32Array([...some.data, ...some.data]) };
	const measured = (seeds: number[]): Float32Array[] => {
		const { y } = measure(
			programs,
			spec,
			twice,
			seeds.map((seed, i) => ({ seed, image: `${i}` })),
		);
		return [y.data.slice(0, y.data.length / 2), y.data.slice(y.data.length / 2)];
	};
	const [a, b] = measured([1, 1]);
	t.deepEqual(a, b);
	const [c, d] = measured([1, 2]);
	t.true(c!.every((value, i) => Math.abs(value - a![i]!) < 1e-4));
	t.true(d!.some((value, i) => Math.abs(value - a![i]!) > 0.1));
});

for (const [json, message] of [
	[{ kind: 'inpainting', mask: 'custom', height: 2, width: 4, bits: 'AA==' }, /leaves at least one pixel/],
	[{ kind: 'inpainting', mask: 'custom', height: 3, width: 4, bits: '/w==' }, /base64 of 2 bytes.*bits/],
	[{ kind: 'deblurring', kernel: 'custom', taps: [[1, 2]] }, /odd numbers of rows and columns.*taps/],
	[{ kind: 'deblurring', kernel: 'custom', taps: [[1, 2, 1], [1]] }, /rows of equal length/],
	[{ kind: 'deblurring', kernel: 'custom', taps: [[0]] }, /not all zero/],
	[{ kind: 'deblurring', kernel: 'motion', length: 0 }, /for problem\.length but received 0$/],
	[{ kind: 'deblurring', kernel: 'motion', length: 3, angle: 200 }, /for problem\.angle but received 200$/],
	[{ kind: 'compressed-sensing', ratio: 0.5, noise: { kind: 'poisson', photons: 9 } }, /problem\.noise/],
	[{ kind: 'composition', steps: [] }, /for problem\.steps but received \[\]$/],
	[{ kind: 'composition', steps: [{ kind: 'denoising' }] }, /problem\.steps\.0/],
	[
		{ kind: 'composition', steps: [{ kind: 'identity', noise: { kind: 'gaussian', sigma: 1 } }] },
		/no noise of a step.*problem\.steps\.0\.noise/,
	],
] as const) {
	test(`is refused in its description: ${JSON.stringify(json)}`, (t) => {
		t.throws(() => parseProblem(json), { message, code: 'INVALID_INPUT' });
	});
}

for (const [json, message] of [
	[
		{ kind: 'composition', steps: [{ kind: 'compressed-sensing', ratio: 1 }, { kind: 'identity' }] },
		/a step that leaves an image for steps\.0/,
	],
	[
		{
			kind: 'composition',
			steps: [
				{ kind: 'super-resolution', factor: 4 },
				{ kind: 'super-resolution', factor: 3 },
			],
		},
		/a factor that divides 4 × 4/,
	],
	[{ kind: 'composition', steps: [{ kind: 'colorization' }, { kind: 'colorization' }] }, /3 channels/],
] as const) {
	test(`is refused for images of a size: ${JSON.stringify(json)}`, (t) => {
		t.throws(() => applied(json), { message, code: 'INVALID_INPUT' });
	});
}

test('a dense matrix beyond the room for it is refused with what to do', (t) => {
	const big = { shape: [1, 128, 128, 3], data: new Float32Array(128 * 128 * 3) };
	const error = t.throws(() => applied({ kind: 'compressed-sensing', matrix: 'gaussian', ratio: 0.5 }, big), {
		message: 'A dense matrix of 24576 × 49152 would need 4608 MiB; at most 128 MiB are taken.',
	}) as Error & { remedy: string };
	t.regex(error.remedy, /matrix: circulant/);
});
