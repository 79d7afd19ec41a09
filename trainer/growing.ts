// The schedule of a PGGAN (Karras et al. 2018, §2): which resolution a step trains, how far its new block has faded in,
// how many images were seen before. Stages last whole numbers of steps, so everything is a function of the step.
import { expected } from '../errors/index.ts';
import type { ArmOf } from './config.ts';

export interface Stage {
	/** Side of the images. */
	resolution: number;
	batch: number;
	/** First step, and real images seen before it. */
	start: number;
	images: number;
	/** Steps while the newest block fades in; 0 in the first stage. */
	fadeSteps: number;
	/** Steps altogether; infinite in the last stage. */
	steps: number;
}

/** The stages of a configuration; throws INVALID_INPUT where it makes none. */
export function stagesOf({ model, training }: Pick<ArmOf<'pggan'>, 'model' | 'training'>): Stage[] {
	const { growing, batch } = training;
	const sides = model.channels.map((_, i) => 4 * 2 ** i);
	const first = sides.indexOf(growing.from);
	if (first < 0) throw expected(`one of ${sides.join(', ')}`, 'training.growing.from', growing.from);
	if (Array.isArray(batch) && batch.length !== sides.length) {
		throw expected(`${sides.length} numbers, one a resolution from 4`, 'training.batch', batch);
	}
	const stages: Stage[] = [];
	let [start, images] = [0, 0];
	for (let k = first; k < sides.length; k++) {
		const own = Array.isArray(batch) ? batch[k]! : batch;
		const stepsOf = (kimg: number): number => Math.max(1, Math.ceil((kimg * 1000) / own));
		const fadeSteps = k === first ? 0 : stepsOf(growing.fade);
		const last = k === sides.length - 1;
		const steps = last ? Number.POSITIVE_INFINITY : fadeSteps + stepsOf(growing.stable);
		stages.push({ resolution: sides[k]!, batch: own, start, images, fadeSteps, steps });
		start += steps;
		images += steps * own;
	}
	return stages;
}

/** The stage that trains at a step. */
export function stageAt(stages: readonly Stage[], step: number): Stage {
	return stages.findLast(({ start }) => step >= start)!;
}

/** Weight of the newest block at a step, in [0, 1]: grows linearly while it fades in. */
export function fadeAt({ start, fadeSteps }: Stage, step: number): number {
	return fadeSteps === 0 ? 1 : Math.min(1, (step - start) / fadeSteps);
}

/** Real images seen before a step. */
export function imagesAt(stages: readonly Stage[], step: number): number {
	const { start, images, batch } = stageAt(stages, step);
	return images + (step - start) * batch;
}
