// From an experiment file to results: what is to be done, who leads, where a run stands, what it leaves on disk, and a
// whole cluster on one machine. May import everything but cli. Start reading at experiment.ts, then plan.ts, run-state.ts
// and coordinator.ts; session.ts is one run from file to report.
export { type ArmRecord, openArmRecord, type ProgressEvent, trainingRecorder } from './arm-record.ts';
export { type Budget, budgetSchema, needsCalibration, parseMinutes, stepsOf } from './budget.ts';
export {
	type Cluster,
	type ClusterOptions,
	type RoleName,
	type RoleOptions,
	startCluster,
} from './cluster.ts';
export { runCoordinator } from './coordinator.ts';
export {
	type Arm,
	type Experiment,
	type ExperimentOverrides,
	experimentHash,
	experimentJsonSchema,
	experimentSchema,
	loadExperiment,
	parseExperiment,
	solverSchema,
} from './experiment.ts';
export { readLines, writeWhole } from './files.ts';
export { type PlannedJob, planOf, type RunSpec } from './plan.ts';
export { packageVersion, type RunResults, readResults, writeResults } from './results.ts';
export { runRole } from './roles.ts';
export { openRunDirectory, runFileNames } from './run-directory.ts';
export { hasEnded, type JobStatus, type RunState, type RunStatus } from './run-state.ts';
export { cancelRun, followRun, listRuns, runSpec, runState, submitRun } from './runs.ts';
export {
	clusterFolder,
	readState,
	recordRun,
	runSession,
	type SessionEvents,
	type SessionOptions,
} from './session.ts';
export { engineEnvironment } from './trainer-node.ts';
