// `npm run bench`: how fast this machine trains and inverts, in yardsticks of the same run. A yardstick is one forward
// convolution 8×64×64×64 → 64, 3×3; the figures of one machine compare with those of another by it.
// May import everything but cli. `--json` for rows, `--rounds N`, `--only TEXT`, `--engine NAME`.
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { conv2d, type Engine, type EngineName, openEngine, stream } from '../engine/index.ts';
import { inversionSubjects, largeInversion } from './inversion.ts';
import { type Row, type Subject, timeAll } from './timing.ts';
import { trainingRun, trainingSubjects } from './training.ts';

const { values: options } = parseArgs({
	options: {
		json: { type: 'boolean', default: false },
		rounds: { type: 'string', default: '7' },
		only: { type: 'string', default: '' },
		engine: { type: 'string' },
		help: { type: 'boolean', default: false },
	},
});

/** Vanilla; two members that share a batch; and as published, three members with a batch each. */
const trained = [
	{ label: 'vanilla' },
	{ label: 'pair', rtil: { cuts: ['b4', 'b8'], family: 'pair', lambda: 0.5, sigma: 1 } },
	{ label: 'three each', rtil: { cuts: ['b4', 'b8'], preset: 'published-code' } },
];

function yardstick(engine: Engine): Subject {
	const x = { shape: [8, 64, 64, 64], data: stream(0, 'x').normals(0, 8 * 64 ** 3) };
	const w = { shape: [3, 3, 64, 64], data: stream(0, 'w').normals(0, 9 * 64 ** 2) };
	const program = engine.compile({
		name: 'yardstick',
		state: { x, w },
		functions: {
			// One element is read back, not 8 MB.
			run: {
				inputs: {},
				run: (s) => ({ outputs: { y: tf.slice(conv2d(s.x!, s.w!), [0, 0, 0, 0], [1, 1, 1, 1]) } }),
			},
		},
	});
	return { name: 'yardstick', flops: 2 * 8 * 64 ** 2 * 9 * 64 ** 2, run: () => void program.call('run', {}) };
}

/** A thousand scalar additions one after the other: what an operation costs beside its arithmetic. */
function dispatch(engine: Engine): Subject {
	const program = engine.compile({
		name: 'dispatch',
		state: {},
		functions: {
			run: {
				inputs: { a: [1] },
				run(_, { a }) {
					let sum: tf.Tensor = a!;
					for (let i = 0; i < 1000; i++) sum = tf.add(sum, a!);
					return { outputs: { sum } };
				},
			},
		},
	});
	const a = Float32Array.of(1);
	return { name: 'dispatch-1000', run: () => void program.call('run', { a }) };
}

function draws(): Subject {
	const source = stream(0, 'draws');
	return { name: 'random normals 1M', run: () => void source.normals(0, 1 << 20) };
}

function print(rows: readonly Row[], description: string): void {
	console.log(`\n${description}; best of ${options.rounds}\n`);
	console.log(
		`${'step'.padEnd(28)}${'ms'.padStart(10)}${'yardsticks'.padStart(13)}${'utilisation'.padStart(14)}`,
	);
	for (const { name, ms, yardsticks, utilisation } of rows) {
		const share = utilisation === null ? '' : `${(100 * utilisation).toFixed(0)} %`;
		console.log(
			`${name.padEnd(28)}${ms.toFixed(2).padStart(10)}${yardsticks.toFixed(2).padStart(13)}${share.padStart(14)}`,
		);
	}
	console.log(`\npeak memory ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`);
}

if (options.help) {
	console.log('npm run bench -- [--json] [--rounds 7] [--only TEXT] [--engine gpu|native|wasm]');
} else {
	const engine = await openEngine(options.engine ? { engine: options.engine as EngineName } : {});
	const all = [
		yardstick(engine),
		dispatch(engine),
		draws(),
		...trainingSubjects(engine, 32, 16),
		...trained.map((arm) => trainingRun(engine, 32, 16, arm)),
		...trainingSubjects(engine, 64, 8),
		...inversionSubjects(engine, await openEngine({ engine: engine.name, capture: false })),
	];
	// Its memory is what it is run for, so nothing else is beside it.
	const subjects =
		options.only === 'ilo-256'
			? [all[0]!, largeInversion(engine)]
			: all.filter(({ name }, i) => i === 0 || name.includes(options.only));
	const rows = await timeAll(subjects, Number(options.rounds), (round) => {
		if (!options.json) process.stderr.write(`\rround ${round + 1} of ${options.rounds}`);
	});
	if (options.json) {
		const peakBytes = process.resourceUsage().maxRSS * 1024;
		console.log(
			JSON.stringify(
				{ engine: engine.description, rounds: Number(options.rounds), rows, peakBytes },
				null,
				'\t',
			),
		);
	} else {
		print(rows, engine.description);
	}
	process.exit(0);
}
