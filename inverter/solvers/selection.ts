// What selects an iterate, a restart or the end of a layer: the measurements, never the truth. By default a part of them
// is held out of the fit and judges it; with a known noise level the discrepancy principle can take its place.
import { z } from 'zod';
import type { HostTensor, HostTensors } from '../../engine/index.ts';
import { stream } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';
import type { Measurements } from '../problems/index.ts';

export const selectionSchema = z.discriminatedUnion('by', [
	z.strictObject({
		/** The lowest residual on measurements that are not fitted. */
		by: z.literal('held-out'),
		/** Which part is held out. */
		fraction: z.number().min(0.01).max(0.5).default(0.1),
	}),
	/** The first iterate whose residual is at the noise level; needs noise in the problem. */
	z.strictObject({ by: z.literal('discrepancy') }),
	/** The lowest residual on all measurements. */
	z.strictObject({ by: z.literal('loss') }),
	/** The last iterate. */
	z.strictObject({ by: z.literal('last') }),
]);

export type Selection = z.output<typeof selectionSchema>;

/** Fewer held-out units (pixels of the measurement, or values) than this judge nothing: the loss selects instead. */
const FEWEST_HELD_OUT = 8;

/** No division by zero when a measurement is all zeros. */
const SMALLEST_ENERGY = 1e-12;

export interface Split {
	/** Entries of the program's state. */
	state: HostTensors;
	/** What selects in fact. */
	by: Selection['by'];
	/** Fitted values of one image. */
	count: number;
	/** Σ y² of each image over what is fitted and held out. */
	fittedEnergy: number[];
	heldOutEnergy: number[];
	/** m σ² / ‖y‖² of each image, for the discrepancy principle alone. */
	noiseLevel: number[] | null;
	/** Factors of (held-out residual, data term, 1) in the score of step t. */
	pick(t: number): [number, number, number];
}

/** Divides the measurements of each image into fitted and held-out ones, by its own key. */
export function splitMeasurements(
	measurements: Measurements,
	selection: Selection,
	fit: 'relative' | 'mean',
): Split {
	const { y, support, keys, sigma } = measurements;
	const N = keys.length;
	const each = y.data.length / N;
	// Channels of a pixel are held out together: they predict each other.
	const group = y.shape.length === 4 ? y.shape[3]! : 1;
	const heldOut = new Float32Array(y.data.length);
	let held = 0;
	if (selection.by === 'held-out') {
		keys.forEach(({ seed, image }, i) => {
			const units: number[] = [];
			for (let unit = 0; unit < each / group; unit++)
				if (support.data[i * each + unit * group] === 1) units.push(unit);
			held = Math.round(selection.fraction * units.length);
			if (held < FEWEST_HELD_OUT) return;
			for (const k of stream(seed, `held-out/${image}`).permutation(0, units.length).subarray(0, held)) {
				const first = i * each + units[k]! * group;
				heldOut.fill(1, first, first + group);
			}
		});
	}
	const by = selection.by === 'held-out' && held < FEWEST_HELD_OUT ? 'loss' : selection.by;
	const fitted = support.data.map((value, k) => value - heldOut[k]!);

	const sums = (weights: Float32Array, squared: boolean): number[] =>
		keys.map((_, i) => {
			let sum = 0;
			for (let k = i * each; k < (i + 1) * each; k++) sum += weights[k]! * (squared ? y.data[k]! ** 2 : 1);
			return sum;
		});
	const fittedEnergy = sums(fitted, true).map((sum) => Math.max(sum, SMALLEST_ENERGY));
	const heldOutEnergy = sums(heldOut, true).map((sum) => Math.max(sum, SMALLEST_ENERGY));
	const counts = sums(fitted, false);

	let noiseLevel: number[] | null = null;
	if (by === 'discrepancy') {
		if (!sigma) {
			throw new RtilError(
				'MISMATCH',
				'The discrepancy principle needs the noise level, but the problem has no noise.',
				'Add `noise: {kind: gaussian, sigma: …}` to the problem, or select by held-out.',
			);
		}
		noiseLevel = counts.map((count, i) => (count * sigma[i]! ** 2) / fittedEnergy[i]!);
	}
	const perImage = (values: number[]): HostTensor => ({ shape: [N, 1], data: Float32Array.from(values) });
	return {
		state: {
			fitted: { shape: y.shape, data: fitted },
			'held-out': { shape: y.shape, data: heldOut },
			'fitted.scale': perImage((fit === 'relative' ? fittedEnergy : counts).map((sum) => 1 / sum)),
			'fitted.energy': perImage(fittedEnergy),
			'held-out.energy': perImage(heldOutEnergy),
		},
		by,
		count: counts[0]!,
		fittedEnergy,
		heldOutEnergy: by === 'held-out' ? heldOutEnergy : heldOutEnergy.map(() => 0),
		noiseLevel,
		pick: (t) => (by === 'held-out' ? [1, 0, 0] : by === 'last' ? [0, 0, -t] : [0, 1, 0]),
	};
}
