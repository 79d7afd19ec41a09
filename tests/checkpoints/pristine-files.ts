// NIQE's statistics as numpy.savez writes them.
import { elements, type HostTensor, stream } from '../../engine/index.ts';
import { zip } from '../data/zip-file.ts';

/** An array of float64 in the .npy format; `fortran`: the first axis varies fastest. */
export function npy({ shape, data }: HostTensor, fortran = false, type = '<f8'): Buffer {
	const sides = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
	const text = `{'descr': '${type}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${sides}, }`;
	const header = `${text}${' '.repeat(63 - ((10 + text.length) % 64))}\n`;
	const [rows, columns] = [shape[0] ?? 1, elements(shape.slice(1))];
	const values = Float64Array.from(data, (value, i) =>
		fortran ? data[(i % rows) * columns + Math.floor(i / rows)]! : value,
	);
	const length = Buffer.from([header.length & 0xff, header.length >> 8]);
	return Buffer.concat([
		Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
		length,
		Buffer.from(header),
		Buffer.from(values.buffer),
	]);
}

/** Plausible statistics: a mean, and a covariance that is one. */
export function pristine(): { mean: HostTensor; covariance: HostTensor } {
	const n = 36;
	const drawn = stream(3, 'pristine').normals(0, n * n);
	const covariance = new Float32Array(n * n);
	for (let i = 0; i < n; i++)
		for (let j = 0; j < n; j++)
			for (let k = 0; k < n; k++) covariance[i * n + j]! += (drawn[i * n + k]! * drawn[j * n + k]!) / n / 100;
	return {
		mean: { shape: [1, n], data: stream(3, 'mean').uniforms(0, n) },
		covariance: { shape: [n, n], data: covariance },
	};
}

/** As BasicSR has them. */
export function pristineNpz(change: Record<string, Buffer> = {}): Buffer {
	const { mean, covariance } = pristine();
	const files = { mu_pris_param: npy(mean), cov_pris_param: npy(covariance, true), ...change };
	return zip(Object.entries(files).map(([name, bytes]) => ({ name: `${name}.npy`, bytes })));
}
