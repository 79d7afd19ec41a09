// A tiny face network in the layout of insightface's iresnet: its state dictionary, what it gives by plain loops in
// float64, and the same network as an ONNX file.
import { elements, type HostTensor, type HostTensors, stream } from '../../engine/index.ts';
import { attribute, encodeOnnx, type OnnxFile } from './onnx-files.ts';

const STEM = 4;
const WIDTHS = [4, 6, 5, 8];
const BLOCKS = [1, 2, 1, 1];
const SIDE = 2;
/** Side of its images. */
export const TINY_SIDE = 16 * SIDE;
/** Numbers of its embeddings. */
export const TINY_FEATURES = 5;

/** A drawn state dictionary, filters [O, I, kh, kw]; statistics and slopes are those of a trained network's kind. */
export function faceState(seed = 1): HostTensors {
	const state: HostTensors = {};
	const draw = (name: string, shape: readonly number[], centre = 0, spread = 1): void => {
		const data = stream(seed, name).uniforms(0, elements(shape));
		state[name] = { shape, data: data.map((u) => centre + spread * (2 * u - 1)) };
	};
	const filter = (name: string, o: number, i: number, k: number): void =>
		draw(`${name}.weight`, [o, i, k, k], 0, Math.sqrt(3 / (i * k * k)));
	const normalisation = (name: string, width: number): void => {
		draw(`${name}.weight`, [width], 1, 0.5);
		draw(`${name}.bias`, [width], 0, 0.3);
		draw(`${name}.running_mean`, [width], 0, 0.3);
		draw(`${name}.running_var`, [width], 1, 0.7);
		state[`${name}.num_batches_tracked`] = { shape: [], data: Float32Array.of(7) };
	};
	filter('conv1', STEM, 3, 3);
	normalisation('bn1', STEM);
	draw('prelu.weight', [STEM], 0.25, 0.25);
	let inputs = STEM;
	for (const { name, width, stride } of blocks()) {
		normalisation(`${name}.bn1`, inputs);
		filter(`${name}.conv1`, width, inputs, 3);
		normalisation(`${name}.bn2`, width);
		draw(`${name}.prelu.weight`, [width], 0.25, 0.25);
		filter(`${name}.conv2`, width, width, 3);
		normalisation(`${name}.bn3`, width);
		if (stride === 2) {
			filter(`${name}.downsample.0`, width, inputs, 1);
			normalisation(`${name}.downsample.1`, width);
		}
		inputs = width;
	}
	normalisation('bn2', inputs);
	draw('fc.weight', [TINY_FEATURES, inputs * SIDE * SIDE], 0, 0.2);
	draw('fc.bias', [TINY_FEATURES], 0, 0.2);
	normalisation('features', TINY_FEATURES);
	return state;
}

function blocks(): { name: string; width: number; stride: number }[] {
	return WIDTHS.flatMap((width, i) =>
		Array.from({ length: BLOCKS[i]! }, (_, j) => ({
			name: `layer${i + 1}.${j}`,
			width,
			stride: j === 0 ? 2 : 1,
		})),
	);
}

/** Values [C][H·W], row-major. */
type Planes = number[][];

