// RTIL (Gunn, Cocola, Hand, TMLR 2023): a family of generators that share their weights. The base generator G has no
// intermediate latents; an extended one draws z1 ~ N(0, σ²) at some cuts and adds it to the features there (§3.1,
// G̃(z0, z1) = g1(z1 + g0(z0))). Training minimises the weighted sum of the members' losses (§3, equation 2).
//
// Deviation from the published code: there each member draws a batch of its own, so the family of five costs five times
// the compute. `batch: 'split'` gives each member its share of one batch instead: the same expected loss, the compute
// and the number of images of vanilla training. `batch: 'each'` is the published behaviour.
import { z } from 'zod';
import { expected } from '../errors/index.ts';
import type { Cut } from './contract.ts';

export const rtilSchema = z
	.strictObject({
		cuts: z.array(z.string()).min(1).describe('Where z1 is added, as names of cuts: b4, b8, …'),
		sigma: z.number().positive().default(1).describe('Standard deviation of z1 (the paper: 1)'),
		family: z
			.enum(['pair', 'cumulative'])
			.default('cumulative')
			.describe('pair: G and one member with all cuts; cumulative: G0 … Gk, member j with the first j cuts'),
		lambda: z
			.number()
			.min(0)
			.max(1)
			.default(0.5)
			.describe('Weight of the base generator; the rest is shared equally'),
		batch: z
			.enum(['split', 'each'])
			.default('split')
			.describe('split: members share one batch; each: a batch for each member, as published'),
	})
	.describe('Regularised training of intermediate layers, additive form');

export type RtilConfig = z.infer<typeof rtilSchema>;

/** One generator of the family. */
export interface Member {
	/** `G0`, `G1`, … */
	name: string;
	/** Where this member draws z1; empty for the base generator. */
	cuts: readonly string[];
	/** Share of the loss; the shares sum to 1. */
	weight: number;
}

/** The family of a configuration over a generator's cuts; without a configuration, the base generator alone. */
export function family(config: RtilConfig | null, available: readonly Cut[]): Member[] {
	if (!config) return [{ name: 'G0', cuts: [], weight: 1 }];
	const order = available.map(({ name }) => name);
	for (const cut of config.cuts) {
		if (!order.includes(cut)) throw expected(`cuts among ${order.join(', ')}`, 'rtil.cuts', cut);
	}
	const cuts = [...config.cuts].sort((a, b) => order.indexOf(a) - order.indexOf(b));
	const extended = config.family === 'pair' ? [cuts] : cuts.map((_, i) => cuts.slice(0, i + 1));
	const members = [[], ...extended].map((own, i) => ({
		name: `G${i}`,
		cuts: own,
		weight: i === 0 ? config.lambda : (1 - config.lambda) / extended.length,
	}));
	return members.filter(({ weight }) => weight > 0);
}
