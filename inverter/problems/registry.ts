// The registry: every kind of problem, the schema that accepts the description of any of them, and the operator of one.
import { z } from 'zod';
import { expected } from '../../errors/index.ts';
import { parse } from '../border.ts';
import { colorization } from './colorization.ts';
import { composed, composition } from './composition.ts';
import { compressedSensing } from './compressed-sensing.ts';
import { deblurring } from './deblurring.ts';
import { denoising, identity } from './identity.ts';
import { inpainting } from './inpainting.ts';
import { noiseName } from './noise.ts';
import { type ImageShape, nameOf, type Operator } from './operator.ts';
import { superResolution } from './super-resolution.ts';

/** Description of a problem as JSON: a `kind`, the operator's own fields, and `noise`. */
export const problemSchema = z.discriminatedUnion('kind', [
	compressedSensing.schema,
	inpainting.schema,
	superResolution.schema,
	deblurring.schema,
	denoising.schema,
	colorization.schema,
	identity.schema,
	composition.schema,
]);

/** A problem after defaults: with an image's shape and a measurement key it recreates the operator exactly. */
export type ProblemSpec = z.output<typeof problemSchema>;

type AnyOperator = Omit<Operator, 'schema'> & { readonly schema: z.ZodType };

const single = [
	compressedSensing,
	inpainting,
	superResolution,
	deblurring,
	denoising,
	colorization,
	identity,
] as unknown as readonly AnyOperator[];

/** What there is to know of a kind of problem without a description of one. */
export type ProblemKind = Pick<AnyOperator, 'kind' | 'summary' | 'schema' | 'examples' | 'level'>;

/** Every kind of problem, in the order tables show them. */
export const operators: readonly ProblemKind[] = [...single, composition as unknown as ProblemKind];

/** The operator that serves a description. */
export function operatorFor(spec: ProblemSpec): AnyOperator {
	if (spec.kind === 'composition') return composed(spec);
	return single.find((operator) => operator.kind === spec.kind)!;
}

/** A problem from untrusted JSON, defaults filled in; throws INVALID_INPUT naming the field under `place`. */
export function parseProblem(json: unknown, place = 'problem'): ProblemSpec {
	const kind = (json as { kind?: unknown } | null | undefined)?.kind;
	if (!operators.some((operator) => operator.kind === kind)) {
		throw expected(`one of ${operators.map((operator) => operator.kind).join(', ')}`, `${place}.kind`, kind);
	}
	return parse(problemSchema, json, place);
}

/** Throws INVALID_INPUT when images of a shape cannot be measured so. */
export function checkProblem(spec: ProblemSpec, image: ImageShape): void {
	operatorFor(spec).check?.(spec, image);
}

/**
 * Kind, variant and noise, `inpainting-eyes-sigma-0.1`: what tables and reports call the problem, beside its level. The
 * noise of denoising is its level.
 */
export function problemName(spec: ProblemSpec): string {
	const noise = spec.kind === denoising.kind ? '' : noiseName(spec.noise);
	return [nameOf<never>(operatorFor(spec), spec as never), noise].filter(Boolean).join('-');
}

/** Observed fraction, factor, size or σ: what tables and reports call the level. */
export function problemLevel(spec: ProblemSpec): number {
	return operatorFor(spec).level(spec);
}
