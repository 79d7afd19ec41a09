// How long the arms of an experiment train: one budget, one rule of fairness, turned into steps for each arm.
import { z } from 'zod';
import { expected } from '../errors/index.ts';

/** What is equal between the arms. */
export const budgetRules = ['equal-steps', 'equal-images', 'equal-compute'] as const;

/** Either a time for the training of all arms together, or a number of steps of the first arm. */
export const budgetSchema = z
	.strictObject({
		minutes: z
			.number()
			.positive()
			.max(100_000)
			.optional()
			.describe('Minutes of training, all arms together.'),
		steps: z.int().positive().max(100_000_000).optional().describe('Steps of the first arm.'),
		rule: z
			.enum(budgetRules)
			.default('equal-steps')
			.describe(
				'What is equal between the arms: optimiser steps, real images shown, or seconds of computing.',
			),
	})
	.refine((b) => (b.minutes === undefined) !== (b.steps === undefined), {
		error: 'either minutes or steps (one of them)',
	});

export type Budget = z.infer<typeof budgetSchema>;

/** What the rule needs to know of an arm. */
export interface ArmCost {
	/** Real images a step shows to the discriminator. */
	batch: number;
	/** Measured by a `calibrate` job; absent when the rule does not need it. */
	secondsPerStep?: number;
}

/** True when the steps cannot be known before a machine has been measured. */
export function needsCalibration(budget: Budget, arms: number): boolean {
	return budget.minutes !== undefined || (budget.rule === 'equal-compute' && arms > 1);
}

/**
 * Steps of each arm, at least 1. `equal-steps`: n for all. `equal-images`: steps × batch agree (to rounding).
 * `equal-compute`: steps × seconds per step agree. A time budget is the sum over the arms of steps × seconds per step.
 */
export function stepsOf(budget: Budget, arms: readonly ArmCost[]): number[] {
	// Cost of one unit of "equal" for each arm: how many steps one unit is.
	const stepsPerUnit = arms.map((arm) => {
		if (budget.rule === 'equal-images') return 1 / arm.batch;
		if (budget.rule === 'equal-compute') return arms.length > 1 ? 1 / seconds(arm) : 1;
		return 1;
	});
	const units =
		budget.steps !== undefined
			? budget.steps / stepsPerUnit[0]!
			: (budget.minutes! * 60) / sum(arms.map((arm, i) => stepsPerUnit[i]! * seconds(arm)));
	// Rounding down keeps a time budget; the small slack undoes the error of dividing and multiplying by one number.
	return stepsPerUnit.map((steps) => Math.max(1, Math.floor(units * steps * (1 + 1e-9))));
}

/** `15m`, `2h`, `90s`, `1.5h` → minutes; throws INVALID_INPUT. */
export function parseMinutes(text: string, name: string): number {
	const match = /^(\d+(?:\.\d+)?)\s*(s|m|min|h|d)$/.exec(text.trim());
	const unit = { s: 1 / 60, m: 1, min: 1, h: 60, d: 1440 }[match?.[2] ?? ''];
	const minutes = match && unit ? Number(match[1]) * unit : Number.NaN;
	if (!(minutes > 0)) throw expected('a time such as 90s, 15m or 2h', name, text);
	return minutes;
}

function seconds(arm: ArmCost): number {
	if (!(arm.secondsPerStep! > 0)) throw new Error('seconds per step are not known: calibrate first');
	return arm.secondsPerStep!;
}

function sum(values: readonly number[]): number {
	return values.reduce((a, b) => a + b, 0);
}
