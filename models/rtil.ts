// RTIL (Gunn, Cocola, Hand, TMLR 2023): a family of generators that share their weights. The base generator G has no
// intermediate latents. An extended one has, in one of two forms (§3.1):
//
//   additive   G̃(z0, z1) = g1(z1 + g0(z0)), z1 ~ N(0, σ²) at one or several cuts
//   mixture    G̃(z0¹ … z0ᴺ, α) = g1(Σ_k α_k·g0(z0ᵏ)), α from the flat Dirichlet distribution (models/mixture.ts)
//
// Training minimises the weighted sum of the members' losses (§3, equation 2).
//
// Deviation from the published code: there each member draws a batch of its own, so the family of five costs five times
// the compute. `batch: 'split'` gives each member its share of one batch instead: the same expected loss, the compute
// and the number of images of vanilla training. `batch: 'each'` is the published behaviour.
import { z } from 'zod';
import { expected } from '../errors/index.ts';
import type { Cut } from './contract.ts';

const positive = z.number().positive();

const shared = {
	lambda: z
		.union([z.number().min(0).max(1), z.literal('equal')])
		.default(0.5)
		.describe(
			'Weight of the base generator, the rest is shared equally; equal: as the published code has it',
		),
	batch: z
		.enum(['split', 'each'])
		.default('split')
		.describe(
			'split: members share one batch; each: a batch for each member, one after the other, as published',
		),
	latents: z
		.enum(['independent', 'shared'])
		.default('independent')
		.describe('batch each: do the members draw z0 of their own, as published, or the same?'),
};

const additive = z.strictObject({
	cuts: z.array(z.string()).min(1).describe('Where z1 is added, as names of cuts: b4, b8, …'),
	sigma: z
		.union([positive, z.array(positive).min(1)])
		.default(1)
		.describe('Standard deviation of z1: one number, or one a cut (the paper: 1)'),
	placement: z
		.enum(['before-rgb', 'after-rgb'])
		.default('before-rgb')
		.describe(
			'Is z1 added before the RGB layer of its block, as published, or after? Without RGB layers between blocks (PGGAN) it is one',
		),
	family: z
		.enum(['pair', 'cumulative'])
		.default('cumulative')
		.describe('pair: G and one member with all cuts; cumulative: G0 … Gk, member j with the first j cuts'),
	...shared,
	form: z.literal('additive'),
});

const mixture = z.strictObject({
	cut: z.string().describe('Where codes are mixed; stages of growing below it mix at their last block'),
	codes: z
		.array(z.int().min(2).max(256))
		.min(1)
		.describe('N of each member beside the base generator (the published code: 10, 20)'),
	...shared,
	form: z.literal('mixture'),
});

/**
 * Options by name: what the paper states (§3: λ = ½; §5: σ² = 1, G and one extended generator), and what its published
 * code does (equal weights, a batch and a z0 of its own for each member of the whole family; mixtures of 10 and 20).
 */
const presets: Readonly<Record<string, Readonly<Record<'additive' | 'mixture', object>>>> = {
	paper: { additive: { family: 'pair', lambda: 0.5, sigma: 1 }, mixture: { lambda: 0.5, codes: [20] } },
	'published-code': {
		additive: { family: 'cumulative', lambda: 'equal', sigma: 1, batch: 'each' },
		mixture: { lambda: 'equal', codes: [10, 20], batch: 'each' },
	},
};

/** Fills in the form, mixture where there are codes or one cut, and a preset's options. */
function inFull(given: unknown, context: z.RefinementCtx): unknown {
	if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
	const { preset, ...rest } = given as Record<string, unknown>;
	const form = rest.form ?? ('codes' in rest || 'cut' in rest ? 'mixture' : 'additive');
	if (preset === undefined) return { ...rest, form };
	const values = Object.keys(presets);
	const options = typeof preset === 'string' && Object.hasOwn(presets, preset) ? presets[preset]! : undefined;
	if (options && (form === 'additive' || form === 'mixture')) return { ...options[form], ...rest, form };
	context.addIssue({ code: 'invalid_value', values, path: ['preset'], input: preset });
	return z.NEVER;
}

export const rtilSchema = z
	.preprocess(inFull, z.discriminatedUnion('form', [additive, mixture]))
	.describe('Regularised training of intermediate layers, additive or mixture form');

export type RtilConfig = z.output<typeof rtilSchema>;
export type MixtureConfig = Extract<RtilConfig, { form: 'mixture' }>;

/** One generator of the family. */
export interface Member {
	/** `G0`, `G1`, … */
	name: string;
	/** Where this member draws z1; empty for the base generator and for mixtures. */
	cuts: readonly string[];
	/** N codes that this member mixes; 1: it mixes none. */
	codes: number;
	/** Share of the loss; the shares sum to 1. */
	weight: number;
}

/** The family of a configuration over a generator's cuts; without a configuration, the base generator alone. */
export function family(config: RtilConfig | null, available: readonly Cut[]): Member[] {
	const extended = config ? extensions(config, available) : [];
	const { lambda } = config ?? { lambda: 1 };
	const own = lambda === 'equal' ? 1 / (extended.length + 1) : lambda;
	return [{ cuts: [], codes: 1 }, ...extended]
		.map((member, i) => ({
			name: `G${i}`,
			...member,
			weight: i === 0 ? own : (1 - own) / extended.length,
		}))
		.filter(({ weight }) => weight > 0);
}

function extensions(config: RtilConfig, available: readonly Cut[]): Pick<Member, 'cuts' | 'codes'>[] {
	const order = available.map(({ name }) => name);
	const require = (cut: string, where: string): void => {
		if (!order.includes(cut)) throw expected(`cuts among ${order.join(', ')}`, where, cut);
	};
	if (config.form === 'mixture') {
		require(config.cut, 'rtil.cut');
		return config.codes.map((codes) => ({ cuts: [], codes }));
	}
	for (const cut of config.cuts) require(cut, 'rtil.cuts');
	sigmas(config);
	const cuts = [...config.cuts].sort((a, b) => order.indexOf(a) - order.indexOf(b));
	const sets = config.family === 'pair' ? [cuts] : cuts.map((_, i) => cuts.slice(0, i + 1));
	return sets.map((own) => ({ cuts: own, codes: 1 }));
}

/** σ of z1 at each cut of an additive family; nothing for another. */
export function sigmas(config: RtilConfig | null): Readonly<Record<string, number>> {
	if (config?.form !== 'additive') return {};
	const { cuts, sigma } = config;
	if (Array.isArray(sigma) && sigma.length !== cuts.length) {
		throw expected(`${cuts.length} numbers, one a cut`, 'rtil.sigma', sigma);
	}
	return Object.fromEntries(cuts.map((cut, i) => [cut, Array.isArray(sigma) ? sigma[i]! : sigma]));
}

/** Where a configuration regularises the network. */
export function regularised(config: RtilConfig | null): readonly string[] {
	if (config === null) return [];
	return config.form === 'mixture' ? [config.cut] : config.cuts;
}

/** Where networks that are compared are cut alike: wherever one of them was regularised; undefined: none was. */
export function commonCuts(networks: readonly (readonly string[])[]): string[] | undefined {
	const cuts = [...new Set(networks.flat())];
	return cuts.length > 0 ? cuts : undefined;
}
