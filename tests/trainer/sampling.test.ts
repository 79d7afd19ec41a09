// What a training step draws: shares of a family, mixing, latents that do not depend on the arm.
import test from 'ava';
import { type Cut, family, type Member, rtilSchema, stylegan2Generator } from '../../models/index.ts';
import {
	codeOwners,
	type DrawOptions,
	familyBatch,
	latentShapes,
	latentSource,
	memberBatch,
	smallestBatch,
} from '../../trainer/sampling.ts';

const generator = stylegan2Generator({
	resolution: 32,
	channels: [4, 4, 4, 4],
	zDim: 6,
	wDim: 6,
	mappingLayers: 1,
});

function members(weights: number[]): Member[] {
	return weights.map((weight, i) => ({ name: `G${i}`, cuts: [], codes: 1, weight }));
}

const families = [
	[1],
	[0.5, 0.5],
	[0.5, 0.25, 0.25],
	[0.2, 0.2, 0.2, 0.2, 0.2],
	[0.9, 0.1],
	[0.05, 0.95],
	[0.01, 0.33, 0.33, 0.33],
];

test('shares of the loss are the weights, whatever the batch', (t) => {
	for (const weights of families) {
		const own = members(weights);
		for (const batch of [smallestBatch(own), 16, 20, 24, 64].filter((n) => n >= smallestBatch(own))) {
			const { size, member, weight } = familyBatch(own, batch);
			t.deepEqual([size, member.length, weight.length], [batch, batch, batch]);
			weights.forEach((wanted, k) => {
				const samples = [...member.keys()].filter((i) => member[i] === k);
				t.true(samples.length >= 4, 'every member has a group');
				const sum = samples.reduce((total, i) => total + weight[i]!, 0);
				t.true(Math.abs(sum - wanted) < 1e-6);
				const alone = memberBatch(own, k, batch);
				t.true(alone.member.every((m) => m === k));
				t.true(Math.abs(alone.weight.reduce((total, w) => total + w, 0) - wanted) < 1e-6);
			});
		}
	}
});

test('the groups that D compares are of one member each', (t) => {
	for (const weights of families) {
		const { size, member } = familyBatch(members(weights), 32);
		const groups = size / 4;
		for (let group = 0; group < groups; group++) {
			const of = [0, 1, 2, 3].map((row) => member[group + row * groups]!);
			t.true(of.every((k) => k === of[0]));
		}
	}
});

test('split: members get groups in proportion to their weights, the largest remainders first', (t) => {
	const counts = (weights: number[], batch: number): number[] => {
		const { member } = familyBatch(members(weights), batch);
		return weights.map((_, k) => member.filter((m) => m === k).length / 4);
	};
	t.deepEqual(counts([0.5, 0.5], 16), [2, 2]);
	t.deepEqual(counts([0.5, 0.25, 0.25], 16), [2, 1, 1]);
	t.deepEqual(counts([0.5, 0.125, 0.125, 0.125, 0.125], 32), [4, 1, 1, 1, 1]);
	t.deepEqual(counts([0.5, 0.125, 0.125, 0.125, 0.125], 20), [1, 1, 1, 1, 1]);
	t.deepEqual(counts([0.99, 0.01], 16), [3, 1]);
	t.is(smallestBatch(members([0.5, 0.25, 0.25])), 12);
});

const options = (cuts: readonly Cut[], more: Partial<DrawOptions> = {}): DrawOptions => {
	const own = more.members ?? members([1]);
	return { members: own, batch: familyBatch(own, 16), cuts, sigmas: {}, mixing: 0.9, ...more };
};

test('the mask begins at a row from the second on, and is on from there', (t) => {
	const rows = generator.numStyles;
	const starts = new Map<number, number>();
	const draw = latentSource(1, 'd', generator, options([]));
	const stepsDrawn = 250;
	for (let step = 0; step < stepsDrawn; step++) {
		const mask = draw(step).mix!;
		for (let i = 0; i < 16; i++) {
			const own = [...mask.subarray(i * rows, (i + 1) * rows)];
			const start = own.indexOf(1);
			t.deepEqual(
				own,
				own.map((_, row) => (start >= 0 && row >= start ? 1 : 0)),
			);
			starts.set(start, (starts.get(start) ?? 0) + 1);
		}
	}
	const total = stepsDrawn * 16;
	t.false(starts.has(0));
	t.true(
		Math.abs(starts.get(-1)! - 0.1 * total) < 5 * Math.sqrt(0.1 * 0.9 * total),
		'one in ten is not mixed',
	);
	const each = (0.9 * total) / (rows - 1);
	for (let row = 1; row < rows; row++) t.true(Math.abs(starts.get(row)! - each) < 5 * Math.sqrt(each));
	const never = latentSource(1, 'd', generator, options([], { mixing: 0 }))(0).mix!;
	t.true(never.every((value) => value === 0));
	const always = latentSource(1, 'd', generator, options([], { mixing: 1 }))(0).mix!;
	t.true(Array.from({ length: 16 }, (_, i) => always[(i + 1) * rows - 1]).every((value) => value === 1));
});

test('two arms of a comparison see the same z, mixing and noise', (t) => {
	const own = family(rtilSchema.parse({ cuts: ['b4', 'b8'], sigma: 1 }), generator.cuts);
	const cuts = generator.cuts.slice(0, 2);
	const rtil = latentSource(9, 'g', generator, options(cuts, { members: own }))(5);
	const vanilla = latentSource(9, 'g', generator, options([]))(5);
	for (const name of Object.keys(vanilla)) t.deepEqual(rtil[name], vanilla[name], name);
	t.deepEqual(Object.keys(rtil).slice(Object.keys(vanilla).length), ['z1.b4', 'z1.b8']);
});

