// Section 5 of the RTIL paper, executed: lemmas 5.1, 5.2 and A.1 on two-layer linear models.
import test from 'ava';
import { stream } from '../../engine/random.ts';
import {
	type LinearModel,
	linearModel,
	recover,
	signal,
	trained,
	trainedByDescent,
	trainingLoss,
	vanillaBound,
	vanillaError,
} from '../../models/linear-theory.ts';
import {
	identity,
	type Matrix,
	minus,
	normalMatrix,
	plus,
	product,
	pseudoInverse,
	squaredNorm,
} from '../../models/matrices.ts';

const seeds = [1, 2, 3, 4, 5];
const models = seeds.map((seed) => linearModel(3, 8, 24, seed));
const measurements = 12; // n1 ≤ m < nd

const near = (a: Matrix, b: Matrix): number => Math.sqrt(squaredNorm(minus(a, b)) / squaredNorm(b));
const normal = (name: string, rows: number, columns: number, draw = 0): Matrix =>
	normalMatrix(rows, columns, stream(9, name), draw);

/** A signal of the model and what ILO recovers of it. */
function experiment(model: LinearModel, w1: Matrix, a: Matrix, draw: number): { x: Matrix; found: Matrix } {
	const { x, y } = signal(model, a, stream(9, 'signals'), draw);
	return { x, found: recover(model, w1, a, y, normal('start', model.w0.rows, 1, draw)) };
}

test('Lemma 5.1: RTIL finds the true weights, vanilla training only what they do on the range of W0', (t) => {
	for (const model of models) {
		const { w0, w1 } = model;
		const rtil = trainedByDescent(model, 'rtil', 1500);
		const vanilla = trainedByDescent(model, 'vanilla', 4000);
		t.true(near(rtil, w1) < 1e-9, 'the true weights');
		t.true(near(rtil, trained(model, 'rtil')) < 1e-9);
		t.true(near(vanilla, trained(model, 'vanilla')) < 1e-6, 'lemma A.1: the solution of least norm');
		t.true(near(product(vanilla, w0), product(w1, w0)) < 1e-6);
		t.true(near(vanilla, w1) > 0.1, 'but not the true weights');
		// Off the range of W0 vanilla training is indifferent; RTIL is not.
		const off = minus(
			normal('off', w1.rows, w1.columns),
			product(normal('off', w1.rows, w1.columns), w0, pseudoInverse(w0)),
		);
		const moved = plus(trained(model, 'vanilla'), off);
		const loss = (estimate: Matrix, training: 'vanilla' | 'rtil'): number =>
			trainingLoss(model, estimate, training);
		t.true(Math.abs(loss(moved, 'vanilla') / loss(trained(model, 'vanilla'), 'vanilla') - 1) < 1e-9);
		t.true(loss(plus(w1, off), 'rtil') > loss(w1, 'rtil') + 1);
		t.is(loss(w1, 'rtil'), 0);
	}
});

test('Lemma 5.2: with RTIL every signal is recovered exactly', (t) => {
	models.forEach((model, i) => {
		const a = normal('A', measurements, model.w1.rows, i);
		for (let draw = 0; draw < 5; draw++) {
			const { x, found } = experiment(model, trained(model, 'rtil'), a, draw);
			t.true(near(found, x) < 1e-9, `${near(found, x)}`);
		}
	});
});

test('Lemma 5.2: with vanilla training the mean error is what the proof says, and never below the bound', (t) => {
	models.forEach((model, i) => {
		const a = normal('A', measurements, model.w1.rows, i);
		const bound = vanillaBound(model);
		const exact = vanillaError(model, a);
		t.true(bound > 0);
		t.true(exact >= bound, `${exact} ≥ ${bound}`);
		const draws = 300;
		let total = 0;
		for (let draw = 0; draw < draws; draw++) {
			const { x, found } = experiment(model, trained(model, 'vanilla'), a, draw);
			total += squaredNorm(minus(x, found));
		}
		t.true(Math.abs(total / draws / exact - 1) < 0.25, `${total / draws} of ${exact}`);
	});
});

test('The vanilla error is least where the signal itself is measured, and is there still above the bound', (t) => {
	for (const model of models) {
		const least = vanillaError(model, identity(model.w1.rows));
		t.true(least >= vanillaBound(model));
		for (const m of [8, 12, 20]) t.true(vanillaError(model, normal('A', m, model.w1.rows)) > least);
	}
});

test('The sizes of the theory are asked for', (t) => {
	t.throws(() => linearModel(3, 3, 8, 1), { message: /n0 < n1 < nd/ });
});
