// metrics: images or sets of features in, numbers out; and the statistics over them. Pure TypeScript in float64 on host
// arrays. Images come in as the project holds them, [-1, 1] in NHWC, and are taken to [0, 1] (data range 1) at this
// border. May import errors and engine's host types. Start with pairs.ts (PSNR), then statistics.ts and summary.ts.
export type { ResultRow } from './summary.ts';
