// PGGAN and Glow between our layout and PyTorch's: there and back, and what does not fit.
import test from 'ava';
import { fromGlow, fromPggan, type PgganLayout, toGlow, toPggan } from '../../checkpoints/pytorch/index.ts';
import type { HostTensors } from '../../engine/contract.ts';
import { glow, type PgganConfig, pgganDiscriminator, pgganGenerator } from '../../models/index.ts';

/** Every number is another, so that none can be mistaken. */
function counted(shapes: Readonly<Record<string, readonly number[]>>): HostTensors {
	let next = 0;
	return Object.fromEntries(
		Object.entries(shapes).map(([name, shape]) => {
			const size = shape.reduce((product, side) => product * side, 1);
			return [name, { shape, data: Float32Array.from({ length: size }, () => next++) }];
		}),
	);
}

for (const dialect of ['karras', 'zoo', 'rtil'] as const) {
	for (const network of ['generator', 'discriminator'] as const) {
		test(`A ${dialect} ${network} comes back from PyTorch's layout as it was`, (t) => {
			const config: PgganConfig = { dialect, resolution: 16, channels: [4, 3, 2], zDim: 5 };
			const { shapes } = network === 'generator' ? pgganGenerator(config) : pgganDiscriminator(config);
			const params = counted(shapes);
			for (const fusedUp of dialect === 'karras' ? [false, true] : [false]) {
				const layout: PgganLayout = { dialect, network, fusedUp };
				const state = toPggan(params, layout);
				t.deepEqual(fromPggan(state, shapes, layout), params);
				t.notDeepEqual(state, params);
			}
		});
	}
}

test('A karras up-scaling filter stored fused is turned and has its channels exchanged', (t) => {
	const config: PgganConfig = { dialect: 'karras', resolution: 8, channels: [2, 3], zDim: 2 };
	const params = counted(pgganGenerator(config).shapes);
	const { shape, data } = toPggan(params, { dialect: 'karras', network: 'generator', fusedUp: true })[
		'layer2.weight'
	]!;
	t.deepEqual(shape, [2, 3, 3, 3]);
	const ours = params['layer2.weight']!; // [kh, kw, I, O]
	t.is(data[0], ours.data[(2 * 3 + 2) * 6]);
});

test('A Glow comes back from PyTorch’s layout as it was', (t) => {
	for (const plainBlocks of [0, 1]) {
		const { shapes, constants } = glow({
			resolution: 4,
			blocks: 2,
			steps: 1,
			coupling: 'affine',
			filters: 5,
			plainBlocks,
		});
		const params = counted({ ...shapes, ...constants });
		const state = toGlow(params);
		t.deepEqual(state['blocks.0.flows.0.actnorm.loc']!.shape, [1, 12, 1, 1]);
		t.deepEqual(fromGlow(state, { ...shapes, ...constants }), params);
	}
});

test('What is missing or of another shape is named', (t) => {
	const { shapes } = pgganGenerator({ dialect: 'zoo', resolution: 8, channels: [4, 3], zDim: 5 });
	const layout: PgganLayout = { dialect: 'zoo', network: 'generator' };
	const state = toPggan(counted(shapes), layout);
	const without = Object.fromEntries(
		Object.entries(state).filter(([name]) => !name.startsWith('formatLayer')),
	);
	t.throws(() => fromPggan(without, shapes, layout), { code: 'MISMATCH', message: /lacks formatLayer/ });
	const other = { ...state, 'toRGBLayers.0.module.bias': { shape: [4], data: new Float32Array(4) } };
	t.throws(() => fromPggan(other, shapes, layout), {
		code: 'MISMATCH',
		message: /toRGBLayers.0.module.bias has shape \[4\] in the state dictionary, not \[3\]/,
	});
});
