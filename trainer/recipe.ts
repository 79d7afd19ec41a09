// What the training loop needs of a kind of model. One recipe a file: stylegan2.ts, pggan.ts, glow.ts.
import type { CheckpointFields } from '../checkpoints/index.ts';
import type { Dataset } from '../data/index.ts';
import type { Engine, HostTensor, HostTensors } from '../engine/index.ts';
import type { ArmConfig } from './config.ts';

/** How an arm of one kind is trained. State is a set of host tensors between sessions. */
export interface Recipe {
	/** Side of the images it is trained on; they have 3 channels. */
	readonly resolution: number;
	/** Real images seen before a step. */
	images(step: number): number;
	/** What the manifest says of the networks at a step. */
	architecture(step: number): CheckpointFields['architecture'];
	/** A step that costs what most of a long training do. */
	readonly typicalStep: number;
	/** State of a fresh run. */
	initial(engine: Engine, dataset: Dataset): HostTensors;
	/** What a checkpoint holds, by file. */
	groups(state: HostTensors): Record<string, HostTensors>;
	/** The state whose `groups` are read by `read`. */
	restore(read: (group: string) => Promise<HostTensors>): Promise<HostTensors>;
	/** Statistics of the network's own latents for a finished checkpoint, by name; nothing where it has none. */
	latent(engine: Engine, state: HostTensors, step: number): HostTensors | null;
	/** Compiles the steps and takes the state over; `step` is the first that will be asked for. */
	start(engine: Engine, dataset: Dataset, state: HostTensors, step: number): TrainingSession;
}

/** An arm on the engine. */
export interface TrainingSession {
	/** One iteration; losses and other scalars by name. Steps come in order. */
	step(step: number): Record<string, number>;
	/**
	 * `sampleCount` images [N, H, W, 3] of the weight average. Batch 0 (default) is the grid, always of the same latents;
	 * 1, 2, … are of others: pure in (seed, batch).
	 */
	samples(batch?: number): HostTensor;
	/** Scalars that are worth a look now and then: the spread of activations beside σ. */
	inspect(): Record<string, number>;
	read(): HostTensors;
	/** Floating-point operations of the iterations of this session; undefined where they are not counted. */
	flops(): number | undefined;
	dispose(): void;
}

/** Images in a grid of samples. */
export const sampleCount = 32;

/**
 * Builds the recipe of a configuration; throws INVALID_INPUT where its parts do not fit together.
 *
 * `seed` is that of the initial weights and of the grids of samples, `draws` (default: the same) that of what steps draw.
 */
export type RecipeOf<Config = ArmConfig> = (config: Config, seed: number, draws?: number) => Recipe;
