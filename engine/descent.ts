// Minimisers of many independent functions at once, each of D numbers, in host memory. They are asked for points and told
// values and gradients (ask and tell), so whoever computes those keeps the loop, and a rejected point costs one
// evaluation like any other. No number of one function reaches another: results do not depend on the batch.
import type { HostTensors } from './contract.ts';

/** What the evaluation at a function's point meant: it is the new iterate, was too far, or nothing lower can be found. */
export type Told = 'accepted' | 'rejected' | 'stuck';

/** All that a minimiser needs to go on as if never stopped; the numbers are doubles. */
export interface DescentState {
	tensors: HostTensors;
	numbers: Record<string, number[]>;
}

export interface Descent {
	/** Where the functions are to be evaluated next, [N · D]. */
	readonly points: Float32Array;
	/**
	 * Takes in values [N] and gradients [N · D] at `points` and moves the points of the `active` functions; the others
	 * stay, and are `rejected`. `rate` scales the steps of those that have a rate.
	 */
	tell(values: ArrayLike<number>, gradients: Float32Array, active: readonly boolean[], rate: number): Told[];
	save(): DescentState;
	restore(state: DescentState): void;
}

export interface HostAdamSettings {
	beta1: number;
	beta2: number;
	/** Added to the root of the second moment. */
	epsilon: number;
}

/** Adam (Kingma and Ba 2015, algorithm 1) from `start` [N · D]; every point is accepted. */
export function hostAdam(
	start: Float32Array,
	batch: number,
	{ beta1, beta2, epsilon }: HostAdamSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
): Descent {
	const points = start.slice();
	const first = new Float32Array(points.length);
	const second = new Float32Array(points.length);
	const each = points.length / batch;
	const taken = new Array<number>(batch).fill(0);
	return {
		points,
		tell(_values, gradients, active, rate) {
			return taken.map((before, n) => {
				if (!active[n]) return 'rejected';
				const t = before + 1;
				taken[n] = t;
				const [rise, spread] = [rate / (1 - beta1 ** t), 1 / Math.sqrt(1 - beta2 ** t)];
				for (let i = n * each; i < (n + 1) * each; i++) {
					const gradient = gradients[i]!;
					first[i] = beta1 * first[i]! + (1 - beta1) * gradient;
					second[i] = beta2 * second[i]! + (1 - beta2) * gradient * gradient;
					points[i]! -= (rise * first[i]!) / (Math.sqrt(second[i]!) * spread + epsilon);
				}
				return 'accepted';
			});
		},
		save: () => ({
			tensors: Object.fromEntries(
				Object.entries({ points, first, second }).map(([name, data]) => [
					name,
					{ shape: [batch, each], data: data.slice() },
				]),
			),
			numbers: { taken: [...taken] },
		}),
		restore({ tensors, numbers }) {
			points.set(tensors.points!.data);
			first.set(tensors.first!.data);
			second.set(tensors.second!.data);
			taken.splice(0, batch, ...numbers.taken!);
		},
	};
}
