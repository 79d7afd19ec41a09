// Arrays as numpy.savez writes them: a zip archive with an entry of the .npy format each (numpy/lib/format.py: a magic
// number, a version, a header that is a Python dictionary of three fixed keys, the numbers). Real numbers only; objects,
// which numpy would unpickle, are refused.
import { fromBuffer, openZip } from '../data/index.ts';
import type { HostTensor, HostTensors } from '../engine/contract.ts';
import { RtilError, show } from '../errors/index.ts';
import { permute } from './pytorch/layout.ts';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
const HEADER =
	/^\{'descr': '(?<type><f8|<f4)', 'fortran_order': (?<fortran>True|False), 'shape': \((?<shape>[\d, ]*)\), \} *\n$/u;
const MAX_RANK = 8;

/** The arrays of an archive by name, as float32; @throws CORRUPT. */
export async function readNpz(bytes: Buffer, file = 'the .npz file'): Promise<HostTensors> {
	const entries = await openZip(fromBuffer(bytes, file));
	const arrays = await Promise.all(
		[...entries]
			.filter(([name]) => name.endsWith('.npy'))
			.map(
				async ([name, entry]): Promise<[string, HostTensor]> => [
					name.slice(0, -'.npy'.length),
					array(await entry.read(), (why) => {
						return new RtilError('CORRUPT', `${file} is refused: its array ${show(name)} ${why}`);
					}),
				],
			),
	);
	return Object.fromEntries(arrays);
}

function array(bytes: Buffer, refuse: (why: string) => RtilError): HostTensor {
	if (bytes.length < 12 || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw refuse('is no .npy file');
	const wide = bytes[6]! > 1;
	const start = wide ? 12 : 10;
	const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
	const header = HEADER.exec(bytes.toString('latin1', start, Math.min(end, bytes.length)))?.groups;
	if (!header) throw refuse('has another header than one of real numbers');
	const shape = header.shape!.split(',').flatMap((side) => (side.trim() === '' ? [] : [Number(side)]));
	const width = header.type === '<f8' ? 8 : 4;
	const size = shape.reduce((n, side) => n * side, 1);
	if (shape.length > MAX_RANK || end + size * width !== bytes.length)
		throw refuse(`has ${bytes.length - end} bytes of numbers for the shape [${shape}]`);
	const view = new DataView(bytes.buffer, bytes.byteOffset + end, size * width);
	const read = (i: number): number =>
		width === 8 ? view.getFloat64(8 * i, true) : view.getFloat32(4 * i, true);
	const data = Float32Array.from({ length: size }, (_, i) => read(i));
	if (header.fortran === 'False') return { shape, data };
	// The first axis varies fastest: row-major of the axes turned around.
	return {
		shape,
		data: permute(
			data,
			[...shape].reverse(),
			shape.map((_, i) => shape.length - 1 - i),
		),
	};
}
