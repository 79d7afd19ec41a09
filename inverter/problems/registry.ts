// The registry: every operator, and the schema that accepts the description of any of them.
import { z } from 'zod';
import { expected } from '../../errors/index.ts';
import { parse } from '../border.ts';
import { colorization } from './colorization.ts';
import { compressedSensing } from './compressed-sensing.ts';
import { deblurring } from './deblurring.ts';
import { denoising, identity } from './identity.ts';
import { inpainting } from './inpainting.ts';
import type { Operator } from './operator.ts';
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
]);

/** A problem after defaults: with an image's shape and a measurement key it recreates the operator exactly. */
export type ProblemSpec = z.output<typeof problemSchema>;

type AnyOperator = Omit<Operator, 'schema'> & { readonly schema: z.ZodType };

/** Every operator, in the order tables show them. */
export const operators: readonly AnyOperator[] = [
	compressedSensing,
	inpainting,
	superResolution,
	deblurring,
	denoising,
	colorization,
	identity,
] as unknown as readonly AnyOperator[];

/** The operator that serves a description. */
export function operatorFor({ kind }: ProblemSpec): AnyOperator {
	return operators.find((operator) => operator.kind === kind)!;
}

/** A problem from untrusted JSON, defaults filled in; throws INVALID_INPUT naming the field under `place`. */
export function parseProblem(json: unknown, place = 'problem'): ProblemSpec {
	const kind = (json as { kind?: unknown } | null | undefined)?.kind;
	if (!operators.some((operator) => operator.kind === kind)) {
		throw expected(`one of ${operators.map((operator) => operator.kind).join(', ')}`, `${place}.kind`, kind);
	}
	return parse(problemSchema, json, place);
}

/** Observed fraction, factor, size or σ: what tables and reports call the level. */
export function problemLevel(spec: ProblemSpec): number {
	return operatorFor(spec).level(spec);
}
