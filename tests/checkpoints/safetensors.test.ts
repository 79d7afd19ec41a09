import test from 'ava';
import {
	decodeSafetensors,
	encodeSafetensors,
	readSafetensorsHeader,
} from '../../checkpoints/safetensors.ts';
import { hashUniform, testGolden } from '../golden.ts';

function file(header: unknown, body = Buffer.alloc(0)): Buffer {
	const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(json.length));
	return Buffer.concat([length, json, body]);
}

const f32 = (shape: number[], begin: number, end: number) => ({
	dtype: 'F32',
	shape,
	data_offsets: [begin, end],
});

test('tensors come back bit for bit, with their shapes and the metadata', (t) => {
	const tensors = {
		'b.weight': {
			shape: [2, 3],
			data: new Float32Array([1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 0.1]),
		},
		a: { shape: [], data: new Float32Array([7]) },
		none: { shape: [0, 4], data: new Float32Array(0) },
	};
	const bytes = encodeSafetensors(tensors, { step: '12' });
	const back = decodeSafetensors(bytes);
	t.deepEqual(back, tensors);
	t.is(readSafetensorsHeader(bytes).metadata.step, '12');
});

test('equal tensors give equal bytes whatever the order they came in', (t) => {
	const a = { shape: [1], data: new Float32Array([1]) };
	const b = { shape: [2], data: new Float32Array([2, 3]) };
	t.deepEqual(encodeSafetensors({ a, b }), encodeSafetensors({ b, a }));
});

test('other dtypes are read as numbers', (t) => {
	const body = Buffer.alloc(8 + 8 + 4 + 2 + 2 + 1 + 1);
	body.writeDoubleLE(0.5, 0);
	body.writeBigInt64LE(-3n, 8);
	body.writeInt32LE(-70000, 16);
	body.writeUInt16LE(0x3c01, 20); // 1 + 2^-10 in half
	body.writeUInt16LE(0xc0a0, 22); // -5 in bfloat16
	body.writeUInt8(255, 24);
	body.writeUInt8(1, 25);
	const ends = [8, 16, 20, 22, 24, 25, 26];
	const header = Object.fromEntries(
		['F64', 'I64', 'I32', 'F16', 'BF16', 'U8', 'BOOL'].map((dtype, i) => [
			dtype,
			{ dtype, shape: [1], data_offsets: [ends[i - 1] ?? 0, ends[i]] },
		]),
	);
	const values = Object.fromEntries(
		Object.entries(decodeSafetensors(file(header, body))).map(([name, tensor]) => [name, tensor.data[0]]),
	);
	t.deepEqual(values, { F64: 0.5, I64: -3, I32: -70000, F16: 1 + 2 ** -10, BF16: -5, U8: 255, BOOL: 1 });
});

test('a header that lies is refused with its reason', (t) => {
	const body = Buffer.alloc(16);
	const giant = Buffer.alloc(16);
	giant.writeBigUInt64LE(2n ** 60n);
	const cases: [Buffer, RegExp][] = [
		[Buffer.alloc(3), /has 3 bytes/],
		[giant, /claims 1152921504606846976 bytes/],
		[file('{"a":', body), /not JSON/],
		[file('[]', body), /not an object/],
		[file({ a: f32([2], 0, 8), b: f32([3], 4, 16) }, body), /"b" overlaps/],
		[file({ a: f32([1], 0, 4), b: f32([2], 8, 16) }, body), /"b" leaves a hole/],
		[file({ a: f32([2], 0, 8) }, body), /8 bytes belong to no tensor/],
		[file({ a: f32([8], 0, 32) }, body), /outside the file/],
		[file({ a: f32([4], 16, 0) }, body), /outside the file/],
		[file({ a: f32([3], 0, 16) }, body), /needs 12 bytes/],
		[file({ a: f32([2 ** 40, 2 ** 40], 0, 16) }, body), /needs/],
		[file({ a: f32([-4], 0, 16) }, body), /impossible shape/],
		[file({ a: f32([1.5], 0, 16) }, body), /impossible shape/],
		[file({ a: { ...f32([4], 0, 16), dtype: 'F8' } }, body), /unknown dtype/],
		[file({ a: { ...f32([4], 0, 16), dtype: 'toString' } }, body), /unknown dtype/],
		[file({ a: { ...f32([4], 0, 16), extra: 1 } }, body), /unknown key/],
		[file({ a: 5 }, body), /not described/],
		[file({ __metadata__: { a: 1 } }), /not a map of strings/],
		[
			file(`{"a":${JSON.stringify(f32([2], 0, 8))},"\\u0061":${JSON.stringify(f32([2], 8, 16))}}`, body),
			/names "a" twice/,
		],
	];
	for (const [bytes, reason] of cases) {
		t.throws(() => decodeSafetensors(bytes, 'x.safetensors'), { code: 'CORRUPT', message: reason });
	}
});

test('a tensor named like a part of the language stays a tensor', (t) => {
	const back = decodeSafetensors(file(`{"__proto__":${JSON.stringify(f32([1], 0, 4))}}`, Buffer.alloc(4)));
	t.deepEqual(Object.keys(back), ['__proto__']);
});

test('the counter rule of the fixtures gives its test vector', (t) => {
	const data = hashUniform({ shape: [1000001], seed: 7, amp: 1, off: 0 });
	const first = [
		-0.375743896, 0.793321073, 0.812712789, 0.347740293, 0.571641684, -0.085607186, -0.667748868,
	];
	for (const [i, value] of first.entries()) t.true(Math.abs(data[i]! - value) < 1e-8);
	t.true(Math.abs(data[1000000]! - 0.238137186) < 1e-8);
});

testGolden('every StyleGAN2 fixture file opens with the shapes its description states', '2', (t, fixture) => {
	for (const name of fixture.names({ role: 'expected' })) {
		t.deepEqual([...fixture.tensor(name).shape], fixture.json.tensors![name]!.shape);
		t.is(fixture.expect(name, fixture.tensor(name)), 0);
	}
});
