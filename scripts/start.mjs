// `npm start -- ARGS`: sets up what is missing, then runs `rtil demo ARGS`.
import { runNode } from './setup/child.mjs';
import { setUp } from './setup/index.mjs';

const { ok } = await setUp({ retry: false });
process.exitCode = ok ? await runNode('bin/rtil.js', ['demo', ...process.argv.slice(2)]) : 1;
