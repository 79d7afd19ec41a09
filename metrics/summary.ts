// Rows of results → one table: means with intervals by arm × solver × problem × level, and paired differences
// against a reference arm over the same (image, seed).

/** One reconstruction: what was inverted, how, and how well. `null`: not finite, or not known. */
export interface ResultRow {
	arm: string;
	solver: string;
	problem: string;
	level: number;
	image: string;
	seed: number;
	psnr: number | null;
	ssim: number | null;
	residual: number | null;
	seconds: number | null;
}
