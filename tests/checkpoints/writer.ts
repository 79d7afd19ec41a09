// A process that writes checkpoints until it is stopped: `writer.js DIR once|forever`.
import path from 'node:path';
import { checkpointName, writeCheckpoint } from '../../checkpoints/index.ts';
import { RtilError } from '../../errors/index.ts';
import { fields, groups } from './fixture.ts';

process.on('SIGXFSZ', () => {}); // the write fails with its code instead
const [dir, mode] = process.argv.slice(2) as [string, 'once' | 'forever'];
const size = 100_000;
if (mode === 'once') {
	try {
		await writeCheckpoint(dir, fields(2), groups(2, size));
		process.stdout.write('WRITTEN');
	} catch (error) {
		process.stdout.write(error instanceof RtilError ? error.code : String(error));
	}
} else {
	for (let step = 1; ; step++) {
		await writeCheckpoint(path.join(dir, checkpointName(step)), fields(step), groups(step, size));
		process.stdout.write(`${step}\n`);
	}
}
