// The cluster: NATS JetStream behind one small interface (jobs, events, key-values, leases, blobs), the embedded
// server, and the generic node: a supervisor with a worker process. Knows nothing of tensors; imports errors and proto.
// Start reading at contract.ts (every public type), then connection.ts, jobs.ts (delivery) and node.ts.
export { systemClock } from './clock.ts';
export { connectBus } from './connection.ts';
export type * from './contract.ts';
export { findNatsServer, runningNats, startEmbeddedNats } from './embedded.ts';
export { limits } from './limits.ts';
export { runNode } from './node.ts';
export { serveWorker } from './worker.ts';
export { startWorker, WorkerLost } from './worker-process.ts';
