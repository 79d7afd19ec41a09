// Learning rates over a layer.

export interface Ramp {
	/** Fraction of the steps over which the rate rises linearly from 0. */
	up: number;
	/** Fraction of the steps at the end over which it falls to 0 along a cosine. */
	down: number;
	/** Time is t / steps, as in the published code: the first step has rate 0. */
	late?: boolean | undefined;
}

/**
 * Rate at step t = 0 … steps − 1 (Karras et al. 2020, projector; ILO and RTIL use up 0.05, down 0.75). Time is
 * (t + 1) / (steps + 1), so that no step has rate 0, as the first one of the published code has.
 */
export function rampedRate(rate: number, t: number, steps: number, { up, down, late }: Ramp): number {
	const at = late ? t / steps : (t + 1) / (steps + 1);
	const fall = down > 0 ? 0.5 - 0.5 * Math.cos(Math.PI * Math.min(1, (1 - at) / down)) : 1;
	const rise = up > 0 ? Math.min(1, at / up) : 1;
	return rate * fall * rise;
}

/** `one-cycle`: up and down again within nine tenths of the steps, then out (PULSE's linear1cycledrop). */
export type RateCurve = Ramp | 'one-cycle';

/** Rate at step t = 0 … steps − 1 along a curve. */
export function rateAt(rate: number, t: number, steps: number, curve: RateCurve): number {
	if (curve !== 'one-cycle') return rampedRate(rate, t, steps, curve);
	const at = t / steps;
	if (at < 0.9) return (rate * (9 * (1 - 2 * Math.abs(at / 0.9 - 0.5)) + 1)) / 10;
	return rate * (0.1 + ((at - 0.9) / 0.1) * (0.001 - 0.1));
}
