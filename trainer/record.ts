// What a run may go on with, and when it has gone wrong.
import { type CheckpointManifest, requireArchitecture } from '../checkpoints/index.ts';
import type { Dataset } from '../data/index.ts';
import type { HostTensors } from '../engine/index.ts';
import { expected, RtilError, show } from '../errors/index.ts';
import type { Recipe } from './recipe.ts';
import type { TrainOptions } from './train.ts';

/** Losses above this, or not numbers, end the arm. */
const divergence = 1e6;

/** Throws INVALID_INPUT unless the images of a data set are what is trained on. */
export function checkDataset({ resolution }: Recipe, dataset: Dataset): void {
	if (dataset.resolution === resolution && dataset.channels === 3) return;
	throw expected(
		`images of ${resolution}×${resolution}×3`,
		'the data set',
		`${dataset.resolution}×${dataset.resolution}×${dataset.channels}`,
		'Prepare it at the resolution of the model',
	);
}

/**
 * A run goes on only with the data, seed, networks and family it began with; other training options are told of, since
 * what follows is no longer what an unbroken run gives.
 */
export function requireSame(
	{ manifest }: { manifest: CheckpointManifest },
	recipe: Recipe,
	{ config, seed, dataset, directory, emit }: TrainOptions,
): void {
	const { step } = manifest;
	requireArchitecture(manifest, recipe.architecture(step) as { generator: object; discriminator: object });
	const perStep = (images: number): number => (step > 0 ? images / step : 0);
	const pairs = [
		['seed', manifest.seed, seed],
		['batch', perStep(manifest.images), perStep(recipe.images(step))],
		['rtil', JSON.stringify(manifest.rtil), JSON.stringify(config.rtil)],
		['data set', manifest.dataset?.fingerprint, dataset.fingerprint],
	] as const;
	for (const [what, found, wanted] of pairs) {
		if (found === wanted) continue;
		throw new RtilError(
			'MISMATCH',
			`The checkpoint of step ${step} in ${directory} has another ${what}: ${found}, not ${wanted}`,
			'Train into another folder, or go on with what the run began with',
		);
	}
	for (const [name, wanted] of Object.entries(config.training)) {
		const found = manifest.training?.[name];
		if (found === undefined || JSON.stringify(found) === JSON.stringify(wanted)) continue;
		const text = `training.${name} is ${show(wanted)} from step ${step} on; it was ${show(found)}`;
		emit({ type: 'log', level: 'warn', text });
	}
}

/** Throws DIVERGED when a loss is no number or beyond all bounds. */
export function guard(losses: Record<string, number>, step: number, arm: string): void {
	for (const [name, value] of Object.entries(losses)) {
		if (Math.abs(value) < divergence) continue;
		throw diverged(arm, step, `${name} is ${value}`);
	}
}

/** Losses show a step late that a parameter went bad: a checkpoint looks at the parameters themselves. */
export function requireFinite(state: HostTensors, step: number, arm: string): void {
	for (const [name, { data }] of Object.entries(state)) {
		const bad = data.findIndex((value) => !Number.isFinite(value));
		if (bad >= 0) throw diverged(arm, step, `element ${bad} of "${name}" is ${data[bad]}`);
	}
}

function diverged(arm: string, step: number, what: string): RtilError {
	return new RtilError(
		'DIVERGED',
		`Arm ${arm} diverged before step ${step}: ${what}`,
		'Lower training.learningRate, or raise training.r1.gamma; the last checkpoint is from before',
	);
}
