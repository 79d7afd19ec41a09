// metrics: images or sets of features in, numbers out; and the statistics over them. Pure TypeScript in float64 on host
// arrays. Images come in as the project holds them, [-1, 1] in NHWC, and are taken to [0, 1] (data range 1) at this
// border. Imports errors; lpips.ts, identity.ts and inception.ts alone need an engine, and load models/ when they are asked for. Start
// with pairs.ts (PSNR), then statistics.ts and summary.ts.
export type { Features, PermutationSource } from './features.ts';
export { drawSubsets, featureStatistics, fid, kid, kidBiased, kidOfSubsets } from './features.ts';
export type { HoleQuality } from './holes.ts';
export { composite, holeQuality } from './holes.ts';
export type { IdentityMetric } from './identity.ts';
export { openIdentity } from './identity.ts';
export type { Images } from './images.ts';
export type { InceptionMetric } from './inception.ts';
export { openInception } from './inception.ts';
export type { LpipsMetric, LpipsOptions } from './lpips.ts';
export { openLpips } from './lpips.ts';
export type { PristineModel } from './niqe.ts';
export { NIQE_BLOCK, niqe, niqeFeatures } from './niqe.ts';
export type { PairOptions } from './pairs.ts';
export { psnr, residual, squaredError } from './pairs.ts';
export { normalQuantile, studentQuantile } from './special.ts';
export type { SsimOptions } from './ssim.ts';
export { msssim, ssim } from './ssim.ts';
export type { IntegerSource, Interval, IntervalOptions, PairedDifference } from './statistics.ts';
export { bootstrapInterval, meanInterval, pairedDifference, signTest } from './statistics.ts';
export type {
	FurtherMeasure,
	Measure,
	ResultRow,
	SummaryDifference,
	SummaryOptions,
	SummaryRow,
} from './summary.ts';
export {
	furtherMeasures,
	furtherNames,
	imageDifferences,
	measures,
	networkNotes,
	referenceArm,
	summarise,
	verdict,
} from './summary.ts';
