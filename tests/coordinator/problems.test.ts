import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { loadExperiment } from '../../coordinator/index.ts';
import { packMask } from '../../inverter/index.ts';
import { temporaryFolder } from '../bus/server.ts';
import { blackAndWhite } from '../cli/inversion-folder.ts';

const experiment = (problem: string): string => `name: masked
resolution: 16
data: faces
test: { kind: faces, count: 4, seed: 2 }
model: { kind: stylegan2 }
arms: [vanilla]
budget: 15m
evaluation:
  problems:
    - ${problem}
  solvers: [csgm]
`;

test('masks and kernels named as files are inside the experiment, relative to its file', async (t) => {
	const dir = await temporaryFolder(t);
	await mkdir(path.join(dir, 'masks'));
	await writeFile(path.join(dir, 'masks/top.png'), await blackAndWhite(16, (row) => row < 3));
	await writeFile(
		path.join(dir, 'cross.png'),
		await blackAndWhite(3, (row, column) => row === 1 || column === 1),
	);
	const file = path.join(dir, 'masked.yaml');
	const problems = async (problem: string) => {
		await writeFile(file, experiment(problem));
		return (await loadExperiment(file)).evaluation!.problems;
	};
	const mask = { kind: 'inpainting', mask: 'custom', height: 16, width: 16 };
	const bits = packMask(Array.from({ length: 256 }, (_, i) => Number(i < 48)));
	t.deepEqual(await problems('{ kind: inpainting, mask: file, path: masks/top.png }'), [
		{ ...mask, bits },
	] as never);

	const fifth = 1 / 5;
	const taps = [
		[0, fifth, 0],
		[fifth, fifth, fifth],
		[0, fifth, 0],
	];
	const blur = '{ kind: deblurring, kernel: file, path: cross.png, boundary: zero }';
	const [composition] = await problems(`{ kind: composition, steps: [${blur}, { kind: colorization }] }`);
	t.like(composition, {
		steps: [
			{ kind: 'deblurring', kernel: 'custom', boundary: 'zero', taps },
			{ kind: 'colorization', grey: 'itu601' },
		],
	});

	for (const [problem, message] of [
		['{ kind: inpainting, mask: file, path: none.png }', /masked\.yaml:10:7: There is no image .*none\.png/],
		['{ kind: inpainting, mask: file, path: x.png, file: y }', /masked\.yaml:10:7: Unknown key "file"/],
		['{ kind: deblurring, kernel: file, path: masks/top.png }', /masked\.yaml:10:7: .*odd numbers of rows/],
	] as const) {
		await t.throwsAsync(problems(problem), { message });
	}
});
