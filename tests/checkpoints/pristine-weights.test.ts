// NIQE's statistics among the user's weights.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { addWeights, knownWeights, loadPristine } from '../../checkpoints/index.ts';
import type { ErrorCode } from '../../errors/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { npy, pristine, pristineNpz } from './pristine-files.ts';

test('an archive of numpy gives back every number, in either order of axes', async (t) => {
	const dir = await temporaryFolder(t);
	await t.throwsAsync(loadPristine({ dir }), { code: 'NOT_FOUND', message: /NIQE needs/ });
	const { mean, covariance } = pristine();
	const file = path.join(dir, 'niqe_pris_params.npz');
	// Not symmetric, so that turned axes are told.
	covariance.data[1] = 7;
	for (const fortran of [true, false]) {
		await writeFile(file, pristineNpz({ cov_pris_param: npy(covariance, fortran) }));
		t.like(await addWeights(file, { dir }), { kind: 'niqe-statistics', network: 'niqe', version: null });
		const loaded = await loadPristine({ dir });
		t.deepEqual(loaded.mean, mean.data);
		t.deepEqual(loaded.covariance, covariance.data);
		t.regex(loaded.label, /^NIQE \(niqe_pris_params\.npz, [0-9a-f]{12}\)$/);
	}
	t.is((await knownWeights({ dir })).length, 1);
});

const { mean, covariance } = pristine();
const refused: [title: string, change: Record<string, Buffer>, code: ErrorCode, message: RegExp][] = [
	[
		'of another size',
		{ mu_pris_param: npy({ shape: [4], data: new Float32Array(4) }) },
		'MISMATCH',
		/shape \[4\]/,
	],
	['cut short', { cov_pris_param: npy(covariance).subarray(0, 999) }, 'CORRUPT', /for the shape \[36,36\]/],
	['of objects', { mu_pris_param: npy(mean, false, '|O') }, 'CORRUPT', /another header/],
	['that are no arrays', { mu_pris_param: Buffer.from('hello, world') }, 'CORRUPT', /no \.npy file/],
	[
		'that are not finite',
		{ mu_pris_param: npy({ ...mean, data: mean.data.map(() => Number.NaN) }) },
		'CORRUPT',
		/not finite/,
	],
];

for (const [title, change, code, message] of refused) {
	test(`statistics ${title} are refused`, async (t) => {
		const dir = await temporaryFolder(t);
		const file = path.join(dir, 'x.npz');
		await writeFile(file, pristineNpz(change));
		await t.throwsAsync(addWeights(file, { dir: path.join(dir, 'w') }), { code, message });
		t.deepEqual(await knownWeights({ dir: path.join(dir, 'w') }), []);
	});
}
