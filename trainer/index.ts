// Losses, regularisers and the training loop; worker.ts is what a trainer node runs. Imports engine, models, data,
// checkpoints, bus (the worker's side only) and errors. Start reading at train.ts, then recipe.ts: one recipe a kind of
// model (stylegan2.ts, pggan.ts, glow.ts), one file with the steps of each.
export { buildArm, optimizerInput, partShapes } from './arm.ts';
export {
	type ArmConfig,
	type ArmOf,
	armConfigSchema,
	imagesPerStep,
	onDivergenceSchema,
	type TrainingConfig,
} from './config.ts';
export { openQuality, type Quality, type QualityOptions, qualitySchema } from './quality.ts';
export type { Recipe, TrainingSession } from './recipe.ts';
export { recipeOf } from './recipes.ts';
export { latentSource } from './sampling.ts';
export { compileSteps, initialState } from './stylegan2-steps.ts';
export {
	type Interval,
	secondsPerStep,
	type TrainingEvent,
	type TrainOptions,
	type TrainResult,
	trainArm,
} from './train.ts';
