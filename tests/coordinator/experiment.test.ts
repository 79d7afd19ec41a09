import test from 'ava';
import { experimentHash, parseExperiment } from '../../coordinator/experiment.ts';
import { RtilError } from '../../errors/index.ts';

const good = `name: small
seed: 3
resolution: 16
data: faces
test: { kind: faces, count: 4, seed: 2 }
model: { kind: stylegan2 }
training: { batch: 8 }
arms:
  - vanilla
  - name: wide
    training: { batch: 16 }
budget: 15m
evaluation:
  problems:
    - { kind: inpainting, ratio: 0.25, mask: random }
  solvers: [csgm]
`;

const parse = (text: string, overrides = {}) =>
	parseExperiment(text, { name: 'small.yaml', folder: '/images', overrides });

test('short forms are written out: once for all arms, by name alone, with units', (t) => {
	const experiment = parse(good);
	t.is(experiment.data.kind, 'faces');
	t.is(experiment.data.resolution, 16);
	t.is(experiment.test?.resolution, 16);
	t.deepEqual(experiment.budget, { minutes: 15, rule: 'equal-steps' });
	t.deepEqual(
		experiment.arms.map((arm) => [arm.name, arm.training.batch, arm.model.resolution]),
		[
			['vanilla', 8, 16],
			['wide', 16, 16],
		],
	);
	t.is(experiment.evaluation?.solvers[0]?.kind, 'csgm');
	t.is(experiment.evaluation?.images, 8);
});

test('a folder is found relative to the file, on the command line relative to the user', (t) => {
	const named = parse(good.replace('data: faces', 'data: photos'));
	t.like(named.data, { kind: 'folder', path: '/images/photos' });
	const given = parse(good, { data: '/elsewhere' });
	t.like(given.data, { kind: 'folder', path: '/elsewhere', resolution: 16 });
});

test('training images alone on the command line keep a part back for the reconstructions', (t) => {
	const experiment = parse(good, { data: '/photos' });
	t.deepEqual(experiment.data.split, { holdout: 0.1, part: 'train' });
	t.deepEqual(experiment.test?.split, { holdout: 0.1, part: 'holdout' });
});

test('a budget on the command line keeps the rule of the file', (t) => {
	const text = good.replace('budget: 15m', 'budget: { steps: 5, rule: equal-images }');
	t.deepEqual(parse(text, { budget: '2h' }).budget, { minutes: 120, rule: 'equal-images' });
});

test('the hash is of the meaning, not of the spelling', (t) => {
	const spelled = good.replace('budget: 15m', 'budget: { rule: equal-steps, minutes: 15 }');
	t.is(experimentHash(parse(spelled)), experimentHash(parse(good)));
	t.not(experimentHash(parse(good.replace('seed: 3', 'seed: 4'))), experimentHash(parse(good)));
});

const faults: [title: string, change: [string, string], ...message: string[]][] = [
	['an unknown key', ['seed: 3', 'sead: 3'], 'small.yaml:2:1: unknown key "sead"; did you mean "seed"?'],
	[
		'an unknown key of a problem',
		['ratio: 0.25', 'ration: 0.25'],
		'small.yaml:15:27',
		'did you mean "ratio"?',
	],
	['a wrong type', ['seed: 3', 'seed: three'], 'small.yaml:2:7: expected a number for seed', '"three"'],
	['a negative seed', ['seed: 3', 'seed: -3'], 'small.yaml:2:7: expected a number at least 0 for seed', '-3'],
	['a fraction above one', ['ratio: 0.25', 'ratio: 1.5'], 'small.yaml:15:34', 'at most 1', '1.5'],
	[
		'a misspelt kind',
		['kind: inpainting', 'kind: inpaintin'],
		'small.yaml:15:15',
		'did you mean "inpainting"?',
	],
	[
		'a problem that the test images do not fit',
		['{ kind: inpainting, ratio: 0.25, mask: random }', '{ kind: super-resolution, factor: 5 }'],
		'small.yaml:15:7: Expected a factor that divides 16 × 16',
		'Use `filter: area` for other sizes.',
	],
	[
		'a baseline that does not serve a problem',
		['solvers: [csgm]', 'solvers: [csgm, bicubic]'],
		'small.yaml:16:19: The solver bicubic serves super-resolution, not inpainting.',
	],
	['a misspelt solver', ['[csgm]', '[csmg]'], 'small.yaml:16:13', 'did you mean "csgm"?'],
	['a missing budget', ['budget: 15m\n', ''], 'budget is missing'],
	[
		'a budget without a unit',
		['budget: 15m', 'budget: 15x'],
		'a time such as 90s, 15m or 2h for budget',
		'"15x"',
	],
	[
		'two budgets',
		['budget: 15m', 'budget: { minutes: 1, steps: 2 }'],
		'small.yaml:12:9',
		'either minutes or steps',
	],
	[
		'an empty list of arms',
		['  - vanilla\n  - name: wide\n    training: { batch: 16 }\n', '  []\n'],
		'at least 1 entry',
	],
	['arms of one name', ['name: wide', 'name: vanilla'], 'small.yaml:10:11', 'names of arms must differ'],
	[
		'an evaluation without test images',
		['test: { kind: faces, count: 4, seed: 2 }\n', ''],
		'evaluation needs test images',
	],
	[
		'a batch of all arms',
		['training: { batch: 8 }', 'training: { batch: 0 }'],
		'small.yaml:7:20',
		'batch',
		'0',
	],
	['a resolution of all images', ['resolution: 16', 'resolution: big'], 'small.yaml:3:13', '"big"'],
	['a name that cannot be a folder', ['name: small', 'name: ../up'], 'small.yaml:1:7', 'letters, digits'],
	['text that is not YAML', ['seed: 3', 'seed: [3'], 'not valid YAML'],
	['a key that comes twice', ['seed: 3', 'seed: 3\nseed: 4'], 'small.yaml:3:1', 'not valid YAML'],
];

for (const [title, [from, to], ...message] of faults) {
	test(`${title} is one line that names place and remedy`, (t) => {
		t.true(good.includes(from));
		const error = t.throws(() => parse(good.replace(from, to)), { instanceOf: RtilError });
		t.is(error?.code, 'INVALID_INPUT');
		t.is(error?.exitCode, 2);
		t.false(error?.message.includes('\n'));
		for (const part of message) t.true(error?.message.includes(part), `"${error?.message}" says "${part}"`);
	});
}

test('a file that is empty or not a mapping is refused', (t) => {
	t.throws(() => parse(''), { message: /expected a group of keys for the file/ });
	t.throws(() => parse('- a\n- b\n'), { message: /small\.yaml:1:1: expected a group of keys/ });
});

test('aliases cannot blow a small file up', (t) => {
	const bomb = [
		'a: &a [x,x,x,x,x,x,x,x,x,x]',
		...'bcdefgh'.split('').map((c, i) => `${c}: &${c} [${Array(10).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
	];
	t.throws(() => parse(bomb.join('\n')), { instanceOf: RtilError });
});
