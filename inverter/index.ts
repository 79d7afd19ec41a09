// inverter: images back from measurements with a trained prior. Problems (forward operators), solvers, the worker that
// owns the tensors, the gRPC service and its client, the node that takes evaluation jobs. May import engine, models,
// data, metrics, checkpoints, bus and proto; never trainer. Start with problems/operator.ts and solvers/solver.ts, then
// worker.ts and service.ts.
export type { LatentStatistics, Prior } from './prior.ts';
export * from './problems/index.ts';
export * from './solvers/index.ts';
export { latentStatistics, renderImages } from './statistics.ts';
