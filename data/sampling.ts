// Which images a step sees, as a function of (seed, step): a resumed run goes on in the middle of an epoch.
import { stream } from '../engine/random.ts';

export interface BatchPlan {
	seed: number;
	/** Images in the data set. */
	count: number;
	/** Images a step. */
	batch: number;
}

/** The indices [batch] of any step. Each epoch is a permutation of all images; a batch may cross from one to the next. */
export function batchSampler({ seed, count, batch }: BatchPlan): (step: number) => Uint32Array {
	const order = stream(seed, 'data');
	let epoch = -1; // the permutation of one epoch is kept: drawing it costs as much as 10⁵ steps save
	let permutation = new Uint32Array(0);
	return (step) => {
		const indices = new Uint32Array(batch);
		for (let i = 0; i < batch; i++) {
			const position = step * batch + i;
			const wanted = Math.floor(position / count);
			if (wanted !== epoch) {
				epoch = wanted;
				permutation = order.permutation(epoch, count) as Uint32Array<ArrayBuffer>;
			}
			indices[i] = permutation[position % count]!;
		}
		return indices;
	};
}

/** The indices of one step; `batchSampler` is faster for many. */
export function batchIndices({ step, ...plan }: BatchPlan & { step: number }): Uint32Array {
	return batchSampler(plan)(step);
}

/** Which images [batch] of a step are mirrored: 1 or 0, one half of them on average. */
export function batchFlips({ seed, batch, step }: { seed: number; batch: number; step: number }): Uint8Array {
	return Uint8Array.from(stream(seed, 'flips').uniforms(step, batch), (u) => (u < 0.5 ? 1 : 0));
}
