import test from 'ava';
import { parseSpec } from '../../cli/spec.ts';

const cases: [text: string, spec: object][] = [
	['ilo', { kind: 'ilo' }],
	['inpainting:mask=random,ratio=0.25', { kind: 'inpainting', mask: 'random', ratio: 0.25 }],
	['ilo:steps=[100, 60],cuts=[b4,b8]', { kind: 'ilo', steps: [100, 60], cuts: ['b4', 'b8'] }],
	[
		'denoising:noise={kind: poisson, photons: 30}',
		{ kind: 'denoising', noise: { kind: 'poisson', photons: 30 } },
	],
	[
		'composition:steps=[{kind: a, taps: [[1, 2], [3, 4]]}, {kind: b}],noise={kind: none}',
		{
			kind: 'composition',
			steps: [
				{
					kind: 'a',
					taps: [
						[1, 2],
						[3, 4],
					],
				},
				{ kind: 'b' },
			],
			noise: { kind: 'none' },
		},
	],
	['x:path="a, b=c.png",n=1', { kind: 'x', path: 'a, b=c.png', n: 1 }],
	['{kind: tv, steps: 5}', { kind: 'tv', steps: 5 }],
];

for (const [text, spec] of cases) {
	test(`a description in short: ${text}`, (t) => {
		t.deepEqual(parseSpec(text, '--problem'), spec as never);
	});
}

for (const text of ['', 'Kind', 'x:y', 'x:=1', 'x:a=[1', 'x:a={b', '{a', '5']) {
	test(`is refused: ${JSON.stringify(text)}`, (t) => {
		t.throws(() => parseSpec(text, '--problem'), {
			message: /^Expected KIND, .* for --problem but received/,
		});
	});
}
