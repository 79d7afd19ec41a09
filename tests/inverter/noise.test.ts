import test from 'ava';
import { type HostTensor, openEngine, stream } from '../../engine/index.ts';
import {
	type Measurements,
	measure,
	OperatorPrograms,
	parseProblem,
	selectMeasurements,
} from '../../inverter/problems/index.ts';

const programs = new OperatorPrograms(await openEngine());
test.after.always(() => programs.dispose());

const keys = ['a', 'b', 'c'].map((image) => ({ seed: 7, image }));
const each = 48 * 48 * 3;

/** Three images, each of one grey level. */
function flat(levels: readonly number[]): HostTensor {
	const data = new Float32Array(levels.length * each);
	levels.forEach((level, i) => {
		data.fill(level, i * each, (i + 1) * each);
	});
	return { shape: [levels.length, 48, 48, 3], data };
}

/** Mean and deviation of the measured values of each image. */
function moments({ y, support, keys: { length } }: Measurements): { mean: number; deviation: number }[] {
	const size = y.data.length / length;
	return Array.from({ length }, (_, i) => {
		const values = y.data
			.subarray(i * size, (i + 1) * size)
			.filter((_value, k) => support.data[i * size + k] === 1);
		const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
		const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
		return { mean, deviation: Math.sqrt(variance) };
	});
}

for (const photons of [0.5, 4, 60, 2000]) {
	test(`Poisson noise of ${photons} photons has the mean and the variance of counts`, (t) => {
		const levels = [-1, -0.5, 0.8];
		const spec = parseProblem({ kind: 'denoising', noise: { kind: 'poisson', photons } });
		const measured = measure(programs, spec, flat(levels), keys);
		for (const [i, { mean, deviation }] of moments(measured).entries()) {
			const expected = Math.sqrt((2 * (levels[i]! + 1)) / photons);
			t.true(Math.abs(mean - levels[i]!) < (4 * expected) / Math.sqrt(each) + 1e-6, `mean ${mean}`);
			t.true(Math.abs(deviation - expected) <= 0.04 * expected, `${deviation}, expected ${expected}`);
			// What the rules are told is expected from the noisy values alone.
			t.true(Math.abs(measured.sigma![i]! - expected) <= 0.04 * expected);
		}
		// Black has no photons, and the others whole numbers of them.
		const counts = measured.y.data.map((value) => ((value + 1) / 2) * photons);
		t.true(counts.every((count) => Math.abs(count - Math.round(count)) < 1e-3 && count >= 0));
		t.true(counts.subarray(0, each).every((count) => count === 0));
	});
}

test('a signal-to-noise ratio gives every image the noise that its own measurement asks for', (t) => {
	const spec = parseProblem({
		kind: 'inpainting',
		mask: 'half',
		noise: { kind: 'snr', decibels: 20 },
	});
	const measured = measure(programs, spec, flat([0.1, -1, 0.5]), keys);
	for (const [i, level] of [0.1, 1, 0.5].entries()) {
		t.true(Math.abs(measured.sigma![i]! - level / 10) < 1e-6);
		t.true(Math.abs(moments(measured)[i]!.deviation / (level / 10) - 1) < 0.05);
	}
	t.true(measured.y.data.every((value, i) => measured.support.data[i] === 1 || value === 0));
	t.deepEqual(selectMeasurements(measured, [2, 0]).sigma, [measured.sigma![2]!, measured.sigma![0]!]);
});

test('noise by ratio and by σ are the same draws', (t) => {
	const ratio = parseProblem({ kind: 'identity', noise: { kind: 'snr', decibels: 20 } });
	const sigma = parseProblem({ kind: 'identity', noise: { kind: 'gaussian', sigma: 0.05 } });
	const images = flat([0.5, -0.5, 0.5]);
	const [a, b] = [ratio, sigma].map((spec) => measure(programs, spec!, images, keys).y.data);
	t.true(a!.every((value, i) => Math.abs(value - b![i]!) < 1e-6));
});

test('without noise no deviation is stated', (t) => {
	const images = flat([0, 0.1, 0.2]);
	t.is(measure(programs, parseProblem({ kind: 'identity' }), images, keys).sigma, null);
	const none = parseProblem({ kind: 'identity', noise: { kind: 'none' } });
	t.is(measure(programs, none, images, keys).sigma, null);
});

test('noise is of the image, not of its place: another name, another draw', (t) => {
	const spec = parseProblem({ kind: 'denoising', noise: { kind: 'poisson', photons: 10 } });
	const x = stream(1, 'x').uniforms(0, each);
	const images = { shape: [3, 48, 48, 3], data: new Float32Array([...x, ...x, ...x]) };
	const { y } = measure(programs, spec, images, [keys[0]!, keys[1]!, keys[0]!]);
	t.deepEqual(y.data.slice(0, each), y.data.slice(2 * each));
	t.notDeepEqual(y.data.slice(0, each), y.data.slice(each, 2 * each));
});
