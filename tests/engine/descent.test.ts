// Minimisers in host memory on functions whose minimum is known.
import test from 'ava';
import { type Descent, hostAdam, lbfgs, stream } from '../../engine/index.ts';

interface Problem {
	start: number[];
	value(x: Float32Array): { value: number; gradient: number[] };
}

/** ½ (x − c)ᵀ diag(k) (x − c), condition 1000. */
const quadratic = (size: number, seed: number): Problem => {
	const centre = stream(seed, 'centre').normals(0, size);
	const stiffness = Array.from({ length: size }, (_, i) => 1000 ** (i / (size - 1)));
	return {
		start: new Array<number>(size).fill(0),
		value: (x) => ({
			value: stiffness.reduce((sum, k, i) => sum + 0.5 * k * (x[i]! - centre[i]!) ** 2, 0),
			gradient: stiffness.map((k, i) => k * (x[i]! - centre[i]!)),
		}),
	};
};

/** Rosenbrock's valley in every pair of coordinates; its minimum is 0 at ones. */
const valley = (size: number, at: number): Problem => ({
	start: Array.from({ length: size }, (_, i) => (i % 2 ? 1 : -1.2) * at),
	value(x) {
		let value = 0;
		const gradient = new Array<number>(size).fill(0);
		for (let i = 0; i < size; i += 2) {
			const [a, b] = [1 - x[i]!, x[i + 1]! - x[i]! ** 2];
			value += a * a + 100 * b * b;
			gradient[i] = -2 * a - 400 * x[i]! * b;
			gradient[i + 1] = 200 * b;
		}
		return { value, gradient };
	},
});

const startOf = (problems: readonly Problem[]): Float32Array =>
	Float32Array.from(problems.flatMap(({ start }) => start));

/** Evaluations; values of the iterates of each problem. */
function run(descent: Descent, problems: readonly Problem[], evaluations: number, rate = 0): number[][] {
	const courses = problems.map((): number[] => []);
	const each = descent.points.length / problems.length;
	const active = problems.map(() => true);
	for (let k = 0; k < evaluations; k++) {
		const results = problems.map((problem, n) =>
			problem.value(descent.points.subarray(n * each, (n + 1) * each)),
		);
		const values = Float32Array.from(results, ({ value }) => value);
		const gradients = Float32Array.from(results.flatMap(({ gradient }) => gradient));
		for (const [n, told] of descent.tell(values, gradients, active, rate).entries()) {
			if (told === 'accepted') courses[n]!.push(values[n]!);
			if (told === 'stuck') active[n] = false;
		}
	}
	return courses;
}

const settings = { memory: 8, firstStep: 1 };

test('L-BFGS finds the minimum of a stiff quadratic and of a curved valley, never climbing', (t) => {
	const problems = [quadratic(20, 1), valley(20, 1)];
	const courses = run(lbfgs(startOf(problems), 2, settings), problems, 150);
	for (const [n, course] of courses.entries()) {
		t.true(course.at(-1)! < 1e-6, `problem ${n} ends at ${course.at(-1)}`);
		for (const [k, value] of course.slice(1).entries()) t.true(value <= course[k]! * (1 + 2e-6));
	}
});

test('L-BFGS is far ahead of Adam on the valley after as many evaluations', (t) => {
	const problems = [valley(10, 1)];
	const quick = run(lbfgs(startOf(problems), 1, settings), problems, 80)[0]!.at(-1)!;
	const slow = run(hostAdam(startOf(problems), 1), problems, 80, 0.05)[0]!.at(-1)!;
	t.true(quick < 0.01 * slow, `${quick} and ${slow}`);
});

for (const [name, make] of [
	['L-BFGS', (start: Float32Array, batch: number) => lbfgs(start, batch, settings)],
	['Adam', (start: Float32Array, batch: number) => hostAdam(start, batch)],
] as const) {
	const problems = [valley(10, 1), quadratic(10, 3), valley(10, 2)];

	test(`${name}: a function's course does not depend on its batch, bit for bit`, (t) => {
		const together = run(make(startOf(problems), 3), problems, 40, 0.05);
		for (const [n, problem] of problems.entries())
			t.deepEqual(run(make(startOf([problem]), 1), [problem], 40, 0.05)[0], together[n]);
	});

	test(`${name}: what is saved and restored goes on as if never stopped, bit for bit`, (t) => {
		const whole = make(startOf(problems), 3);
		run(whole, problems, 40, 0.05);
		const first = make(startOf(problems), 3);
		run(first, problems, 17, 0.05);
		const second = make(new Float32Array(30), 3);
		second.restore(structuredClone(first.save()));
		run(second, problems, 23, 0.05);
		t.deepEqual(second.points, whole.points);
		t.deepEqual(second.save(), whole.save());
	});
}

test('a function that is not finite anywhere near, or flat, is given up', (t) => {
	const nowhere: Problem = { start: [1, 1], value: () => ({ value: Number.NaN, gradient: [1, 1] }) };
	const flat: Problem = { start: [1, 1], value: () => ({ value: 2, gradient: [0, 0] }) };
	const cliff: Problem = {
		start: [1, 1],
		value: (x) => ({ value: x[0] === 1 ? 0 : 1, gradient: [1, 0] }),
	};
	const descent = lbfgs(startOf([nowhere, flat, cliff]), 3, settings);
	const active = [true, true, true];
	const told: string[][] = [[], [], []];
	for (let k = 0; k < 30; k++) {
		const results = [nowhere, flat, cliff].map(({ value }, n) =>
			value(descent.points.subarray(2 * n, 2 * n + 2)),
		);
		const answers = descent.tell(
			results.map(({ value }) => value),
			Float32Array.from(results.flatMap(({ gradient }) => gradient)),
			active,
			0,
		);
		answers.forEach((answer, n) => {
			if (active[n]) told[n]!.push(answer);
			if (answer === 'stuck') active[n] = false;
		});
	}
	t.deepEqual(
		told.map((answers) => answers.at(-1)),
		['stuck', 'stuck', 'stuck'],
	);
	t.deepEqual([...descent.points], [1, 1, 1, 1, 1, 1]);
});
