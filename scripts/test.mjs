// `npm test -- ARGS`: sets up what is missing, then runs the test suite; ARGS go to AVA (a file, --match, --tap).
import { runNode } from './setup/child.mjs';
import { setUp } from './setup/index.mjs';

const { ok } = await setUp({ retry: false });
process.exitCode = ok ? await runNode('node_modules/ava/entrypoints/cli.mjs', process.argv.slice(2)) : 1;
