// Measurements: simulated from images, or read from a file that holds no image. A measurement file is a safetensors
// file with the measured values alone and, as metadata, the description of the operator: enough to invert.
import { z } from 'zod';
import { decodeSafetensors, encodeSafetensors, readSafetensorsHeader } from '../../checkpoints/index.ts';
import type { HostTensor, HostTensors } from '../../engine/index.ts';
import { expected, RtilError } from '../../errors/index.ts';
import { parse } from '../border.ts';
import { addNoise, statedDeviation } from './noise.ts';
import { type ImageShape, type MeasurementKey, pixels } from './operator.ts';
import type { OperatorPrograms } from './programs.ts';
import { checkProblem, operatorFor, type ProblemSpec, parseProblem } from './registry.ts';

/** Measurements of a batch of images under one problem: what a solver is given. */
export interface Measurements {
	problem: ProblemSpec;
	image: ImageShape;
	/** One a image, N. */
	keys: readonly MeasurementKey[];
	/** The operator's parameters. */
	parameters: HostTensors;
	/** [N, …measurement]; 0 where nothing is measured. */
	y: HostTensor;
	/** Like y: 1 where measured. */
	support: HostTensor;
	/**
	 * Root mean square deviation of the noise of each image over what is measured: stated (Gaussian), resolved from the
	 * clean measurement (signal-to-noise ratio), or expected from the measured values (Poisson). Null: no noise stated.
	 */
	sigma: readonly number[] | null;
}

/** One image's measurement on its own: what a file holds. */
export interface Measurement {
	problem: ProblemSpec;
	image: ImageShape;
	key: MeasurementKey;
	/** The measured values, in the order of the measurement's elements. */
	values: Float32Array;
	/** As of `Measurements`. */
	sigma: number | null;
}

function frame(problem: ProblemSpec, image: ImageShape, keys: readonly MeasurementKey[]) {
	const operator = operatorFor(problem);
	checkProblem(problem, image);
	const shape = [keys.length, ...operator.measurementShape(problem as never, image)];
	const parameters = operator.parameters(problem as never, image, keys);
	const everywhere = (): HostTensor => ({
		shape,
		data: new Float32Array(shape.reduce((product, side) => product * side, 1)).fill(1),
	});
	return { problem, image, keys, parameters, shape, support: operator.support?.(parameters) ?? everywhere() };
}

/**
 * Measures images [N, H, W, C] in [−1, 1]: y = A x + noise, both fixed by (problem, seed, name of the image).
 *
 * @throws INVALID_INPUT when the problem does not fit the image, or the image holds a NaN.
 */
export function measure(
	programs: OperatorPrograms,
	problem: ProblemSpec,
	images: HostTensor,
	keys: readonly MeasurementKey[],
): Measurements {
	const [N, height, width, channels] = images.shape as [number, number, number, number];
	if (keys.length !== N) throw expected(`${N} measurement keys`, 'measure', keys.length);
	const at = images.data.findIndex((value) => !Number.isFinite(value));
	if (at >= 0) {
		const name = keys[Math.floor(at / (height * width * channels))]!.image;
		throw expected('finite pixel values', `image ${name}`, images.data[at]);
	}
	const { shape, ...rest } = frame(problem, { height, width, channels }, keys);
	const y = { shape, data: programs.apply(problem, rest.parameters, images).data.slice() };
	const part = partOf(y.data.length / N);
	const sigma = keys.map((key, i) =>
		addNoise(problem.noise, key, part(y.data, i), part(rest.support.data, i)),
	);
	return { ...rest, y, sigma: allKnown(sigma) };
}

/** Row i of values that are `each` a row, as a view. */
const partOf =
	(each: number) =>
	(data: Float32Array, i: number): Float32Array =>
		data.subarray(i * each, (i + 1) * each);

const allKnown = (sigma: readonly (number | null)[]): number[] | null =>
	sigma.every((value) => value !== null) ? [...sigma] : null;

/** The measured values of one image of a batch. */
function measuredValues({ y, support, keys }: Measurements, index: number): Float32Array {
	const part = partOf(y.data.length / keys.length);
	const where = part(support.data, index);
	return part(y.data, index).filter((_, k) => where[k] === 1);
}

/** Measurement `index` of a batch as the bytes of a file. */
export function encodeMeasurement(measurements: Measurements, index: number): Buffer {
	const { problem, image, keys, sigma } = measurements;
	const values = measuredValues(measurements, index);
	// Any other noise is told by the problem and the values.
	const resolved = problem.noise?.kind === 'snr' ? { sigma: sigma![index] } : {};
	const about = { problem, image, key: keys[index], ...resolved };
	return encodeSafetensors(
		{ y: { shape: [values.length], data: values } },
		{ format: 'rtil.measurement', version: '1', measurement: JSON.stringify(about) },
	);
}

const side = z.int().min(1).max(4096);

const aboutSchema = z.strictObject({
	problem: z.unknown(),
	image: z.strictObject({ height: side, width: side, channels: z.union([z.literal(1), z.literal(3)]) }),
	key: z.strictObject({ seed: z.int().min(0), image: z.string().max(1024) }),
	sigma: z.number().min(0).optional(),
});

