// Losses, regularisers and the training loop; worker.ts is what a trainer node runs. Imports engine, models, data,
// checkpoints, bus (the worker's side only) and errors. Start reading at train.ts.
export { type ArmConfig, armConfigSchema, type TrainingConfig } from './config.ts';
export {
	type Arm,
	buildArm,
	compileArm,
	initialState,
	optimizerInput,
	type TrainingProgram,
} from './program.ts';
export { latentSource } from './sampling.ts';
export {
	type Interval,
	secondsPerStep,
	type TrainingEvent,
	type TrainOptions,
	type TrainResult,
	trainArm,
} from './train.ts';
