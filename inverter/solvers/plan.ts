// What a layered inversion optimises: the plan that decides its program, its variables and its state. State entries:
// g.* generator; op.* operator; x.* variables; m.* and v.* Adam; best.* the selected iterate; at.<cut>.* what stands at a
// cut. Every per-image quantity leads with N.
import type { HostTensor, HostTensors } from '../../engine/index.ts';
import type { Cut } from '../../models/index.ts';
import type { Prior } from '../prior.ts';
import type { Measurements } from '../problems/index.ts';
import type { Comparison, PerceptualTerm } from './perceptual.ts';

/** Latents that are optimised: z, one w for all layers, or a w for each. */
export type LatentSpace = 'z' | 'w' | 'w+';

export interface Layer {
	/** null: from the latents. */
	cut: Cut | null;
	/** Noise maps with an index below this are optimised. */
	noises: number;
	/** One step of one w for all rows, of w+, or of the scale of every filter. */
	phase?: 'w' | 'w+' | 'w++';
}

/** What decides the program; strengths and rates are inputs. */
export interface LayerPlan {
	space: LatentSpace;
	layers: readonly Layer[];
	/** Keep latents and optimised noises on the spheres they start on. */
	sphere?: boolean;
	geodesic?: boolean;
	ball?: boolean;
	/** Report the error to a truth. */
	truth: boolean;
	/** Data term: Σ w r² / Σ w y² (relative), or Σ w r² / Σ w (mean). */
	fit: 'relative' | 'mean';
	/** Optimise z beside w+, which is drawn to M(z). */
	mapped?: boolean;
	/** Start the latents at the best of several draws of z, or the centre at the best of several w. */
	draws?: 'latent' | 'centre';
	/** The latent is an offset to a w of its own for each image. */
	centre?: boolean;
	/** Noise comes in with each step and is added to the latent. */
	jitter?: boolean;
	/** Compare images in features, too. */
	perceptual?: Comparison;
	/** Draw the directions of the rows of w+ together. */
	cosine?: boolean;
	/** Below a floor the data term counts as that floor. */
	floor?: boolean;
	/** Optimise these codes and their channel weights at a cut instead of one latent. */
	mixture?: { cut: Cut; codes: number };
	/** The geodesic term acts in the first layer alone (as published). */
	geodesicFirst?: boolean;
	/** The RGB image so far is dropped on entering a layer (as published). */
	dropRgb?: boolean;
	/** w+ = LeakyReLU(σ z + μ), with the statistics of w before such an activation (as published). */
	proxy?: boolean;
	/** Noise drawn anew for each step is added to the measurement of the estimate. */
	stochastic?: boolean;
	/** Data term over a pyramid of the residual, and its ℓ1 norm at the top. */
	pyramid?: boolean;
	/** `normalised`: steps of a given length along the gradient of each row. Absent: Adam with β 0.9 and 0.999; `sgd`: plain gradient steps. */
	descent?: 'sgd' | 'normalised' | { betas: readonly [number, number] };
}

/** First row of w+ that acts after a cut: rows 2 log₂(r) − 3 and later (the ToRGB of the block, then the next blocks). */
export function firstRow(cut: Cut | null): number {
	return cut ? 2 * Math.log2(cut.resolution) - 3 : 0;
}

/** Indices of the noise maps that a layer optimises: those used after its cut, below its limit. */
function optimisedNoises(prior: Prior, { cut, noises }: Layer): number[] {
	return prior.generator.noiseShapes
		.map(([height], index) => ({ height, index }))
		.filter(({ height, index }) => index < noises && height > (cut?.resolution ?? 0))
		.map(({ index }) => index);
}

/** The modulated layers of a StyleGAN2 and how many input channels each scales. */
export function filterScales({ generator }: Prior): [name: string, channels: number][] {
	const ending = '.conv.modulation.bias';
	return Object.entries(generator.shapes).flatMap(([name, [channels]]) =>
		name.endsWith(ending) ? [[name.slice(0, -ending.length), channels!]] : [],
	);
}

/** Names of what a layer optimises. */
export function variablesOf(prior: Prior, plan: LayerPlan, layer: Layer): string[] {
	if (layer.phase === 'w++') return filterScales(prior).map(([name]) => `shift.${name}`);
	const noises = optimisedNoises(prior, layer).map((index) => `noise.${index}`);
	const latents = plan.mixture ? ['codes', 'channels'] : plan.mapped ? ['latent', 'z'] : ['latent'];
	return [...latents, ...noises, ...(layer.cut ? [`offset.${layer.cut.name}`] : [])];
}

/** Shape of the latent of a plan without a mixture. */
export function latentShape({ generator }: Prior, { space }: LayerPlan, batch: number): number[] {
	const { zDim, wDim, numStyles } = generator;
	return { z: [batch, zDim], w: [batch, wDim], 'w+': [batch, numStyles, wDim] }[space];
}

