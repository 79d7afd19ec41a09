// What a worker keeps between calls: the engine, the priors used last, captured programs.
import { z } from 'zod';
import { loadFace, loadPerceptual, loadPristine } from '../checkpoints/index.ts';
import type { Engine, HostTensor } from '../engine/index.ts';
import { RtilError } from '../errors/index.ts';
import {
	type IdentityMetric,
	type LpipsMetric,
	NIQE_BLOCK,
	openIdentity,
	openLpips,
	type PristineModel,
} from '../metrics/index.ts';
import type { LpipsWeights, PerceptualNetwork } from '../models/index.ts';
import { loadPrior } from './checkpoint.ts';
import { type AnyPrior, imageSize } from './prior.ts';
import { type Measurements, OperatorPrograms, type ProblemSpec } from './problems/index.ts';
import { solveFile } from './solve-files.ts';
import {
	ProgramCache,
	type Progress,
	parseSolver,
	type Reconstruction,
	requirePrior,
	type SolveContext,
	type SolverSpec,
	solverFor,
} from './solvers/index.ts';

/** Priors kept in memory: two arms are compared in turn. */
const PRIORS = 2;
/** Networks of LPIPS to judge with, the one that the literature reports first. */
const JUDGES = ['alex', 'vgg', 'squeeze'] as const;
/** Idle programs: a few problems by a few solvers. */
const PROGRAMS = 8;

/** A folder for what an unfinished solve needs to go on, and the seconds between two snapshots. */
export const resumeSchema = z.strictObject({ dir: z.string().min(1), every: z.number().min(0) });

export interface SessionContext extends Omit<SolveContext, 'engine' | 'programs' | 'resume'> {
	onProgress?: (progress: Progress) => void;
	/** Absent: a killed solve begins again. */
	resume?: z.output<typeof resumeSchema>;
}

/** What judges by weights of the user's. */
export interface Judges {
	/** AlexNet's, else VGG's, else SqueezeNet's, of those that take images of the size. */
	lpips: LpipsMetric | null;
	identity: IdentityMetric | null;
	/** Statistics for NIQE; null for images that do not hold two blocks, too. */
	niqe: (PristineModel & { label: string }) | null;
}

export class InversionSession {
	readonly engine: Engine;
	readonly operators: OperatorPrograms;
	readonly #programs = new ProgramCache(PROGRAMS);
	readonly #lpips = new Map<PerceptualNetwork, LpipsWeights>();
	readonly #judges = new Map<PerceptualNetwork, LpipsMetric>();
	#identity: IdentityMetric | null = null;
	#pristine: Judges['niqe'] = null;
	readonly #priors = new Map<string, AnyPrior>();

	constructor(engine: Engine) {
		this.engine = engine;
		this.operators = new OperatorPrograms(engine);
	}

