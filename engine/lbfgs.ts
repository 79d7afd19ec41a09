// L-BFGS: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization" (1989); Nocedal and Wright,
// Numerical Optimization, algorithms 7.4 (two-loop recursion) and 7.5. Each function of a batch has its own history, step
// and line search.
//
// Line search: backtracking along the direction by quadratic interpolation until Armijo's condition holds; where values
// differ by less than their float32 rounding, the approximate Wolfe condition of Hager and Zhang (2005, §2), which looks
// at slopes, takes its place. Pairs without positive curvature are not remembered (Li and Fukushima 2001).
import type { Descent, Told } from './descent.ts';

export interface LbfgsSettings {
	/** Pairs remembered. */
	memory: number;
	/** Length ‖x₁ − x₀‖ of the first trial step, which no curvature scales yet. */
	firstStep: number;
}

/** c₁ of Armijo's condition. */
const SUFFICIENT = 1e-4;
/** c₂ of Wolfe's condition on slopes. */
const FLATTER = 0.9;
/** Relative difference of float32 values below which their slopes are compared. */
const ROUNDING = 1e-6;
/** A pair is remembered when sᵀy is above this share of ‖s‖ ‖y‖. */
const LEAST_CURVATURE = 1e-8;
/** Points tried along a direction before it is given up. */
const MOST_TRIALS = 20;

function dot(a: Float32Array, b: Float32Array): number {
	let sum = 0;
	for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
	return sum;
}

interface Pair {
	s: Float32Array;
	y: Float32Array;
	/** sᵀy. */
	curvature: number;
}

/** One function of the batch: `trial` is its row of the points. */
class Search {
	readonly trial: Float32Array;
	readonly settings: LbfgsSettings;
	readonly x: Float32Array;
	readonly gradient: Float32Array;
	readonly direction: Float32Array;
	/** Oldest first. */
	pairs: Pair[] = [];
	/** Of x; NaN: not yet evaluated. */
	value = Number.NaN;
	step = 0;
	trials = 0;

	constructor(trial: Float32Array, settings: LbfgsSettings) {
		this.trial = trial;
		this.settings = settings;
		this.x = trial.slice();
		this.gradient = new Float32Array(trial.length);
		this.direction = new Float32Array(trial.length);
	}

	tell(value: number, gradient: Float32Array): Told {
		if (Number.isNaN(this.value)) {
			if (!Number.isFinite(value)) return 'stuck';
		} else if (!this.#isLower(value, gradient)) {
			return this.#backtrack(value);
		} else this.#remember(gradient);
		this.x.set(this.trial);
		this.value = value;
		this.gradient.set(gradient);
		return this.#turn() ? 'accepted' : 'stuck';
	}

