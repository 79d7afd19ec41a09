import test from 'ava';
import { batchFlips, batchIndices, batchSampler } from '../../data/index.ts';

test('an epoch shows every image once, also when batches cross epochs', (t) => {
	const sample = batchSampler({ seed: 3, count: 10, batch: 4 });
	const seen = Array.from({ length: 5 }, (_, step) => [...sample(step)]).flat();
	for (const epoch of [seen.slice(0, 10), seen.slice(10)]) {
		t.deepEqual(
			epoch.toSorted((a, b) => a - b),
			[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
		);
	}
	t.notDeepEqual(seen.slice(0, 10), seen.slice(10));
});

test('a step depends on nothing but seed and step', (t) => {
	const sample = batchSampler({ seed: 3, count: 10, batch: 4 });
	for (const step of [7, 2, 1000000, 3]) {
		t.deepEqual(sample(step), batchIndices({ seed: 3, count: 10, batch: 4, step }));
	}
	t.notDeepEqual(
		batchIndices({ seed: 3, count: 999, batch: 8, step: 0 }),
		batchIndices({ seed: 4, count: 999, batch: 8, step: 0 }),
	);
});

test('a batch may be larger than the data set', (t) => {
	t.is(batchIndices({ seed: 1, count: 2, batch: 5, step: 0 }).length, 5);
});

test('about half of the images are mirrored', (t) => {
	const flips = batchFlips({ seed: 1, batch: 2000, step: 4 });
	const share = flips.reduce((sum, flip) => sum + flip, 0) / flips.length;
	t.true(Math.abs(share - 0.5) < 0.05);
	t.deepEqual(flips, batchFlips({ seed: 1, batch: 2000, step: 4 }));
});
