// How good reconstructions are, once they are compared with the truth: the measures of a row of results.
import type { HostTensor } from '../engine/index.ts';
import { holeQuality, msssim, niqe, psnr, ssim } from '../metrics/index.ts';
import { holesOf, type Measurements } from './problems/index.ts';
import type { InversionSession } from './session.ts';

/** Side of SSIM's window (Wang et al. 2004), in pixels. */
const LEAST_FOR_SSIM = 11;
/** The same at the coarsest of MS-SSIM's five scales. */
const LEAST_FOR_MSSSIM = 161;

/** Of one image; a PSNR may be infinite. */
export interface Quality {
	psnr: number;
	/** Null: the window does not fit. */
	ssim: number | null;
	/** As of `HoleQuality`; only where pixels of the image were not measured. */
	holePsnr?: number;
	holeSsim?: number | null;
	compositedPsnr?: number;
	compositedSsim?: number | null;
	/** Only where the weights of a network that takes such images are known. */
	lpips?: number;
	/** Network and version: values of another are not comparable. */
	lpipsBy?: string;
	/** Only of images that five scales fit. */
	msssim?: number;
	/** Only where a face network is known: cosine similarity of the embeddings, in [−1, 1]; more is better. */
	identity?: number;
	identityBy?: string;
	/** Only where statistics of photographs are known and two blocks fit; of the reconstruction alone; less is better. */
	niqe?: number;
	niqeBy?: string;
}

/** Judges reconstructions [N, H, W, C], clipped to what a picture file would hold; each image alone. */
export async function judge(
	session: InversionSession,
	truth: HostTensor,
	images: HostTensor,
	measurements: Measurements,
): Promise<Quality[]> {
	const shown = inRange(images);
	const [, height, width] = truth.shape as [number, number, number, number];
	const decibels = psnr(truth, shown);
	const similarity = Math.min(height, width) >= LEAST_FOR_SSIM ? ssim(truth, shown) : null;
	const hole = holesOf(measurements);
	const holes = hole && holeQuality(truth, shown, measurements.y, hole);
	const scales = Math.min(height, width) >= LEAST_FOR_MSSSIM ? msssim(truth, shown) : null;
	const { lpips, identity, niqe: pristine } = await session.judges(truth.shape);
	const distances = lpips?.measure(truth, shown);
	const similarities = identity?.measure(truth, shown);
	const unnatural = pristine && niqe(shown, pristine);
	return Array.from(decibels, (value, i) => ({
		psnr: value,
		ssim: similarity?.[i] ?? null,
		...holes?.[i],
		...(scales ? { msssim: scales[i]! } : {}),
		...(lpips ? { lpips: distances![i]!, lpipsBy: lpips.label } : {}),
		...(identity ? { identity: similarities![i]!, identityBy: identity.label } : {}),
		...(pristine ? { niqe: unnatural![i]!, niqeBy: pristine.label } : {}),
	}));
}

/** Clipped to [−1, 1]: what a picture file would hold. */
export function inRange({ shape, data }: HostTensor): HostTensor {
	return { shape, data: data.map((value) => Math.min(1, Math.max(-1, value))) };
}