	/** The prior of a checkpoint folder, read once while it is in use. */
	async prior(dir: string): Promise<AnyPrior> {
		const prior = this.#priors.get(dir) ?? (await loadPrior(this.engine, dir));
		this.#priors.delete(dir);
		this.#priors.set(dir, prior);
		if (this.#priors.size > PRIORS) this.#priors.delete(this.#priors.keys().next().value!);
		return prior;
	}

	/** Runs a solver to its end; a prior of null is enough for those that need nothing. */
	async solve(
		prior: AnyPrior | null,
		measurements: Measurements,
		solver: unknown,
		context: SessionContext,
	): Promise<Reconstruction> {
		const spec = parseSolver(solver);
		const { onProgress, resume, ...rest } = context;
		requireServed(spec, prior, measurements.problem);
		const chosen = solverFor(spec);
		const lpips = (network: PerceptualNetwork): Promise<LpipsWeights> => this.#weights(network);
		const identity = {
			prior: prior?.id ?? null,
			...(prior?.kind === 'gan' && prior.cuts ? { cuts: prior.cuts } : {}),
			solver: spec,
			measurements,
			seed: rest.seed,
			engine: this.engine.description,
			truth: rest.truth ?? null,
		};
		const store = resume && solveFile(resume.dir, identity, resume.every);
		const own = { engine: this.engine, programs: this.#programs, ...(store ? { resume: store } : {}) };
		const run = chosen.solve(prior, measurements, spec.options, { lpips, ...rest, ...own });
		for (;;) {
			const { value, done } = await run.next();
			if (done) {
				await store?.remove();
				return value;
			}
			onProgress?.(value);
		}
	}

	/**
	 * What images [N, H, W, C] are judged with, by what weights are known; null where there is none, and networks for
	 * grey images.
	 *
	 * @throws CORRUPT for weights that are damaged.
	 */
	async judges(shape: readonly number[]): Promise<Judges> {
		const [, height, width, channels] = shape as [number, number, number, number];
		this.#pristine ??= await ifKnown(() => loadPristine());
		const blocks = Math.floor(height / NIQE_BLOCK) * Math.floor(width / NIQE_BLOCK);
		const niqe = blocks >= 2 ? this.#pristine : null;
		if (channels !== 3) return { lpips: null, identity: null, niqe };
		this.#identity ??= await ifKnown(async () => openIdentity(this.engine, await loadFace()));
		return { lpips: await this.#lpipsFor(shape), identity: this.#identity, niqe };
	}

	async #lpipsFor([, height, width]: readonly number[]): Promise<LpipsMetric | null> {
		for (const network of JUDGES) {
			const judge = this.#judges.get(network) ?? (await this.#open(network));
			if (judge && Math.min(height!, width!) >= judge.smallest) return judge;
		}
		return null;
	}

	async #open(network: PerceptualNetwork): Promise<LpipsMetric | null> {
		const judge = await ifKnown(async () => openLpips(this.engine, await this.#weights(network)));
		if (judge) this.#judges.set(network, judge);
		return judge;
	}

	async #weights(network: PerceptualNetwork): Promise<LpipsWeights> {
		const weights = this.#lpips.get(network) ?? (await loadPerceptual(network));
		this.#lpips.set(network, weights);
		return weights;
	}

	dispose(): void {
		this.operators.dispose();
		this.#programs.dispose();
		this.#priors.clear();
		this.#lpips.clear();
		for (const judge of this.#judges.values()) judge.dispose();
		this.#judges.clear();
		this.#identity?.dispose();
		this.#identity = null;
	}
}

/** What is opened, or null where its weights are not known. */
async function ifKnown<T>(open: () => Promise<T>): Promise<T | null> {
	try {
		return await open();
	} catch (error) {
		if (error instanceof RtilError && error.code === 'NOT_FOUND') return null;
		throw error;
	}
}

/** Throws MISMATCH when the solver cannot serve the problem with the prior, or needs one and there is none. */
export function requireServed(solver: SolverSpec, prior: AnyPrior | null, problem: ProblemSpec): void {
	const chosen = solverFor(solver);
	requirePrior(chosen, prior);
	chosen.check(prior, solver.options, problem);
}

/** Throws MISMATCH unless images are what the generator makes. */
export function requireSize(prior: AnyPrior, height: number, width: number, channels: number): void {
	const { resolution, channels: made } = imageSize(prior);
	if (height === resolution && width === resolution && channels === made) return;
	throw sizeMismatch(resolution, height, width, channels);
}

function sizeMismatch(resolution: number, height: number, width: number, channels: number): RtilError {
	return new RtilError(
		'MISMATCH',
		`The checkpoint makes images of ${resolution} × ${resolution} in 3 channels, but one is ${width} × ${height} in ${channels}.`,
		'Ask for resizing (--resize), or give a checkpoint of that size.',
	);
}

/** Images of equal size as one batch. */
export function stackImages(
	images: readonly { data: Float32Array; width: number; height: number; channels: number }[],
): HostTensor {
	const { width, height, channels } = images[0]!;
	const each = width * height * channels;
	const data = new Float32Array(images.length * each);
	images.forEach((image, i) => {
		data.set(image.data, i * each);
	});
	return { shape: [images.length, height, width, channels], data };
}
