// What was not measured, judged on its own: hole-only PSNR and SSIM of inpainting, and the composite that keeps the
// measured pixels. Over the whole image, pixels that were given count as much as those that had to be found.
import { geometryOf, type Images, pairGeometry, regionOf } from './images.ts';
import { psnr } from './pairs.ts';
import { ssim, windowTaps } from './ssim.ts';

/** Of one image; null where it is not defined. */
export interface HoleQuality {
	/** PSNR over the pixels of the hole, in dB. */
	holePsnr: number;
	/**
	 * Mean of the SSIM map over the window centres in the hole; a window reaches 5 pixels beyond it. Null where no window
	 * that fits the image has its centre there.
	 */
	holeSsim: number | null;
	/** PSNR and SSIM of the composite over the whole image; SSIM is null for images smaller than its window. */
	compositedPsnr: number;
	compositedSsim: number | null;
}

/** The estimate where `hole` [N | 1, H, W, 1] is above 0, and `measured` elsewhere; throws MISMATCH on different shapes. */
export function composite(estimate: Images, measured: Images, hole: Images): Images {
	const geometry = pairGeometry(estimate, measured);
	const { count, height, width, channels } = geometry;
	const data = Float32Array.from(measured.data);
	for (let n = 0; n < count; n++) {
		const missing = regionOf(hole, n, geometry);
		for (let pixel = 0; pixel < height * width; pixel++) {
			if (!missing(pixel)) continue;
			const at = (n * height * width + pixel) * channels;
			data.set(estimate.data.subarray(at, at + channels), at);
		}
	}
	return { shape: estimate.shape, data };
}

/**
 * Judges each image in its hole and as a composite; null for an image without a hole. Data range 1, values clipped to
 * what can be shown, SSIM with the gaussian window.
 *
 * @param truth [N, H, W, C]
 * @param estimate like `truth`: the raw reconstruction
 * @param measured like `truth`: what was measured, noise included; its values in the hole do not count
 * @param hole [N | 1, H, W, 1]: above 0 where nothing was measured
 * @throws MISMATCH on different shapes
 */
export function holeQuality(
	truth: Images,
	estimate: Images,
	measured: Images,
	hole: Images,
): (HoleQuality | null)[] {
	const { count, height, width } = pairGeometry(truth, estimate);
	const border = windowTaps('gaussian').length >> 1;
	const fits = Math.min(height, width) > 2 * border;
	const whole = composite(estimate, measured, hole);
	return Array.from({ length: count }, (_, n) => {
		if (!isInside(hole, n, truth, 0)) return null;
		const region = imageOf(hole, geometryOf(hole).count === 1 ? 0 : n);
		const [target, raw, put] = [truth, estimate, whole].map((images) => imageOf(images, n)) as [
			Images,
			Images,
			Images,
		];
		return {
			holePsnr: psnr(target, raw, { region })[0]!,
			holeSsim: fits && isInside(hole, n, truth, border) ? ssim(target, raw, { region })[0]! : null,
			compositedPsnr: psnr(target, put)[0]!,
			compositedSsim: fits ? ssim(target, put)[0]! : null,
		};
	});
}

/** Is there a pixel of the hole at least `border` pixels inside the image? */
function isInside(hole: Images, n: number, of: Images, border: number): boolean {
	const geometry = geometryOf(of);
	const missing = regionOf(hole, n, geometry);
	for (let y = border; y < geometry.height - border; y++)
		for (let x = border; x < geometry.width - border; x++) if (missing(y * geometry.width + x)) return true;
	return false;
}

/** Image `n` of a batch as a batch of one, as a view. */
function imageOf(images: Images, n: number): Images {
	const { height, width, channels } = geometryOf(images);
	const size = height * width * channels;
	return { shape: [1, height, width, channels], data: images.data.subarray(n * size, (n + 1) * size) };
}
