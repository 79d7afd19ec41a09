// `npm run setup`: brings a clone and the per-user cache into a state in which everything runs. See setup/index.mjs.
import { parseArgs } from 'node:util';
import { setUp } from './setup/index.mjs';

const help = `Usage: npm run setup [-- OPTIONS]

Installs the npm packages, gets libtensorflow and compiles the native engine, gets nats-server, and builds dist/.
What is in place already is left alone. What cannot be had is named, with the command that fixes it.

  --quiet   tell problems only
  --force   do every step again (what the cache holds is used)
  --json    print what is in place, as JSON, on standard output
  --help    this text

Environment:
  RTIL_CACHE          where large things are kept (default: $XDG_CACHE_HOME/rtil, else ~/.cache/rtil)
  RTIL_WHEELS         a folder with the wheels, for machines that cannot reach PyPI
  RTIL_LIBTENSORFLOW  a folder with libtensorflow_cc.so.2, libtensorflow_framework.so.2 and include/
  RTIL_NATS_SERVER    a nats-server, 2.10 or newer
  RTIL_ENGINE=wasm    do without the native engine
`;

const flag = { type: 'boolean', default: false };
const { quiet, force, json, help: asked } = readOptions();

if (asked) {
	process.stdout.write(help);
} else {
	const report = await setUp({ quiet, force });
	process.exitCode = report.ok ? 0 : 1;
	if (json) process.stdout.write(`${JSON.stringify(report, null, '\t')}\n`);
	else if (!quiet) {
		for (const { name, state, detail } of report.parts)
			if (state === 'ok') console.error(`${name.padEnd(9)} ${detail}`);
		if (report.ok) console.error(`Ready after ${report.seconds.toFixed(1)} s. Next: npm start`);
	}
}

function readOptions() {
	try {
		return parseArgs({ options: { quiet: flag, force: flag, json: flag, help: flag } }).values;
	} catch (error) {
		process.stderr.write(`${error.message}\n\n${help}`);
		process.exit(2);
	}
}
