// The statistics of pristine photographs that NIQE compares with (Mittal et al. 2013), as BasicSR has them:
// niqe_pris_params.npz with `mu_pris_param` [1, 36] and `cov_pris_param` [36, 36].
import type { HostTensors } from '../engine/contract.ts';
import { RtilError } from '../errors/index.ts';
import type { StoredTensor } from './pytorch/tensor.ts';

const FEATURES = 36;

/**
 * `mean` [36] and `covariance` [36, 36].
 *
 * @returns undefined when the names are others
 * @throws MISMATCH for other shapes, CORRUPT for numbers that are no statistics.
 */
export function recognisePristine(state: ReadonlyMap<string, StoredTensor>): HostTensors | undefined {
	const [mean, covariance] = [state.get('mu_pris_param'), state.get('cov_pris_param')];
	if (!mean || !covariance) return undefined;
	const taken = (tensor: StoredTensor, name: string, shape: readonly number[]): Float32Array => {
		const { data } = tensor.toHost();
		if (data.length !== shape.reduce((n, side) => n * side, 1))
			throw new RtilError('MISMATCH', `${name} has shape [${tensor.shape}] in the file, not [${shape}]`);
		if (!data.every(Number.isFinite))
			throw new RtilError('CORRUPT', `${name} has numbers that are not finite`);
		return data;
	};
	return {
		mean: { shape: [FEATURES], data: taken(mean, 'mu_pris_param', [1, FEATURES]) },
		covariance: {
			shape: [FEATURES, FEATURES],
			data: taken(covariance, 'cov_pris_param', [FEATURES, FEATURES]),
		},
	};
}