test('z1 is drawn for the members that use the cut and is 0 for the others, with the spread asked for', (t) => {
	const own = family(rtilSchema.parse({ cuts: ['b4', 'b8'], sigma: 3 }), generator.cuts);
	const cuts = generator.cuts.slice(0, 2);
	const batch = familyBatch(own, 64);
	const inputs = latentSource(
		9,
		'g',
		generator,
		options(cuts, { members: own, batch, sigmas: { b4: 3, b8: 3 } }),
	)(0);
	for (const { name, resolution, channels } of cuts) {
		const size = resolution * resolution * channels;
		const used: number[] = [];
		batch.member.forEach((m, i) => {
			const values = inputs[`z1.${name}`]!.subarray(i * size, (i + 1) * size);
			if (own[m]!.cuts.includes(name)) used.push(...values);
			else t.true(values.every((value) => value === 0));
		});
		const variance = used.reduce((sum, value) => sum + value * value, 0) / used.length;
		t.true(Math.abs(variance - 9) < 5 * 9 * Math.sqrt(2 / used.length));
	}
});

test('what is drawn has the stated shapes, differs by purpose and step, and repeats', (t) => {
	const cuts = generator.cuts.slice(0, 1);
	const shapes = latentShapes(generator, cuts, 16);
	const own = members([1]).map((member) => ({ ...member, cuts: ['b4'] }));
	const draw = (purpose: string, step: number) =>
		latentSource(2, purpose, generator, options(cuts, { members: own }))(step);
	const inputs = draw('d', 3);
	t.deepEqual(Object.keys(inputs), Object.keys(shapes));
	for (const [name, shape] of Object.entries(shapes)) {
		t.is(
			inputs[name]!.length,
			shape.reduce((a, b) => a * b, 1),
			name,
		);
	}
	t.deepEqual(draw('d', 3), inputs);
	for (const other of [draw('g', 3), draw('d', 4)]) {
		for (const name of Object.keys(shapes).filter((key) => key !== 'mix'))
			t.notDeepEqual(other[name], inputs[name], name);
	}
});

test('a mixture has N codes, the first of which a sample without one has, and weights from the flat Dirichlet', (t) => {
	const own: Member[] = [
		{ name: 'G0', cuts: [], codes: 1, weight: 0.5 },
		{ name: 'G1', cuts: [], codes: 5, weight: 0.5 },
	];
	const batch = familyBatch(own, 16);
	const owners = codeOwners(own, batch);
	t.is(owners.length, 8 * 1 + 8 * 5);
	const draw = latentSource(4, 'g', generator, options([], { members: own, batch }));
	const plain = latentSource(4, 'g', generator, options([]));
	const seconds: number[] = [];
	for (let step = 0; step < 50; step++) {
		const inputs = draw(step);
		const shapes = latentShapes(generator, [], 16, owners.length);
		t.deepEqual(Object.keys(inputs), Object.keys(shapes));
		const { z } = plain(step);
		const size = generator.zDim;
		for (let i = 0; i < 16; i++) {
			const first = owners.indexOf(i);
			t.deepEqual(inputs.z!.slice(first * size, (first + 1) * size), z!.slice(i * size, (i + 1) * size));
			const row = inputs.alpha!.subarray(i * owners.length, (i + 1) * owners.length);
			t.true(row.every((value, code) => (owners[code] === i ? value >= 0 : value === 0)));
			t.true(Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-6);
			if (batch.member[i] === 1)
				seconds.push(...[...row].filter((_, code) => owners[code] === i).map((v) => v * v));
			else t.is(row[first], 1);
		}
	}
	// E αᵢ² = 2 / (N (N + 1)) under the flat Dirichlet distribution.
	const mean = seconds.reduce((a, b) => a + b, 0) / seconds.length;
	t.true(Math.abs(mean - 2 / 30) < 0.006, `${mean}`);
});

test('presets of RTIL are what the paper states and what its code does', (t) => {
	const weights = (given: object): [number, string][] =>
		family(rtilSchema.parse(given), generator.cuts).map(({ weight, name }) => [weight, name]);
	t.deepEqual(weights({ preset: 'paper', cuts: ['b4', 'b8'] }), [
		[0.5, 'G0'],
		[0.5, 'G1'],
	]);
	const published = rtilSchema.parse({ preset: 'published-code', cuts: ['b4', 'b8'] });
	t.like(published, {
		family: 'cumulative',
		lambda: 'equal',
		batch: 'each',
		latents: 'independent',
		sigma: 1,
	});
	t.deepEqual(
		weights({ preset: 'published-code', cuts: ['b4', 'b8'] }).map(([weight]) => weight),
		[1 / 3, (1 - 1 / 3) / 2, (1 - 1 / 3) / 2],
	);
	t.like(rtilSchema.parse({ preset: 'published-code', cut: 'b8' }), { form: 'mixture', codes: [10, 20] });
	t.is((rtilSchema.parse({ preset: 'paper', cuts: ['b4'], sigma: 2 }) as { sigma: number }).sigma, 2);
	t.throws(() => rtilSchema.parse({ preset: 'papers', cuts: ['b4'] }), { message: /published-code/ });
});
