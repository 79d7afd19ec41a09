// Weights of FID's Inception as they are published (pt_inception-2015-12-05, of mseitzer/pytorch-fid): torchvision's names,
// `Conv2d_1a_3x3.conv.weight`, `Conv2d_1a_3x3.bn.running_mean`, … Batch normalisation is folded into the convolutions.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import { permute } from './layout.ts';
import type { StoredTensor } from './tensor.ts';

/** Added to variances, as in the network there. */
const EPSILON = 0.001;
/** The layer after the last pooling. FID's network has 1008 classes, torchvision's own 1000. */
const CLASSES = 1008;

/**
 * The parameters of FID's Inception.
 *
 * @param shapes of the network's parameters: `<layer>.weight` [kh, kw, I, O] and `<layer>.bias` [O]
 * @returns undefined when the names are not those of an Inception v3
 * @throws MISMATCH for another version of it or an entry of another shape, CORRUPT for numbers that cannot be weights.
 */
export function recogniseInception(
	state: ReadonlyMap<string, StoredTensor>,
	shapes: Readonly<Record<string, readonly number[]>>,
): HostTensors | undefined {
	if (!state.has('Mixed_7c.branch_pool.conv.weight')) return undefined;
	const classes = state.get('fc.weight')?.shape[0];
	if (classes !== CLASSES) {
		throw new RtilError(
			'MISMATCH',
			`The file is an Inception v3 of ${classes ?? 'no'} classes, not the one of ${CLASSES} that FID is defined with`,
			'Give pt_inception-2015-12-05 of mseitzer/pytorch-fid.',
		);
	}
	const take = (name: string, wanted: readonly number[]): Float32Array => {
		const tensor = state.get(name);
		if (!tensor) throw new RtilError('MISMATCH', `The state dictionary lacks ${name}`);
		if (`${tensor.shape}` !== `${wanted}`) {
			throw new RtilError(
				'MISMATCH',
				`${name} has shape [${tensor.shape}] in the state dictionary, not [${wanted}]`,
			);
		}
		const { data } = tensor.toHost();
		const wrong = data.find((value) => !Number.isFinite(value));
		if (wrong !== undefined)
			throw new RtilError('CORRUPT', `${name} has the value ${wrong}, which no trained weight has`);
		return data;
	};
	const layers = Object.keys(shapes).filter((name) => name.endsWith('.weight'));
	return Object.fromEntries(
		layers.flatMap((weightName) => {
			const name = weightName.slice(0, -'.weight'.length);
			const shape = shapes[weightName]!;
			const [h, w, inputs, outputs] = shape as [number, number, number, number];
			const filter = take(`${name}.conv.weight`, [outputs, inputs, h, w]);
			const part = (key: string) => take(`${name}.bn.${key}`, [outputs]);
			const [gamma, beta, mean, variance] = [
				part('weight'),
				part('bias'),
				part('running_mean'),
				part('running_var'),
			];
			const factors = Float64Array.from(gamma, (g, o) => g / Math.sqrt(variance[o]! + EPSILON));
			if (!factors.every(Number.isFinite))
				throw new RtilError('CORRUPT', `${name}.bn has a negative variance`);
			const size = filter.length / outputs;
			const scaled = filter.map((value, i) => value * factors[Math.floor(i / size)]!);
			return [
				[weightName, { shape, data: permute(scaled, [outputs, inputs, h, w], [2, 3, 1, 0]) }] as const,
				[`${name}.bias`, { shape: [outputs], data: beta.map((b, o) => b - mean[o]! * factors[o]!) }] as const,
			];
		}),
	);
}