function latentShapes(prior: Prior, plan: LayerPlan, batch: number): [string, number[]][] {
	const { zDim } = prior.generator;
	const { mixture, mapped } = plan;
	if (mixture) {
		const { codes, cut } = mixture;
		return [
			['codes', [batch, codes, zDim]],
			['channels', [batch, codes, cut.channels]],
		];
	}
	const latent = latentShape(prior, plan, batch);
	return mapped
		? [
				['latent', latent],
				['z', [batch, zDim]],
			]
		: [['latent', latent]];
}

export const zeros = (shape: readonly number[]): HostTensor => ({
	shape,
	data: new Float32Array(shape.reduce((product, side) => product * side, 1)),
});

export const prefixed = (prefix: string, tensors: HostTensors): HostTensors =>
	Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));

/** The entries whose names begin so, by the rest of their names. */
export function withPrefix<T>(entries: Readonly<Record<string, T>>, prefix: string): Record<string, T> {
	return Object.fromEntries(
		Object.entries(entries)
			.filter(([name]) => name.startsWith(prefix))
			.map(([name, value]) => [name.slice(prefix.length), value]),
	);
}

export interface Variable {
	name: string;
	shape: number[];
	/** In some layer; else it keeps its start. */
	optimised: boolean;
}

/** Latent, noise maps and offsets of a plan. */
export function variables(prior: Prior, plan: LayerPlan, batch: number): Variable[] {
	const optimised = new Set(plan.layers.flatMap((layer) => variablesOf(prior, plan, layer)));
	const shapes: [string, number[]][] = latentShapes(prior, plan, batch);
	prior.generator.noiseShapes.forEach(([height, width], index) => {
		shapes.push([`noise.${index}`, [batch, height, width, 1]]);
	});
	if (plan.layers.some(({ phase }) => phase === 'w++')) {
		for (const [name, channels] of filterScales(prior)) shapes.push([`shift.${name}`, [batch, channels]]);
	}
	for (const { cut } of plan.layers) {
		if (cut) shapes.push([`offset.${cut.name}`, [batch, cut.resolution, cut.resolution, cut.channels]]);
	}
	return shapes.map(([name, shape]) => ({ name, shape, optimised: optimised.has(name) }));
}

const isFirst = (prior: Prior, cut: Cut): boolean => cut.name === prior.generator.cuts[0]!.name;

export function initialState(
	prior: Prior,
	measurements: Measurements,
	plan: LayerPlan,
	term: PerceptualTerm | null = null,
): HostTensors {
	const batch = measurements.keys.length;
	const { resolution, channels } = prior.generator;
	const image = [batch, resolution, resolution, channels];
	const state: HostTensors = {
		...priorState(prior),
		...termState(term),
		...prefixed('op.', measurements.parameters),
		y: measurements.y,
		fitted: measurements.support,
		'held-out': measurements.support,
		'fitted.scale': zeros([batch, 1]),
		'fitted.energy': zeros([batch, 1]),
		'held-out.energy': zeros([batch, 1]),
		'best.score': zeros([batch, 1]),
		'best.image': zeros(image),
	};
	if (plan.truth) state.truth = zeros(image);
	if (plan.draws) state['draw.score'] = zeros([batch, 1]);
	if (plan.centre) state.centre = zeros([batch, prior.generator.wDim]);
	for (const { name, shape, optimised } of variables(prior, plan, batch)) {
		state[`x.${name}`] = zeros(shape);
		if (!optimised) continue;
		state[`best.${name}`] = zeros(shape);
		state[`m.${name}`] = zeros(shape);
		state[`v.${name}`] = zeros(shape);
	}
	for (const { cut } of plan.layers) {
		if (!cut) continue;
		const { name, resolution: side, channels: depth } = cut;
		state[`at.${name}.features`] = zeros([batch, side, side, depth]);
		// Before its ToRGB, the image accumulated so far is that of the block before; the first cut has none.
		const before = side / 2;
		if (!isFirst(prior, cut)) state[`at.${name}.rgb`] = zeros([batch, before, before, channels]);
		state[`sigma.${name}`] = { shape: [1], data: Float32Array.of(1) };
	}
	return state;
}

/** Names of the entries that change while a solve goes on. */
export function movingState(prior: Prior, measurements: Measurements, plan: LayerPlan): string[] {
	const names = Object.keys(initialState(prior, measurements, plan));
	return names.filter((name) => /^((x|m|v|best|at|draw)\.|centre$)/.test(name));
}

/** Programs with the same key are interchangeable: priors of one architecture share theirs. */
export function planKey({ generator }: Prior, measurements: Measurements, plan: LayerPlan): string {
	const shapes = Object.entries(measurements.parameters).map(([name, { shape }]) => [name, shape]);
	const architecture = [generator.kind, generator.config];
	return JSON.stringify([architecture, measurements.problem.kind, measurements.y.shape, shapes, plan]);
}

/** The entries of a program's state that are those of a perceptual term's network. */
export const termState = (term: PerceptualTerm | null): HostTensors => prefixed('p.', term?.params ?? {});

/** The entries of a program's state that are the prior's. */
export function priorState({ params, latent, generator }: Prior): HostTensors {
	return {
		...prefixed('g.', params),
		'w.mean': { shape: [generator.wDim], data: latent.wMean },
		'w.std': { shape: [generator.wDim], data: latent.wStd },
	};
}
