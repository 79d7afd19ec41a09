// The controller of the augmentation's strength.
import test from 'ava';
import { augmentSchema, decodeAda, encodeAda, initialAda, nextAda } from '../../trainer/ada.ts';

const config = augmentSchema.parse({ kind: 'ada' });

test('what is published is the default', (t) => {
	t.like(config, { target: 0.6, every: 4, kimg: 500, p: 0 });
});

test('a discriminator that is always right takes p from 0 to 1 in 500 000 images, and no further', (t) => {
	const batch = 32;
	let state = initialAda(config);
	let images = 0;
	while (state.p < 1 && images < 1e6) {
		state = nextAda(state, 1, config, batch);
		images += batch;
	}
	t.true(Math.abs(images - 500_000) <= batch * config.every);
	t.is(state.p, 1);
	t.is(nextAda({ ...state, count: 3, sum: 3 }, 1, config, batch).p, 1);
});

test('p changes at every fourth step, by the mean of the four', (t) => {
	const step = (signs: readonly number[], p: number): number[] => {
		let state = { ...initialAda(config), p: Math.fround(p) };
		return signs.map((sign) => {
			state = nextAda(state, sign, config, 1000);
			return state.p;
		});
	};
	const half = Math.fround(0.5);
	const change = 4 / 500;
	t.deepEqual(step([1, 1, 1, 1], 0.5), [half, half, half, Math.fround(half + change)]);
	t.deepEqual(step([1, 1, 0, 0], 0.5), [half, half, half, Math.fround(half - change)]);
	t.deepEqual(step([0, 0, 0, 0], 0), [0, 0, 0, 0]);
	t.is(step([1, 1, 1, 1, 1, 1, 1, 1], 0).at(-1), Math.fround(Math.fround(change) + change));
});

test('a fixed probability stays', (t) => {
	const fixed = augmentSchema.parse({ kind: 'fixed', p: 0.3 });
	let state = initialAda(fixed);
	for (let i = 0; i < 9; i++) state = nextAda(state, 1, fixed, 64);
	t.deepEqual(state, initialAda(fixed));
});

test('the state goes through a checkpoint without a change, between two changes of p too', (t) => {
	let state = initialAda(augmentSchema.parse({ kind: 'ada', p: 0.1 }));
	for (let i = 0; i < 11; i++) {
		state = nextAda(state, Math.fround(0.1 * i), config, 12);
		t.deepEqual(decodeAda(encodeAda(state)), state);
	}
	t.is(state.count, 3);
});