/** The embedding of one image [TINY_SIDE, TINY_SIDE, 3] by the formulas, in float64. */
export function embedPlainly(state: HostTensors, image: Float32Array): number[] {
	const of = (name: string): Float32Array => state[name]!.data;
	const convolve = (x: Planes, name: string, stride: number): Planes => {
		const { shape, data } = state[`${name}.weight`]!;
		const [outputs, inputs, size] = shape as [number, number, number];
		const pad = (size - 1) / 2;
		const side = Math.sqrt(x[0]!.length);
		const after = Math.floor((side - 1) / stride) + 1;
		return Array.from({ length: outputs }, (_, o) =>
			Array.from({ length: after * after }, (_, at) => {
				const [row, column] = [Math.floor(at / after) * stride - pad, (at % after) * stride - pad];
				let sum = 0;
				for (let i = 0; i < inputs; i++)
					for (let y = 0; y < size; y++)
						for (let z = 0; z < size; z++) {
							const [r, c] = [row + y, column + z];
							if (r < 0 || c < 0 || r >= side || c >= side) continue;
							sum += data[((o * inputs + i) * size + y) * size + z]! * x[i]![r * side + c]!;
						}
				return sum;
			}),
		);
	};
	const normalise = (x: Planes, name: string): Planes =>
		x.map((plane, c) => {
			const deviation = Math.sqrt(of(`${name}.running_var`)[c]! + 1e-5);
			const [mean, gamma, beta] = ['running_mean', 'weight', 'bias'].map((part) => of(`${name}.${part}`)[c]!);
			return plane.map((value) => ((value - mean!) / deviation) * gamma! + beta!);
		});
	const rectify = (x: Planes, name: string): Planes =>
		x.map((plane, c) => plane.map((value) => (value > 0 ? value : of(`${name}.weight`)[c]! * value)));

	let x: Planes = [0, 1, 2].map((c) =>
		Array.from({ length: TINY_SIDE ** 2 }, (_, pixel) => image[3 * pixel + c]!),
	);
	x = rectify(normalise(convolve(x, 'conv1', 1), 'bn1'), 'prelu');
	for (const { name, stride } of blocks()) {
		let y = convolve(normalise(x, `${name}.bn1`), `${name}.conv1`, 1);
		y = rectify(normalise(y, `${name}.bn2`), `${name}.prelu`);
		y = normalise(convolve(y, `${name}.conv2`, stride), `${name}.bn3`);
		const shortcut =
			stride === 1 ? x : normalise(convolve(x, `${name}.downsample.0`, stride), `${name}.downsample.1`);
		x = y.map((plane, c) => plane.map((value, i) => value + shortcut[c]![i]!));
	}
	const flat = normalise(x, 'bn2').flat();
	const { shape, data } = state['fc.weight']!;
	const linear = Array.from({ length: shape[0]! }, (_, o) =>
		flat.reduce((sum, value, i) => sum + value * data[o * flat.length + i]!, of('fc.bias')[o]!),
	);
	return normalise(
		linear.map((value) => [value]),
		'features',
	).flat();
}

/** The same network as exporters write it. */
export function faceGraph(state: HostTensors): OnnxFile {
	const file: OnnxFile = {
		nodes: [],
		initialisers: {},
		input: { name: 'data', shape: [null, 3, TINY_SIDE, TINY_SIDE] },
		output: 'embedding',
	};
	const keep = (name: string, tensor: HostTensor = state[name]!): string => {
		file.initialisers[name] = tensor;
		return name;
	};
	const add = (
		operator: string,
		inputs: string[],
		attributes: Record<string, Buffer> = {},
		output?: string,
	) => {
		const made = output ?? `v${file.nodes.length}`;
		file.nodes.push({ operator, inputs, outputs: [made], attributes });
		return made;
	};
	const convolve = (x: string, name: string, stride: number): string => {
		const size = state[`${name}.weight`]!.shape[2]!;
		const pad = (size - 1) / 2;
		return add('Conv', [x, keep(`${name}.weight`)], {
			dilations: attribute.ints([1, 1]),
			group: attribute.int(1),
			kernel_shape: attribute.ints([size, size]),
			pads: attribute.ints([pad, pad, pad, pad]),
			strides: attribute.ints([stride, stride]),
		});
	};
	const normalise = (x: string, name: string, output?: string): string =>
		add(
			'BatchNormalization',
			[x, ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => keep(`${name}.${part}`))],
			{ epsilon: attribute.float(1e-5), momentum: attribute.float(0.9) },
			output,
		);
	const rectify = (x: string, name: string): string => {
		const { data } = state[`${name}.weight`]!;
		return add('PRelu', [x, keep(`${name}.slope`, { shape: [data.length, 1, 1], data })]);
	};
	let x = rectify(normalise(convolve('data', 'conv1', 1), 'bn1'), 'prelu');
	for (const { name, stride } of blocks()) {
		let y = convolve(normalise(x, `${name}.bn1`), `${name}.conv1`, 1);
		y = rectify(normalise(y, `${name}.bn2`), `${name}.prelu`);
		y = normalise(convolve(y, `${name}.conv2`, stride), `${name}.bn3`);
		const shortcut =
			stride === 1 ? x : normalise(convolve(x, `${name}.downsample.0`, stride), `${name}.downsample.1`);
		x = add('Add', [y, shortcut]);
	}
	x = add('Flatten', [add('Dropout', [normalise(x, 'bn2')])], { axis: attribute.int(1) });
	x = add('Gemm', [x, keep('fc.weight'), keep('fc.bias')], {
		alpha: attribute.float(1),
		beta: attribute.float(1),
		transB: attribute.int(1),
	});
	normalise(x, 'features', file.output);
	return file;
}

/** The bytes of the same network as an ONNX file. */
export function faceOnnx(state: HostTensors): Buffer {
	return encodeOnnx(faceGraph(state));
}
