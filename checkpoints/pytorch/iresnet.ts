// Face networks of insightface's PyTorch code (recognition/arcface_torch/backbones/iresnet.py): `conv1.weight`,
// `bn1.running_mean`, `layer1.0.prelu.weight`, …, `fc.weight`, `features.bias`. Depths and widths are read from the
// shapes. Every batch normalisation becomes a scale and a shift.
import type { HostTensors } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import type { FaceNetwork, IresnetConfig } from '../../models/index.ts';
import { permute } from './layout.ts';
import type { StoredTensor } from './tensor.ts';

/** Added to variances, as in the networks there. */
const EPSILON = 1e-5;
const STAGES = 4;
/** Tells the layout, whatever the names have before it (`module.`, a key of a larger file). */
const MARK = 'layer1.0.prelu.weight';
/** Numbers of the largest network that is taken, 1 GiB of float32. */
const MAX_NUMBERS = 2 ** 28;

type State = ReadonlyMap<string, StoredTensor>;

/**
 * The network that a state dictionary holds, with its parameters in the layout here.
 *
 * @returns undefined when the names are not those of such a network
 * @throws MISMATCH for an entry that lacks, is too many or has another shape, CORRUPT for numbers that cannot be weights.
 */
export function recogniseIresnet(
	state: State,
	network: (config: IresnetConfig) => FaceNetwork,
): { config: IresnetConfig; tensors: HostTensors } | undefined {
	const marks = [...state.keys()].filter((name) => name.endsWith(MARK));
	if (marks.length !== 1) return undefined;
	const prefix = marks[0]!.slice(0, -MARK.length);
	const entries = new Map(
		[...state]
			.filter(([name]) => name.startsWith(prefix) && !name.endsWith('num_batches_tracked'))
			.map(([name, tensor]) => [name.slice(prefix.length), tensor]),
	);
	const config = configOf(entries);
	const { shapes } = network(config);
	const numbers = Object.values(shapes).reduce(
		(sum, shape) => sum + shape.reduce((n, side) => n * side, 1),
		0,
	);
	if (!(numbers <= MAX_NUMBERS))
		throw new RtilError('MISMATCH', `A face network of ${numbers} numbers is refused: none has so many`);
	const used = new Set<string>();
	const take = (name: string, wanted: readonly number[]): Float32Array => {
		used.add(name);
		return finite(name, entries, wanted);
	};
	const tensors = Object.fromEntries(
		Object.entries(shapes).flatMap(([name, shape]): [string, HostTensors[string]][] => {
			if (name.endsWith('.shift')) return [];
			if (name.endsWith('.scale')) return normalisation(name.slice(0, -'.scale'.length), shape, take);
			return [[name, { shape, data: inOurLayout(name, shape, config, take) }]];
		}),
	);
	const left = [...entries.keys()].find((name) => !used.has(name));
	if (left !== undefined)
		throw new RtilError('MISMATCH', `The face network has ${left}, which no iresnet has`);
	return { config, tensors };
}

/** Depths and widths, by the shapes alone. */
function configOf(state: State): IresnetConfig {
	const shapeOf = (name: string): readonly number[] => {
		const tensor = state.get(name);
		if (!tensor) throw new RtilError('MISMATCH', `The face network lacks ${name}`);
		return tensor.shape;
	};
	const stages = Array.from({ length: STAGES }, (_, i) => {
		let blocks = 0;
		while (state.has(`layer${i + 1}.${blocks}.conv1.weight`)) blocks++;
		return { width: shapeOf(`layer${i + 1}.0.conv1.weight`)[0] ?? 0, blocks };
	});
	const [features = 0, inputs = 0] = shapeOf('fc.weight');
	const side = Math.sqrt(inputs / stages.at(-1)!.width);
	if (!Number.isInteger(side) || side < 1) {
		const width = stages.at(-1)!.width;
		throw new RtilError(
			'MISMATCH',
			`fc.weight reads ${inputs} numbers, which are no square of ${width} channels`,
		);
	}
	const stem = shapeOf('conv1.weight')[0] ?? 0;
	if (!(stem > 0 && features > 0))
		throw new RtilError('MISMATCH', 'The face network has a layer of no channels');
	return { stem, stages, side, features };
}

type Take = (name: string, wanted: readonly number[]) => Float32Array;

/** γ / √(σ² + ε) and β − μ γ / √(σ² + ε). */
function normalisation(name: string, shape: readonly number[], take: Take): [string, HostTensors[string]][] {
	const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
		take(`${name}.${part}`, shape),
	) as [Float32Array, Float32Array, Float32Array, Float32Array];
	const scale = Float64Array.from(gamma, (value, c) => value / Math.sqrt(variance[c]! + EPSILON));
	if (!scale.every(Number.isFinite)) throw new RtilError('CORRUPT', `${name} has a negative variance`);
	return [
		[`${name}.scale`, { shape, data: Float32Array.from(scale) }],
		[`${name}.shift`, { shape, data: beta.map((value, c) => value - mean[c]! * scale[c]!) }],
	];
}

function inOurLayout(
	name: string,
	shape: readonly number[],
	config: IresnetConfig,
	take: Take,
): Float32Array {
	if (name === 'fc.weight') {
		const [inputs, outputs] = shape as [number, number];
		const { side } = config;
		const flat = take(name, [outputs, inputs]);
		return permute(flat, [outputs, inputs / side ** 2, side, side], [2, 3, 1, 0]);
	}
	if (shape.length !== 4) return take(name, shape);
	const [height, width, inputs, outputs] = shape as [number, number, number, number];
	return permute(
		take(name, [outputs, inputs, height, width]),
		[outputs, inputs, height, width],
		[2, 3, 1, 0],
	);
}

function finite(name: string, state: State, wanted: readonly number[]): Float32Array {
	const tensor = state.get(name);
	if (!tensor) throw new RtilError('MISMATCH', `The face network lacks ${name}`);
	if (`${tensor.shape}` !== `${wanted}`)
		throw new RtilError('MISMATCH', `${name} has shape [${tensor.shape}] in the file, not [${wanted}]`);
	const { data } = tensor.toHost();
	const wrong = data.find((value) => !Number.isFinite(value));
	if (wrong !== undefined)
		throw new RtilError('CORRUPT', `${name} has the value ${wrong}, which no trained weight has`);
	return data;
}
