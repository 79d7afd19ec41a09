// A training process that is killed: `killed-run.js KIND FILE DIRECTORY`. Reports every checkpoint and would go on for
// long.
import { openEngine } from '../../engine/index.ts';
import { type Kind, trainTiny } from './tiny.ts';

const [kind, file, directory] = process.argv.slice(2) as [Kind, string, string];
await trainTiny(await openEngine(), kind, {
	file,
	directory,
	steps: 100_000,
	emit: (event) => {
		if (event.type === 'checkpoint') process.send!(event.step);
	},
});
