// Scalars of numpy as pickles hold them: a dtype, and bytes. Networks keep gains so. Format: numpy/core/src/multiarray
// (descriptor.c, `arraydescr_setstate`).
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

	/** The number that bytes are. */
	read(bytes: Plain | undefined): number | bigint {
		const { bytes: width, read } = torchDtypes[this.name]!;
		if (!(bytes instanceof Uint8Array) || bytes.length !== width)
			throw new Error("a number of numpy's is damaged");
		return read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
	}
}

/** What a pickle with numbers of numpy's may name; numpy 2 has another folder for the same. */
export const numpyGlobals: Record<string, Global['call']> = {
	'numpy.dtype': ([code]) => new NumpyDtype(code),
	'numpy.core.multiarray.scalar': scalar,
	'numpy._core.multiarray.scalar': scalar,
};

function scalar([dtype, bytes]: readonly Plain[]): number | bigint {
	if (!(dtype instanceof NumpyDtype)) throw new Error("a number of numpy's is damaged");
	return dtype.read(bytes);
}
