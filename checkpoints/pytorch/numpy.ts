// Scalars and arrays of numpy as pickles hold them: a dtype, and bytes. Formats: numpy/core/src/multiarray (methods.c,
// `array_setstate`; descriptor.c, `arraydescr_setstate`).
import type { HostTensor } from '../../engine/contract.ts';
import { type Global, type Plain, Stateful } from './pickle.ts';
import { torchDtypes } from './tensor.ts';

/** numpy's codes, as torch names the types. */
const dtypes: Readonly<Record<string, string>> = {
	f8: 'float64',
	f4: 'float32',
	f2: 'float16',
	i8: 'int64',
	i4: 'int32',
	i2: 'int16',
	i1: 'int8',
	u1: 'uint8',
	b1: 'bool',
};

class NumpyDtype extends Stateful {
	readonly name: string;

	constructor(code: Plain | undefined) {
		super();
		const name = typeof code === 'string' && Object.hasOwn(dtypes, code) ? dtypes[code] : undefined;
		if (!name) throw new Error(`it has numbers of numpy's type ${String(code)}, which is not known`);
		this.name = name;
	}

	/** (version, byte order, …) */
	setState(state: Plain): void {
		const order = Array.isArray(state) ? state[1] : undefined;
		if (order !== '<' && order !== '|' && order !== '=') throw new Error('its numbers are not little-endian');
	}

	/** The numbers that bytes are; throws where there are not `count` of them. */
	read(bytes: Plain | undefined, count: number): (number | bigint)[] {
		const { bytes: width, read } = torchDtypes[this.name]!;
		if (!(bytes instanceof Uint8Array) || bytes.length !== width * count) {
			throw new Error("numbers of numpy's are damaged");
		}
		const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		return Array.from({ length: count }, (_, i) => read(view, i * width));
	}
}

/** An array of numpy's; empty until it has its state. */
export class NumpyArray extends Stateful {
	private value: HostTensor = { shape: [0], data: new Float32Array(0) };

	/** (version, shape, dtype, Fortran order?, bytes) */
	setState(state: Plain): void {
		const [, shape, dtype, fortran, bytes] = Array.isArray(state) ? state : [];
		const whole = (side: Plain) => typeof side === 'number' && Number.isSafeInteger(side) && side >= 0;
		if (!Array.isArray(shape) || !shape.every(whole) || !(dtype instanceof NumpyDtype)) {
			throw new Error("an array of numpy's is damaged");
		}
		if (fortran === true && shape.length > 1) throw new Error("an array of numpy's is in column-major order");
		const sides = shape as number[];
		const count = sides.reduce((n, side) => n * side, 1);
		this.value = { shape: sides, data: Float32Array.from(dtype.read(bytes, count), Number) };
	}

	/** As float32, row-major. */
	toHost(): HostTensor {
		return this.value;
	}
}

/** What a pickle with numbers of numpy's may name; numpy 2 has another folder for the same. */
export const numpyGlobals: Record<string, Global['call']> = Object.fromEntries([
	['numpy.dtype', ([code]: readonly Plain[]) => new NumpyDtype(code)],
	// Named as the class of the array that `_reconstruct` makes.
	['numpy.ndarray', undefined],
	...['numpy.core.multiarray', 'numpy._core.multiarray'].flatMap((module) => [
		[`${module}.scalar`, scalar] as const,
		[`${module}._reconstruct`, () => new NumpyArray()] as const,
	]),
]);

function scalar([dtype, bytes]: readonly Plain[]): number | bigint {
	if (!(dtype instanceof NumpyDtype)) throw new Error("a number of numpy's is damaged");
	return dtype.read(bytes, 1)[0]!;
}
