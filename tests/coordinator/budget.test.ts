import test from 'ava';
import { needsCalibration, parseMinutes, stepsOf } from '../../coordinator/budget.ts';

const costs = [
	{ batch: 16, secondsPerStep: 1 },
	{ batch: 32, secondsPerStep: 2 },
];

test('equal steps share the minutes over the cost of one step of every arm', (t) => {
	t.deepEqual(stepsOf({ minutes: 1, rule: 'equal-steps' }, costs), [20, 20]);
	t.deepEqual(stepsOf({ steps: 500, rule: 'equal-steps' }, [{ batch: 1 }, { batch: 2 }]), [500, 500]);
});

test('equal images halve the steps of an arm with twice the batch', (t) => {
	t.deepEqual(stepsOf({ steps: 500, rule: 'equal-images' }, [{ batch: 16 }, { batch: 32 }]), [500, 250]);
	t.deepEqual(stepsOf({ minutes: 1, rule: 'equal-images' }, costs), [30, 15]);
});

test('equal compute gives every arm the same seconds', (t) => {
	t.deepEqual(stepsOf({ minutes: 1, rule: 'equal-compute' }, costs), [30, 15]);
	t.deepEqual(stepsOf({ steps: 100, rule: 'equal-compute' }, costs), [100, 50]);
});

test('a budget too small for one step still gives one step to each arm', (t) => {
	t.deepEqual(stepsOf({ minutes: 0.001, rule: 'equal-steps' }, costs), [1, 1]);
});

test('a machine is measured only when the rule or the unit needs it', (t) => {
	t.true(needsCalibration({ minutes: 5, rule: 'equal-steps' }, 2));
	t.true(needsCalibration({ steps: 5, rule: 'equal-compute' }, 2));
	t.false(needsCalibration({ steps: 5, rule: 'equal-compute' }, 1));
	t.false(needsCalibration({ steps: 5, rule: 'equal-images' }, 2));
});

test('times are read with their unit and nothing else', (t) => {
	t.deepEqual(
		['90s', '15m', '2h', '1.5h', '1d'].map((text) => parseMinutes(text, '--budget')),
		[1.5, 15, 120, 90, 1440],
	);
	for (const text of ['15', '0m', '-1h', 'soon', '1w']) {
		t.throws(() => parseMinutes(text, '--budget'), { message: /a time such as 90s, 15m or 2h for --budget/ });
	}
});
