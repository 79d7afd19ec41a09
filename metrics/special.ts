// Special functions in float64: log-gamma, incomplete beta and gamma, and the quantiles built on them.

/** ln Γ(x) for x > 0: Stirling's series after shifting the argument above 15; relative error about 1e-15. */
export function logGamma(x: number): number {
	let shift = 0;
	while (x < 15) shift += Math.log(x++);
	return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + stirlingSeries(x) - shift;
}

/** ln Γ(x) − (x − ½) ln x + x − ½ ln 2π for x ≥ 15: Bernoulli numbers B₂ₖ / (2k (2k − 1)). */
function stirlingSeries(x: number): number {
	const inverse = 1 / (x * x);
	return (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / x;
}

/** ln (Γ(a) Γ(b) / Γ(a + b)); for a large argument without the cancellation of three large logarithms. */
function logBeta(a: number, b: number): number {
	if (a > b) return logBeta(b, a);
	if (b < 15) return logGamma(a) + logGamma(b) - logGamma(a + b);
	const ratio = (0.5 - b) * Math.log1p(a / b) - a * Math.log(a + b) + a;
	return logGamma(a) + ratio + stirlingSeries(b) - stirlingSeries(a + b);
}

/**
 * Regularised incomplete beta function Iₓ(a, b), by its continued fraction (DLMF 8.17.22); `y` is 1 − x, given apart so
 * that neither end loses digits.
 */
export function incompleteBeta(x: number, y: number, a: number, b: number): number {
	if (x <= 0) return 0;
	if (y <= 0) return 1;
	if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(y, x, b, a);
	const logX = x < 0.5 ? Math.log(x) : Math.log1p(-y);
	const logY = y < 0.5 ? Math.log(y) : Math.log1p(-x);
	const front = Math.exp(a * logX + b * logY - logBeta(a, b));
	// Modified Lentz evaluation: numerators and denominators as ratios, kept away from 0.
	const guard = (value: number) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
	let c = 1;
	let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
	let fraction = d;
	for (let m = 1; m < 10_000; m++) {
		const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
		const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
		for (const term of [even, odd]) {
			d = 1 / guard(1 + term * d);
			c = guard(1 + term / c);
			fraction *= c * d;
		}
		if (Math.abs(c * d - 1) < 1e-16) break;
	}
	return (front * fraction) / a;
}

/** P(T > t) of Student's t with `df` degrees of freedom, t ≥ 0: the tail, so that it stays exact when small. */
function studentTail(t: number, df: number): number {
	const square = t * t;
	return 0.5 * incompleteBeta(df / (df + square), square / (df + square), df / 2, 0.5);
}

function studentDensity(t: number, df: number): number {
	return Math.exp(-logBeta(0.5, df / 2) - 0.5 * Math.log(df) - ((df + 1) / 2) * Math.log1p((t * t) / df));
}

/** Quantile of Student's t: the t with P(T ≤ t) = p; p in (0, 1), df > 0; relative error below 1e-10. */
export function studentQuantile(p: number, df: number): number {
	if (!(p > 0 && p < 1) || !(df > 0)) return Number.NaN;
	if (p === 0.5) return 0;
	if (df > 1e5) return nearNormalQuantile(p, df);
	const t = solveTail(
		Math.min(p, 1 - p),
		(x) => studentTail(x, df),
		(x) => studentDensity(x, df),
	);
	return p < 0.5 ? -t : t;
}

/** Student's quantile as an expansion about the normal one in 1/df (Fisher and Cornish 1960): the limit of many. */
function nearNormalQuantile(p: number, df: number): number {
	const z = normalQuantile(p);
	return z + (z ** 3 + z) / (4 * df) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * df ** 2);
}

/** P(Z > z) of the standard normal, z ≥ 0. */
function normalTail(z: number): number {
	const density = normalDensity(z);
	if (z < 3) {
		// Φ(z) − ½ = φ(z) (z + z³/3 + z⁵/15 + …)
		let term = z;
		let sum = z;
		for (let k = 3; term > 1e-18 * sum; k += 2) sum += term *= (z * z) / k;
		return 0.5 - density * sum;
	}
	// Mills' ratio as a continued fraction.
	let fraction = z;
	for (let k = 200; k >= 1; k--) fraction = z + k / fraction;
	return density / fraction;
}

const normalDensity = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

/** Quantile of the standard normal; p in (0, 1). */
export function normalQuantile(p: number): number {
	if (!(p > 0 && p < 1)) return Number.NaN;
	if (p === 0.5) return 0;
	const z = solveTail(Math.min(p, 1 - p), normalTail, normalDensity);
	return p < 0.5 ? -z : z;
}

/** The x ≥ 0 with tail(x) = target: Newton steps, halving the bracket where they leave it. */
function solveTail(target: number, tail: (x: number) => number, density: (x: number) => number): number {
	let low = 0;
	let high = 1;
	while (tail(high) > target && high < 1e300) high *= 2;
	let x = (low + high) / 2;
	for (let i = 0; i < 200; i++) {
		const excess = tail(x) - target;
		if (excess > 0) low = x;
		else high = x;
		let next = x + excess / density(x);
		if (!(next > low && next < high)) next = (low + high) / 2;
		if (Math.abs(next - x) <= 1e-15 * next) return next;
		x = next;
	}
	return x;
}

/** P(X ≤ k) of the binomial with n trials of probability ½, summed exactly in logarithms. */
export function binomialHalfCdf(k: number, n: number): number {
	let sum = 0;
	for (let i = 0; i <= k; i++)
		sum += Math.exp(logGamma(n + 1) - logGamma(i + 1) - logGamma(n - i + 1) - n * Math.LN2);
	return Math.min(1, sum);
}
