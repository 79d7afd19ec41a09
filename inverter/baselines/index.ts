// baselines: solvers that need no prior, and floors that one with a prior must beat. Registered with the others in
// ../solvers/registry.ts. Start with direct.ts.
export { bm3d } from './denoiser.ts';
export { bicubic, mean } from './floors.ts';
export { tv } from './tv.ts';
