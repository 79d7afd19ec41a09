// Fixtures of group 8: numbers of PyTorch, torchvision, SciPy, Pillow and RTIL's own operators.
import test from 'ava';
import { type HostTensor, type HostTensors, openEngine } from '../../engine/index.ts';
import {
	OperatorPrograms,
	operatorFor,
	type ProblemSpec,
	parseProblem,
} from '../../inverter/problems/index.ts';
import { type Fixture, testGolden } from '../golden.ts';

const programs = new OperatorPrograms(await openEngine());
test.after.always(() => programs.dispose());

/** [N, C, H, W] → [N, H, W, C], or back. */
function permute({ shape, data }: HostTensor, order: [number, number, number, number]): HostTensor {
	const to = order.map((axis) => shape[axis]!);
	const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1));
	const out = new Float32Array(data.length);
	let next = 0;
	for (let a = 0; a < to[0]!; a++)
		for (let b = 0; b < to[1]!; b++)
			for (let c = 0; c < to[2]!; c++)
				for (let d = 0; d < to[3]!; d++) {
					const at = [a, b, c, d].reduce((sum, index, axis) => sum + index * strides[order[axis]!]!, 0);
					out[next++] = data[at]!;
				}
	return { shape: to, data: out };
}
const toNHWC = (x: HostTensor): HostTensor => permute(x, [0, 2, 3, 1]);
const toNCHW = (x: HostTensor): HostTensor => permute(x, [0, 3, 1, 2]);

/** Compares A x and, where the fixture has it, Aᵀ y. */
function compare(
	fixture: Fixture,
	name: string,
	spec: ProblemSpec,
	x: HostTensor,
	given?: HostTensors,
): void {
	const input = toNHWC(x);
	const [N, height, width, channels] = input.shape as [number, number, number, number];
	const image = { height, width, channels };
	const keys = Array.from({ length: N }, () => ({ seed: 0, image: '' }));
	const parameters = given ?? operatorFor(spec).parameters(spec as never, image, keys);
	const Ax = programs.apply(spec, parameters, input);
	fixture.expect(`${name}.Ax`, toNCHW(Ax));
	if (!fixture.has(`${name}.ATy`)) return;
	const y = { shape: toNCHW(Ax).shape, data: fixture.tensor('y_src').data.slice(0, Ax.data.length) };
	fixture.expect(`${name}.ATy`, toNCHW(programs.adjoint(spec, parameters, toNHWC(y), image)));
}

testGolden('reductions agree with the references', 'op_downsample', (_t, fixture) => {
	for (const name of fixture.names({ role: 'expected' })) {
		const found = /^(box|torch_bicubic_aa|pil_float_bicubic)(\d+)\.Ax$/.exec(name);
		if (!found) continue;
		const factor = Number(found[2]);
		const filter = found[1] === 'box' ? 'box' : 'bicubic';
		const spec = parseProblem({ kind: 'super-resolution', factor, filter });
		compare(fixture, `${found[1]}${factor}`, spec, fixture.tensor('x32'));
	}
});

testGolden('blurs agree with the references', 'op_blur', (_t, fixture) => {
	const x = fixture.tensor('x');
	const blur = (name: string, options: object): void => {
		if (fixture.has(`${name}.Ax`))
			compare(fixture, name, parseProblem({ kind: 'deblurring', ...options }), x);
	};
	for (const boundary of fixture.config.modes)
		blur(`uniform7_${boundary}`, { kernel: 'uniform', size: 7, boundary });
	for (const { ksize, sigma } of fixture.config.gauss) {
		blur(`tv_gauss_k${ksize}_s${sigma.toFixed(1)}`, { kernel: 'gaussian', size: ksize, sigma });
	}
	for (const sigma of fixture.config.scipy_sigmas) {
		blur(`scipy_gauss_s${sigma.toFixed(1)}`, { kernel: 'gaussian', sigma, boundary: 'symmetric' });
	}
});

testGolden('masks and greys agree with the references', 'op_mask_gray', (t, fixture) => {
	const greys: Record<string, string> = { itu601: 'itu601', skimage709: 'itu709', mean: 'mean' };
	for (const name of fixture.names({ role: 'expected' })) {
		const [image, what, part] = name.split('.') as [string, string, string];
		if (part !== 'Ax') continue;
		const x = fixture.tensor(image);
		const grey = greys[what.replace('grey_', '')];
		if (grey) compare(fixture, `${image}.${what}`, parseProblem({ kind: 'colorization', grey }), x);
		if (what.startsWith('grey')) continue;
		const stored = toNHWC(fixture.tensor(`${image}.mask.${what}`));
		const mask = {
			shape: [1, ...x.shape.slice(2), 3],
			data: Float32Array.from(
				{ length: x.data.length },
				(_, i) => stored.data[stored.shape[3] === 1 ? Math.floor(i / 3) : i]!,
			),
		};
		compare(fixture, `${image}.${what}`, parseProblem({ kind: 'inpainting', mask: 'half' }), x, { mask });
		if (what !== 'centre_hole') continue;
		const spec = parseProblem({ kind: 'inpainting', mask: 'centre' });
		const [height, width] = [x.shape[2]!, x.shape[3]!];
		const own = operatorFor(spec).parameters(spec as never, { height, width, channels: 3 }, [
			{ seed: 0, image: '' },
		]);
		t.deepEqual(own.mask!.data, mask.data);
	}
});

testGolden('partial circulant matrices agree with the published operator', 'op_circulant', (_t, fixture) => {
	for (const { id, x: source, n, m } of fixture.config.cases) {
		const x = toNHWC(fixture.tensor(source));
		const [N, height, width, channels] = x.shape as [number, number, number, number];
		const repeat = (values: ArrayLike<number>): HostTensor => ({
			shape: [N, n],
			data: Float32Array.from({ length: N * n }, (_, i) => values[i % n]!),
		});
		const indices = fixture.tensor(`${id}.indices`).data;
		const selected = new Float32Array(n);
		for (const index of indices) selected[index] = 1;
		const spec = parseProblem({ kind: 'compressed-sensing', ratio: 0.5, scale: 'published' });
		const parameters = {
			signs: repeat(fixture.tensor(`${id}.signs`).data),
			filter: repeat(fixture.tensor(`${id}.filter`).data),
			selected: repeat(selected),
		};
		const Ax = programs.apply(spec, parameters, x);
		const gathered = Float32Array.from(
			{ length: N * m },
			(_, i) => Ax.data[Math.floor(i / m) * n + indices[i % m]!]!,
		);
		fixture.expect(`${id}.Ax`, { shape: [N, m], data: gathered });
		const y = new Float32Array(N * n);
		const source_y = fixture.tensor('y_src').data;
		for (let i = 0; i < N * m; i++) y[Math.floor(i / m) * n + indices[i % m]!] = source_y[i]!;
		const back = programs.adjoint(spec, parameters, { shape: [N, n], data: y }, { height, width, channels });
		fixture.expect(`${id}.ATy`, toNCHW(back));
	}
});
