// solvers: a prior and measurements in, progress and a reconstruction out. One file per solver; adding one is a file and
// a line in registry.ts. Start with solver.ts (the contract), then layers.ts (the captured steps) and solve.ts (the loop).
export { ProgramCache } from './cache.ts';
export { optionsSchema, parseSolver, requirePrior, type SolverSpec, solverFor, solvers } from './registry.ts';
export type { SolveSnapshot, SolveStore } from './resume.ts';
export type { LayerHistory, Progress, Reconstruction, SolveContext, Solver, StopReason } from './solver.ts';
