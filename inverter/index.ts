// inverter: images back from measurements with a trained prior. Problems (forward operators), solvers, baselines without
// a prior, the worker that owns the tensors, the gRPC service and its client, the node that takes evaluation jobs. May
// import engine, models, data, metrics, checkpoints, bus and proto; never trainer. Start with problems/operator.ts and
// solvers/solver.ts, then worker.ts and service.ts.

export { isGlow, loadPrior, networkOf } from './checkpoint.ts';
export { InverterClient, type InvertRemoteOptions, invertRemote } from './client.ts';
export { type Evaluation, type EvaluationEvent, evaluate } from './evaluate.ts';
export {
	type InvertEvent,
	type InvertedImage,
	type InvertPayload,
	type InvertResult,
	invert,
	sample,
} from './invert.ts';
export { type InverterNodeOptions, runInverterNode } from './node.ts';
export { type AnyPrior, type GlowPrior, imageSize, type Prior } from './prior.ts';
export * from './problems/index.ts';
export { type InverterService, type ServiceOptions, serveInverter } from './service.ts';
export { InversionSession, requireServed, type SessionContext } from './session.ts';
export { CheckpointShelf, fetchCheckpoint } from './shelf.ts';
export * from './solvers/index.ts';
export { renderGlow, renderImages } from './statistics.ts';
export type { WireCheckpoint, WireInvertEvent, WireReconstruction } from './wire.ts';