/** A measurement from the bytes of a file; throws CORRUPT or INVALID_INPUT naming `place`. */
export function decodeMeasurement(file: Buffer, place = 'measurement file'): Measurement {
	const { metadata } = readSafetensorsHeader(file, place);
	if (metadata.format !== 'rtil.measurement' || metadata.version !== '1') {
		throw expected('a measurement of format 1', place, metadata.format ?? 'another kind of file');
	}
	let json: unknown;
	try {
		json = JSON.parse(metadata.measurement ?? '');
	} catch {
		throw new RtilError('CORRUPT', `The description in ${place} is not JSON.`, 'Make the measurement again.');
	}
	const about = parse(aboutSchema, json, place);
	const values = decodeSafetensors(file, place).y?.data;
	if (!values) throw new RtilError('CORRUPT', `${place} holds no tensor "y".`, 'Make the measurement again.');
	const problem = parseProblem(about.problem, `${place}: problem`);
	const sigma = about.sigma ?? statedDeviation(problem.noise, values);
	return { ...about, problem, values, sigma };
}

/** Measurements of one problem and image shape as a batch; throws MISMATCH when they do not fit together. */
export function joinMeasurements(list: readonly Measurement[]): Measurements {
	const [first] = list;
	if (!first) throw expected('at least one measurement', 'a batch', 0);
	const same = JSON.stringify([first.problem, first.image]);
	for (const { problem, image, key } of list) {
		if (JSON.stringify([problem, image]) !== same) {
			throw new RtilError(
				'MISMATCH',
				`The measurement of ${key.image} is of another problem or image size than that of ${first.key.image}.`,
				'Invert them one after the other.',
			);
		}
	}
	const keys = list.map(({ key }) => key);
	const { shape, ...rest } = frame(first.problem, first.image, keys);
	const y = { shape, data: new Float32Array(rest.support.data.length) };
	const each = y.data.length / list.length;
	list.forEach(({ values, key }, i) => {
		let next = 0;
		for (let k = i * each; k < (i + 1) * each; k++)
			if (rest.support.data[k] === 1) y.data[k] = values[next++] ?? 0;
		if (next !== values.length)
			throw expected(`${next} values`, `the measurement of ${key.image}`, values.length);
		const bad = values.find((value) => !Number.isFinite(value));
		if (bad !== undefined) throw expected('finite values', `the measurement of ${key.image}`, bad);
	});
	return { ...rest, y, sigma: allKnown(list.map(({ sigma }) => sigma)) };
}

/**
 * The pixels of which nothing was measured, [N, H, W, 1]: 1 there, 0 elsewhere. Null for problems that do not measure
 * pixels where they are: their images have no hole.
 */
export function holesOf({ problem, image, keys, support }: Measurements): HostTensor | null {
	if (!operatorFor(problem).inPlace) return null;
	const { height, width, channels } = image;
	const data = new Float32Array(keys.length * height * width).fill(1);
	support.data.forEach((measured, k) => {
		if (measured === 1) data[Math.floor(k / channels)] = 0;
	});
	return { shape: [keys.length, height, width, 1], data };
}

/** The same images of a batch in another order or number, as a batch of its own. */
export function selectMeasurements(measurements: Measurements, indices: readonly number[]): Measurements {
	const { problem, image } = measurements;
	return joinMeasurements(
		indices.map((index) => ({
			problem,
			image,
			key: measurements.keys[index]!,
			values: measuredValues(measurements, index),
			sigma: measurements.sigma?.[index] ?? null,
		})),
	);
}

/**
 * A picture of each measurement as an image [N, H, W, C] in [−1, 1]: what is measured of pixels stays (missing ones
 * black), a smaller image is enlarged by repetition, and where the measurement is no image, Aᵀy scaled to the range.
 */
export function measurementPicture(programs: OperatorPrograms, measurements: Measurements): HostTensor {
	const { problem, image, parameters, y, support, keys } = measurements;
	const { height, width, channels } = image;
	const shape = [keys.length, height, width, channels];
	const data = new Float32Array(keys.length * pixels(image));
	if (y.shape.length === 4) {
		const [, h, w, c] = y.shape as [number, number, number, number];
		for (let i = 0; i < data.length; i++) {
			const channel = i % channels;
			const column = Math.floor(i / channels) % width;
			const row = Math.floor(i / (channels * width)) % height;
			const n = Math.floor(i / pixels(image));
			const [sourceRow, sourceColumn] = [Math.floor((row * h) / height), Math.floor((column * w) / width)];
			const at = ((n * h + sourceRow) * w + sourceColumn) * c + Math.min(channel, c - 1);
			data[i] = support.data[at] === 1 ? y.data[at]! : -1;
		}
		return { shape, data };
	}
	const back = programs.adjoint(problem, parameters, y, image).data;
	const each = pixels(image);
	for (let n = 0; n < keys.length; n++) {
		const part = back.subarray(n * each, (n + 1) * each);
		const largest = part.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-12);
		data.set(
			part.map((value) => value / largest),
			n * each,
		);
	}
	return { shape, data };
}
