import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {
	decodeSafetensors,
	type Plain,
	PythonObject,
	readTorch,
	stateDict,
	TorchTensor,
	tensorsByPath,
} from '../../../checkpoints/index.ts';
import type { HostTensors } from '../../../engine/contract.ts';
import { RtilError } from '../../../errors/index.ts';
import { fixturesDir, testGolden } from '../../golden.ts';

interface Description {
	dtype: string;
	shape: number[];
	stride: number[];
	offset: number;
	storage_group: number | null;
	parameter: boolean;
	requires_grad: boolean;
	values?: (number | string)[];
	values_in?: string;
}

/** A value as the fixture's description writes it. */
function plain(value: Plain): unknown {
	if (value instanceof TorchTensor) return { $tensor: true };
	if (value instanceof Map)
		return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)]));
	if (value instanceof PythonObject) return plain(value.attributes);
	if (Array.isArray(value)) return value.map(plain);
	if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
	if (typeof value === 'bigint') return String(value);
	if (typeof value === 'object' && value !== null && 'name' in value) return `torch.${value.name}`;
	return value;
}

/** The fixture's description without the marks of Python's types, which plain data does not tell apart. */
function unmarked(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(unmarked);
	if (typeof value !== 'object' || value === null) return value;
	const marked = value as Record<string, unknown>;
	if ('$tensor' in marked) return marked;
	for (const mark of ['$tuple', '$int', '$bytes_hex', '$set', 'fields', 'value']) {
		if (mark in marked && Object.keys(marked).some((key) => key.startsWith('$')))
			return unmarked(marked[mark]);
	}
	return Object.fromEntries(Object.entries(marked).map(([key, item]) => [key, unmarked(item)]));
}

function checkTensors(
	found: Map<string, TorchTensor>,
	described: Record<string, Description>,
	expected: HostTensors,
): string[] {
	const problems: string[] = [];
	const groups = new Map<unknown, unknown>();
	for (const [name, want] of Object.entries(described)) {
		const tensor = found.get(name);
		if (!tensor) {
			problems.push(`${name} is missing`);
			continue;
		}
		const has = [
			tensor.dtype,
			[...tensor.shape],
			[...tensor.stride],
			tensor.offset,
			tensor.isParameter,
			tensor.requiresGrad,
		];
		const wants = [want.dtype, want.shape, want.stride, want.offset, want.parameter, want.requires_grad];
		if (JSON.stringify(has) !== JSON.stringify(wants))
			problems.push(`${name}: ${JSON.stringify([has, wants])}`);
		if (
			want.storage_group !== null &&
			(groups.get(want.storage_group) ?? tensor.storage) !== tensor.storage
		) {
			problems.push(`${name} does not share its storage`);
		}
		groups.set(want.storage_group, tensor.storage);
		if (want.values && `${tensor.values()}` !== `${want.values}`)
			problems.push(`${name}: ${tensor.values()}`);
		if (want.values_in) {
			const { data } = expected[want.values_in]!;
			const got = tensor.toHost().data;
			if (data.length !== got.length || data.some((value, i) => !Object.is(value, got[i]))) {
				problems.push(`${name} has other values`);
			}
		}
	}
	return problems;
}

testGolden(
	'files that PyTorch wrote give exactly their tensors and plain data; hostile ones are refused',
	'pt_serialization',
	async (t, fixture) => {
		const { files, objects, expected_file: expectedFile } = fixture.json;
		const expected = decodeSafetensors(readFileSync(path.join(fixturesDir, expectedFile)));
		for (const [name, { expect, object }] of Object.entries<{ expect: string; object: string }>(files)) {
			const reading = readTorch(path.join(fixturesDir, name));
			if (expect === 'load') {
				const value = await reading;
				const found = tensorsByPath(value);
				t.deepEqual(checkTensors(found, objects[object].tensors, expected), [], name);
				t.is(found.size, Object.keys(objects[object].tensors).length, name);
				if (objects[object].plain) t.deepEqual(plain(value), unmarked(objects[object].plain), name);
				continue;
			}
			const error = await reading.then(
				(value) => (expect === 'reject' ? undefined : t.throws(() => tensorsByPath(value))),
				(reason) => reason,
			);
			t.true(error instanceof RtilError, `${name} is not refused with a reason: ${error}`);
			t.is((error as RtilError).code, 'CORRUPT');
			t.log(error.message);
		}
		t.false(existsSync('PWNED'));
	},
);

testGolden(
	'a real training checkpoint gives the weights and optimiser state of its safetensors twin',
	'sg2_checkpoint',
	async (t, fixture) => {
		const [pt, weights, optim] = (fixture.json.files as string[]).map((name) => path.join(fixturesDir, name));
		const value = await readTorch(pt!);
		const twin = decodeSafetensors(readFileSync(weights!));
		let compared = 0;
		for (const part of ['g', 'd', 'g_ema']) {
			for (const [name, tensor] of Object.entries(stateDict(value, [part]))) {
				const want = twin[`${part}.${name}`];
				if (!want) continue;
				t.deepEqual(tensor.data, want.data, name);
				compared++;
			}
		}
		t.is(compared, Object.keys(twin).length);
		const state = decodeSafetensors(readFileSync(optim!));
		const order = fixture.json.optim.g_optim.param_order as string[];
		const tensors = tensorsByPath(value);
		for (const [i, name] of order.entries()) {
			const want = state[`g_optim.${name}.exp_avg_sq`];
			if (want) t.deepEqual(tensors.get(`g_optim/state/${i}/exp_avg_sq`)!.toHost().data, want.data, name);
		}
		const args = (value as Map<Plain, Plain>).get('args') as PythonObject;
		t.deepEqual(plain(args), unmarked(fixture.json.args));
		t.throws(() => stateDict(value, ['generator']), {
			code: 'MISMATCH',
			message: /it has the keys g, d, g_ema/,
		});
	},
);

test('what is no file of torch.save is refused', async (t) => {
	await t.throwsAsync(readTorch('nowhere.pt'), { code: 'NOT_FOUND' });
	await t.throwsAsync(readTorch(Buffer.from('text')), { code: 'CORRUPT', message: /no file of torch\.save/ });
	await t.throwsAsync(readTorch(Buffer.alloc(0)), { code: 'CORRUPT' });
	await t.throwsAsync(readTorch(Buffer.from('PK\x03\x04')), { code: 'CORRUPT', message: /zip/ });
});
