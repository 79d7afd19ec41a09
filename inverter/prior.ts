// What a solver inverts with: a generator that can start and stop at cuts, its parameters, and the statistics of its own
// latents.
import type { HostTensors } from '../engine/index.ts';
import type { Generator } from '../models/index.ts';

export interface Prior {
	/** Of the checkpoint. */
	readonly id: string;
	readonly generator: Generator;
	readonly params: HostTensors;
	readonly latent: LatentStatistics;
	/** The cuts trained with additive latents and their σ; null: vanilla. */
	readonly rtil: { cuts: readonly string[]; sigma: number } | null;
}

export interface LatentStatistics {
	/** Mean and standard deviation of w by coordinate, [W]. */
	wMean: Float32Array;
	wStd: Float32Array;
	/** Standard deviation of the features at each cut. */
	featureStd: Readonly<Record<string, number>>;
}
