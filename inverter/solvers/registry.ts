// The registry of solvers, and their descriptions as JSON: a `kind`, a `preset` by name, and options that override it.
import { z } from 'zod';
import { expected, RtilError } from '../../errors/index.ts';
import { bicubic, bm3d, mean, tv } from '../baselines/index.ts';
import { parse } from '../border.ts';
import type { AnyPrior } from '../prior.ts';
import { brgm, lbrgm } from './brgm.ts';
import { cri } from './cri.ts';
import { csgm } from './csgm.ts';
import { dgp } from './dgp.ts';
import { glowAnalysis, glowSynthesis } from './glow.ts';
import { ilo } from './ilo.ts';
import { mgan } from './mgan.ts';
import { pti } from './pti.ts';
import { pulse } from './pulse.ts';
import { robust } from './robust.ts';
import type { Solver } from './solver.ts';

type AnySolver = Solver<z.ZodType<Record<string, unknown>>, AnyPrior | null>;

/** Every solver, in the order tables show them. */
export const solvers: readonly AnySolver[] = [
	csgm,
	ilo,
	mgan,
	pulse,
	brgm,
	lbrgm,
	pti,
	dgp,
	cri,
	robust,
	glowSynthesis,
	glowAnalysis,
	bm3d,
	tv,
	bicubic,
	mean,
] as unknown as readonly AnySolver[];

/** A solver with its options complete. */
export interface SolverSpec {
	kind: string;
	preset: string;
	options: Record<string, unknown>;
}

/** A solver from untrusted JSON, the preset filled in; throws INVALID_INPUT naming the field under `place`. */
export function parseSolver(json: unknown, place = 'solver'): SolverSpec {
	const base = parse(z.looseObject({ kind: z.string(), preset: z.string().optional() }), json, place);
	const { kind, preset: asked, ...overrides } = base;
	const solver = solvers.find((candidate) => candidate.kind === kind);
	if (!solver) {
		throw expected(`one of ${solvers.map((candidate) => candidate.kind).join(', ')}`, `${place}.kind`, kind);
	}
	const preset = asked ?? Object.keys(solver.presets)[0]!;
	const values = Object.hasOwn(solver.presets, preset) ? solver.presets[preset] : undefined;
	if (!values) throw expected(`one of ${Object.keys(solver.presets).join(', ')}`, `${place}.preset`, preset);
	return { kind, preset, options: parse(solver.schema, { ...values, ...overrides }, place) };
}

/** The solver of a specification. */
export function solverFor({ kind }: SolverSpec): AnySolver {
	return solvers.find((solver) => solver.kind === kind)!;
}

/** Throws MISMATCH, naming solvers that would do, unless the solver can begin with this prior, or with none. */
export function requirePrior({ kind, needs = 'gan' }: AnySolver, prior: AnyPrior | null): void {
	if (needs === 'nothing' || needs === prior?.kind) return;
	const has = prior?.kind ?? 'nothing';
	const others = solvers.filter((solver) => (solver.needs ?? 'gan') === has).map((solver) => solver.kind);
	const wanted = needs === 'glow' ? 'a Glow' : 'a GAN';
	throw new RtilError(
		'MISMATCH',
		prior
			? `The solver ${kind} needs ${wanted}, but the checkpoint has ${has === 'glow' ? 'a Glow' : 'a GAN'}.`
			: `The solver ${kind} needs a prior.`,
		`${prior ? 'Take' : 'Give a checkpoint, or take'} one of ${others.join(', ')}.`,
	);
}

/** JSON Schema of a solver's options, for clients and editors. */
export function optionsSchema(solver: AnySolver): unknown {
	return z.toJSONSchema(solver.schema, { io: 'input' });
}
