// PyTorch's tensors as files describe them: a view (offset, shape, strides) of a storage of one dtype.
import type { HostTensor } from '../../engine/contract.ts';
import { RtilError } from '../../errors/index.ts';
import { bfloatToNumber, halfToNumber } from '../safetensors.ts';

type Read = (view: DataView, at: number) => number | bigint;

/** Bytes an element and the way to its value, by torch's name of the dtype. */
export const torchDtypes: Record<string, { bytes: number; read: Read }> = {
	float64: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
	float32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
	float16: { bytes: 2, read: (view, at) => halfToNumber(view.getUint16(at, true)) },
	bfloat16: { bytes: 2, read: (view, at) => bfloatToNumber(view.getUint16(at, true)) },
	int64: { bytes: 8, read: (view, at) => view.getBigInt64(at, true) },
	int32: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
	int16: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
	int8: { bytes: 1, read: (view, at) => view.getInt8(at) },
	uint8: { bytes: 1, read: (view, at) => view.getUint8(at) },
	bool: { bytes: 1, read: (view, at) => view.getUint8(at) },
};

/** torch's storage classes, which carry the dtype in the files. */
export const storageDtypes: Record<string, string> = {
	DoubleStorage: 'float64',
	FloatStorage: 'float32',
	HalfStorage: 'float16',
	BFloat16Storage: 'bfloat16',
	LongStorage: 'int64',
	IntStorage: 'int32',
	ShortStorage: 'int16',
	CharStorage: 'int8',
	ByteStorage: 'uint8',
	BoolStorage: 'bool',
};

/** A block of elements, shared by the tensors that view it; its bytes arrive after the description. */
export class TorchStorage {
	readonly key: string;
	readonly dtype: string;
	/** Number of elements. */
	readonly length: number;
	bytes: Buffer | undefined;

	constructor(key: string, dtype: string, length: number) {
		this.key = key;
		this.dtype = dtype;
		this.length = length;
	}

	get byteLength(): number {
		return this.length * torchDtypes[this.dtype]!.bytes;
	}
}

/** A view with strides of 0 may be larger than its storage: up to this many elements. */
const MAX_EXPANDED = 2 ** 24;
const MAX_RANK = 64;

/** What the layouts of published weights need of a tensor of a file. */
export interface StoredTensor {
	readonly shape: readonly number[];
	/** As float32, in row-major order. */
	toHost(): HostTensor;
}

export class TorchTensor implements StoredTensor {
	readonly storage: TorchStorage;
	/** In elements. */
	readonly offset: number;
	readonly shape: readonly number[];
	/** In elements, one a dimension. */
	readonly stride: readonly number[];
	readonly requiresGrad: boolean;
	readonly isParameter: boolean;

	/** @throws Error when the view does not lie inside its storage. */
	constructor(
		storage: TorchStorage,
		offset: number,
		shape: readonly number[],
		stride: readonly number[],
		options: { requiresGrad?: boolean; isParameter?: boolean } = {},
	) {
		const whole = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
		if (
			![offset, ...shape, ...stride].every(whole) ||
			shape.length !== stride.length ||
			shape.length > MAX_RANK
		) {
			throw new Error(`a tensor has the impossible shape [${shape}], strides [${stride}], offset ${offset}`);
		}
		const size = shape.reduce((n, side) => n * side, 1);
		const last = shape.reduce((n, side, i) => n + (side - 1) * stride[i]!, offset);
		if (size > 0 && last >= storage.length) {
			throw new Error(`a tensor reaches element ${last} of a storage of ${storage.length}`);
		}
		if (size > Math.max(storage.length, MAX_EXPANDED)) {
			throw new Error(`a tensor of [${shape}] is made from a storage of ${storage.length}`);
		}
		this.storage = storage;
		this.offset = offset;
		this.shape = shape;
		this.stride = stride;
		this.requiresGrad = options.requiresGrad ?? false;
		this.isParameter = options.isParameter ?? false;
	}

	get dtype(): string {
		return this.storage.dtype;
	}

	get size(): number {
		return this.shape.reduce((n, side) => n * side, 1);
	}

	/** The same view as a parameter. */
	asParameter(requiresGrad: boolean): TorchTensor {
		const { storage, offset, shape, stride } = this;
		return new TorchTensor(storage, offset, shape, stride, { requiresGrad, isParameter: true });
	}

	/** The elements in row-major order, exactly; bigint for int64. */
	values(): (number | bigint)[] {
		const out: (number | bigint)[] = new Array(this.size);
		this.each((i, value) => {
			out[i] = value;
		});
		return out;
	}

	/** As float32, in row-major order: half types exactly, float64 and large integers rounded. */
	toHost(): HostTensor {
		const { bytes } = this.storage;
		const data = new Float32Array(this.size);
		if (this.dtype === 'float32' && bytes && this.isContiguous()) {
			const start = bytes.byteOffset + 4 * this.offset;
			new Uint8Array(data.buffer).set(new Uint8Array(bytes.buffer, start, data.byteLength));
		} else {
			this.each((i, value) => {
				data[i] = Number(value);
			});
		}
		return { shape: this.shape, data };
	}

	private isContiguous(): boolean {
		let expected = 1;
		for (let i = this.shape.length - 1; i >= 0; i--) {
			if (this.shape[i] !== 1 && this.stride[i] !== expected) return false;
			expected *= this.shape[i]!;
		}
		return true;
	}

	private each(visit: (i: number, value: number | bigint) => void): void {
		const { size, shape, stride } = this;
		const { bytes, key } = this.storage;
		if (size === 0) return;
		if (!bytes) throw new RtilError('CORRUPT', `The storage ${key} was not read`);
		const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		const { bytes: width, read } = torchDtypes[this.dtype]!;
		const index = new Array<number>(shape.length).fill(0);
		let at = this.offset;
		for (let i = 0; i < size; i++) {
			visit(i, read(view, at * width));
			for (let d = shape.length - 1; d >= 0; d--) {
				at += stride[d]!;
				if (++index[d]! < shape[d]!) break;
				at -= stride[d]! * shape[d]!;
				index[d] = 0;
			}
		}
	}
}

/** Strides of a row-major tensor, as torch states them. */
export function rowMajor(shape: readonly number[]): number[] {
	const stride: number[] = [];
	let step = 1;
	for (let i = shape.length - 1; i >= 0; i--) {
		stride.unshift(step);
		step *= Math.max(1, shape[i]!);
	}
	return stride;
}
