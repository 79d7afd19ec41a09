import test from 'ava';
import { encodeTorch, type Plain, readTorch, stateDict, tensorsByPath } from '../../../checkpoints/index.ts';
import { fromBuffer, openZip } from '../../../data/index.ts';

const tensor = (...shape: number[]) => ({
	shape,
	data: Float32Array.from({ length: shape.reduce((n, side) => n * side, 1) }, (_, i) => Math.cos(i)),
});

test('what is written is read back: tensors, nesting, plain data, integer keys', async (t) => {
	const weight = tensor(2, 3, 4);
	const file = encodeTorch({
		g: { 'a.weight': weight, 'a.bias': tensor(3), scalar: tensor(), empty: tensor(0, 5) },
		optim: {
			state: new Map([[0, { exp_avg: tensor(2) }]]),
			groups: [{ lr: 0.002, betas: [0, 0.99], on: true }],
		},
		latent_avg: weight,
		step: 2 ** 40,
		name: 'Größe',
		nothing: null,
	});
	const value = (await readTorch(file)) as Map<string, Plain>;
	t.deepEqual(stateDict(value, ['g'])['a.weight'], weight);
	t.deepEqual(stateDict(value, ['g']).scalar, tensor());
	t.deepEqual(stateDict(value, ['g']).empty, tensor(0, 5));
	const tensors = tensorsByPath(value);
	t.is(tensors.get('latent_avg')!.storage, tensors.get('g/a.weight')!.storage);
	t.deepEqual(tensors.get('optim/state/0/exp_avg')!.toHost(), tensor(2));
	t.is(value.get('step'), 2 ** 40);
	t.is(value.get('name'), 'Größe');
	t.is(value.get('nothing'), null);
	t.deepEqual((value.get('optim') as Map<string, Plain[]>).get('groups'), [
		new Map<string, Plain>([
			['lr', 0.002],
			['betas', [0, 0.99]],
			['on', true],
		]),
	]);
});

test('the archive is laid out as torch lays it out: stored entries, storages at multiples of 64 bytes', async (t) => {
	const file = encodeTorch({ a: tensor(5), b: tensor(7) }, 'model');
	const entries = await openZip(fromBuffer(file, 'x'));
	t.deepEqual(
		[...entries.keys()],
		['model/data.pkl', 'model/byteorder', 'model/data/0', 'model/data/1', 'model/version'],
	);
	t.is((await entries.get('model/version')!.read()).toString(), '3\n');
	for (const { shape, data } of [tensor(5), tensor(7)]) {
		const at = file.indexOf(Buffer.from(data.buffer));
		t.is(at % 64, 0, `${shape}`);
	}
	const pickle = (await entries.get('model/data.pkl')!.read()).toString('latin1');
	const named = [...pickle.matchAll(/c([a-z._]+)\n(\w+)\n/gu)].map(([, module, name]) => `${module}.${name}`);
	t.deepEqual([...new Set(named)].sort(), [
		'collections.OrderedDict',
		'torch.FloatStorage',
		'torch._utils._rebuild_tensor_v2',
	]);
	t.deepEqual(encodeTorch({ a: tensor(5), b: tensor(7) }, 'model'), file);
});
