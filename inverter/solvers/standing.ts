// How each image of a batch stands while a solver works: its best score, whether it still moves, and why not.
import { RtilError } from '../../errors/index.ts';
import type { MeasurementKey } from '../problems/index.ts';
import { type StepReport, WORST_SCORE } from './iterate.ts';
import type { Split } from './selection.ts';
import type { StopReason } from './solver.ts';

/** The discrepancy principle stops at τ times the noise level (Engl, Hanke, Neubauer: τ slightly above 1). */
const DISCREPANCY_TAU = 1.02;

/** What is known of each image of the batch. */
export class Standing {
	readonly score: number[];
	readonly residual: number[];
	readonly heldOut: number[];
	readonly improvedAt: number[];
	readonly steps: number[];
	readonly reasons: StopReason[];
	readonly active: boolean[];
	/** At the noise level: no later layer is entered. */
	readonly fitted: boolean[];
	readonly lowestError: number[];

	constructor(N: number) {
		const fill = <T>(value: T): T[] => new Array<T>(N).fill(value);
		this.score = fill(WORST_SCORE);
		this.residual = fill(Number.NaN);
		this.heldOut = fill(Number.NaN);
		this.improvedAt = fill(0);
		this.steps = fill(0);
		this.reasons = fill<StopReason>('steps');
		this.active = fill(true);
		this.fitted = fill(false);
		this.lowestError = fill(Number.POSITIVE_INFINITY);
	}

	enterLayer(): void {
		for (let i = 0; i < this.active.length; i++) {
			if (this.fitted[i]) continue;
			this.active[i] = true;
			this.reasons[i] = 'steps';
			this.score[i] = WORST_SCORE;
			this.improvedAt[i] = 0;
		}
	}

	/** What is selected stays; the patience begins anew. */
	enterStage(): void {
		this.active.fill(true);
		this.reasons.fill('steps');
		this.improvedAt.fill(0);
	}

	/** Whether some image would go on if there were another stage. */
	get goesOn(): boolean {
		return this.reasons.some((reason) => reason === 'steps' || reason === 'flat');
	}

	/** Takes in the report of step t of a layer; `before` steps were taken in earlier ones. */
	update(
		report: Omit<StepReport, 'perceptual'>,
		t: number,
		before: number,
		split: Split,
		patience: number,
	): void {
		for (let i = 0; i < this.active.length; i++) {
			if (!this.active[i]) continue;
			this.steps[i] = before + t;
			this.lowestError[i] = Math.min(this.lowestError[i]!, report.error[i]!);
			if (report.score[i]! < this.score[i]!) {
				this.score[i] = report.score[i]!;
				this.residual[i] = report.residual[i]!;
				this.heldOut[i] = report.heldOut[i]!;
				this.improvedAt[i] = t;
			}
			if (!Number.isFinite(report.objective[i]!)) this.stop(i, 'diverged');
			else if (split.noiseLevel && report.residual[i]! <= DISCREPANCY_TAU ** 2 * split.noiseLevel[i]!) {
				this.fitted[i] = true;
				this.stop(i, 'discrepancy');
			} else if (patience > 0 && t - this.improvedAt[i]! >= patience) this.stop(i, 'flat');
		}
	}

	/** A copy of all of it: plain numbers, as `restore` takes them. */
	save(): Record<string, unknown> {
		return structuredClone({ ...this }) as unknown as Record<string, unknown>;
	}

	restore(saved: Record<string, unknown>): void {
		Object.assign(this, structuredClone(saved));
	}

	stop(i: number, reason: StopReason): void {
		this.active[i] = false;
		this.reasons[i] = reason;
	}

	stopAll(reason: StopReason): void {
		for (let i = 0; i < this.active.length; i++) if (this.active[i]) this.stop(i, reason);
	}
}

/** ‖Ax − y‖² / ‖y‖² of the selected iterates over everything measured. */
export function wholeResidual({ residual, heldOut }: Standing, split: Split): number[] {
	return residual.map((value, i) => {
		const [fitted, held] = [split.fittedEnergy[i]!, split.heldOutEnergy[i]!];
		return (value * fitted + heldOut[i]! * held) / (fitted + held);
	});
}

/** Throws DIVERGED when an image never had a finite objective. */
export function requireFinite({ score }: Standing, keys: readonly MeasurementKey[]): void {
	const lost = score.findIndex((value) => value >= WORST_SCORE);
	if (lost < 0) return;
	throw new RtilError(
		'DIVERGED',
		`The objective of image ${keys[lost]!.image} was not finite in any step.`,
		'Check the checkpoint and the measurement, or lower the rate.',
	);
}