	/** Slope of the function along the direction, at x. */
	get #slope(): number {
		return dot(this.gradient, this.direction);
	}

	#isLower(value: number, gradient: Float32Array): boolean {
		if (!Number.isFinite(value)) return false;
		const slope = this.#slope;
		if (value <= this.value + SUFFICIENT * this.step * slope) return true;
		if (value > this.value + ROUNDING * Math.abs(this.value)) return false;
		const now = dot(gradient, this.direction);
		return now <= (2 * SUFFICIENT - 1) * slope && now >= FLATTER * slope;
	}

	#backtrack(value: number): Told {
		if (++this.trials >= MOST_TRIALS) {
			// A direction that leads nowhere: once more without its history, then there is nothing to find.
			if (this.pairs.length === 0) {
				this.trial.set(this.x);
				return 'stuck';
			}
			this.pairs = [];
			return this.#turn() ? 'rejected' : 'stuck';
		}
		const slope = this.#slope;
		// The lowest point of the parabola through value and slope at x and the value at the trial.
		const lowest = (-slope * this.step ** 2) / (2 * (value - this.value - slope * this.step));
		const inside = Math.min(0.5 * this.step, Math.max(0.1 * this.step, lowest));
		this.#try(Number.isFinite(inside) ? inside : 0.1 * this.step);
		return 'rejected';
	}

	#remember(gradient: Float32Array): void {
		const s = this.trial.map((value, i) => value - this.x[i]!);
		const y = gradient.map((value, i) => value - this.gradient[i]!);
		const curvature = dot(s, y);
		if (!(curvature > LEAST_CURVATURE * Math.sqrt(dot(s, s) * dot(y, y)))) return;
		this.pairs.push({ s, y, curvature });
		if (this.pairs.length > this.settings.memory) this.pairs.shift();
	}

	/** Points the direction down from x and tries its first point; false where the gradient vanishes. */
	#turn(): boolean {
		this.direction.set(this.#newton());
		if (!(this.#slope < 0)) {
			this.pairs = [];
			this.direction.set(this.gradient.map((value) => -value));
		}
		const length = Math.sqrt(dot(this.direction, this.direction));
		if (!(length > 0) || !Number.isFinite(length)) return false;
		this.trials = 0;
		this.#try(this.pairs.length > 0 ? 1 : this.settings.firstStep / length);
		return true;
	}

	/** −H g by the two-loop recursion, H₀ = sᵀy / yᵀy. */
	#newton(): Float32Array {
		const q = this.gradient.map((value) => -value);
		const shares: number[] = [];
		for (let k = this.pairs.length - 1; k >= 0; k--) {
			const { s, y, curvature } = this.pairs[k]!;
			const share = dot(s, q) / curvature;
			shares[k] = share;
			for (let i = 0; i < q.length; i++) q[i]! -= share * y[i]!;
		}
		const newest = this.pairs[this.pairs.length - 1];
		if (newest) {
			const scale = newest.curvature / dot(newest.y, newest.y);
			for (let i = 0; i < q.length; i++) q[i]! *= scale;
		}
		for (const [k, { s, y, curvature }] of this.pairs.entries()) {
			const share = shares[k]! - dot(y, q) / curvature;
			for (let i = 0; i < q.length; i++) q[i]! += share * s[i]!;
		}
		return q;
	}

	#try(step: number): void {
		this.step = step;
		for (let i = 0; i < this.trial.length; i++) this.trial[i] = this.x[i]! + step * this.direction[i]!;
	}
}

/** L-BFGS from `start` [N · D]. Steps find their own length: the rate is not looked at. */
export function lbfgs(start: Float32Array, batch: number, settings: LbfgsSettings): Descent {
	const points = start.slice();
	const each = points.length / batch;
	const row = (values: Float32Array, n: number): Float32Array => values.subarray(n * each, (n + 1) * each);
	const searches = Array.from({ length: batch }, (_, n) => new Search(row(points, n), settings));
	const vectors = ['x', 'gradient', 'direction', 'trial'] as const;
	const numbers = ['value', 'step', 'trials'] as const;
	return {
		points,
		tell: (values, gradients, active) =>
			searches.map((search, n) => (active[n] ? search.tell(values[n]!, row(gradients, n)) : 'rejected')),
		save() {
			const stack = (parts: Float32Array[]) => {
				const data = new Float32Array(parts.length * each);
				for (const [k, part] of parts.entries()) data.set(part, k * each);
				return { shape: [parts.length, each], data };
			};
			const pairs = searches.flatMap((search) => search.pairs);
			return {
				tensors: {
					...Object.fromEntries(vectors.map((name) => [name, stack(searches.map((search) => search[name]))])),
					s: stack(pairs.map(({ s }) => s)),
					y: stack(pairs.map(({ y }) => y)),
				},
				numbers: {
					...Object.fromEntries(numbers.map((name) => [name, searches.map((search) => search[name])])),
					pairs: searches.map((search) => search.pairs.length),
				},
			};
		},
		restore(state) {
			let next = 0;
			for (const [n, search] of searches.entries()) {
				for (const name of vectors) search[name].set(row(state.tensors[name]!.data, n));
				for (const name of numbers) search[name] = state.numbers[name]![n]!;
				search.pairs = Array.from({ length: state.numbers.pairs![n]! }, () => {
					const [s, y] = [state.tensors.s!, state.tensors.y!].map(({ data }) => row(data, next).slice());
					next++;
					return { s: s!, y: y!, curvature: dot(s!, y!) };
				});
			}
		},
	};
}
