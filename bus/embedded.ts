// A real nats-server for one machine: found, started with JetStream in a folder, and gone when this process is gone.
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, extname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expected, RtilError } from '../errors/index.ts';
import type { EmbeddedNats, EmbeddedNatsOptions, NatsBinary } from './contract.ts';
import type { GuardianMessage } from './guardian.ts';

/** The nats-server to use: `RTIL_NATS_SERVER`, else the first on PATH or in the user's cache that is 2.10 or newer,
 * else an older one. Throws ENVIRONMENT if there is none. */
export async function findNatsServer(env: NodeJS.ProcessEnv = process.env): Promise<NatsBinary> {
	const named = env.RTIL_NATS_SERVER;
	if (named) {
		const version = await versionOf(named);
		if (version) return { path: named, version, source: 'RTIL_NATS_SERVER' };
		throw new RtilError(
			'ENVIRONMENT',
			`Expected a nats-server that runs for RTIL_NATS_SERVER but received "${named}"`,
			'Point it to the binary, or unset it.',
		);
	}
	const cache = join(
		env.RTIL_CACHE ?? join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rtil'),
		'nats-server',
	);
	const cached = (await readdir(cache).catch(() => [])).sort((a, b) => compareVersions(b, a));
	const candidates: [NatsBinary['source'], string][] = [
		...(env.PATH ?? '')
			.split(delimiter)
			.filter(Boolean)
			.map((folder) => ['PATH', join(folder, 'nats-server')] satisfies [NatsBinary['source'], string]),
		...cached.map(
			(version) => ['cache', join(cache, version, 'nats-server')] satisfies [NatsBinary['source'], string],
		),
	];
	let older: NatsBinary | undefined;
	for (const [source, path] of candidates) {
		const version = await versionOf(path);
		if (!version) continue;
		if (hasSync(version)) return { path, version, source };
		older ??= { path, version, source };
	}
	if (older) return older;
	throw new RtilError(
		'ENVIRONMENT',
		'Expected a nats-server but found none on PATH or in the cache',
		'Run `npm run setup`, or install nats-server 2.10 or newer.',
	);
}

/** Starts a server on loopback whose store is in `dir`, and waits until it takes connections. Throws ENVIRONMENT
 * without a binary, UNAVAILABLE if the port or the folder is in use. */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedNats> {
	const { port = -1, signal } = options;
	if (port !== -1 && !(Number.isInteger(port) && port >= 1 && port <= 65535)) {
		throw expected('a port from 1 to 65535', 'port', port);
	}
	signal?.throwIfAborted();
	const dir = resolve(options.dir);
	const binary = await findNatsServer();
	await mkdir(dir, { recursive: true });
	await claim(dir);
	const logFile = join(dir, 'nats-server.log');
	const guardian = fork(
		fileURLToPath(new URL(`./guardian${extname(import.meta.url)}`, import.meta.url)),
		[binary.path, await writeConfig(dir, binary, port), logFile],
		// its own process group: Ctrl-C is for us, and the server must outlive our last writes
		{ detached: true, stdio: 'ignore', execArgv: [] },
	);
	const first = await new Promise<GuardianMessage>((settle) => {
		guardian.once('message', settle);
		guardian.once('error', (error) => settle({ type: 'exit', reason: error.message, tail: [] }));
		guardian.once('exit', (code, by) =>
			settle({ type: 'exit', reason: `ended with ${by ?? code}`, tail: [] }),
		);
		signal?.addEventListener('abort', () => settle({ type: 'exit', reason: 'was stopped', tail: [] }), {
			once: true,
		});
	});
	if (first.type === 'exit' || signal?.aborted) {
		if (guardian.connected) guardian.disconnect();
		await gone(guardian);
		await rm(join(dir, 'server.json'), { force: true });
		signal?.throwIfAborted();
		throw startFailure(first as GuardianMessage & { type: 'exit' }, port, logFile);
	}
	const url = `nats://127.0.0.1:${first.port}`;
	await writeFile(join(dir, 'server.json'), JSON.stringify({ owner: process.pid, pid: first.pid, url }));

	let stopping: Promise<void> | undefined;
	let reason = '';
	guardian.on('message', (message: GuardianMessage) => {
		if (message.type === 'exit') reason = `nats-server ${message.reason}: ${message.tail.at(-1) ?? ''}`;
	});
	guardian.once('exit', (_, signal) => {
		if (signal) endProcess(first.pid); // the guardian was killed: the server is ours to end
		if (!stopping) options.onExit?.(reason || 'the process that guards nats-server was killed');
	});
	guardian.unref(); // a program that forgets to stop it can end; the guardian then ends the server
	guardian.channel?.unref();

	async function stop(): Promise<void> {
		guardian.ref();
		if (guardian.connected) guardian.send('stop', () => {});
		await gone(guardian);
		await rm(join(dir, 'server.json'), { force: true });
	}
	return {
		url,
		pid: first.pid,
		version: binary.version,
		stop: () => (stopping ??= stop()),
	};
}

/** The URL of the server that some process runs in `dir`, or null. */
export async function runningNats(dir: string): Promise<string | null> {
	const { url } = await readOwner(resolve(dir));
	return url && (await answers(url)) ? url : null;
}

// Two servers on one store would destroy it. The file names who has the folder; what a killed process left is taken
// over as soon as its server is gone.
async function claim(dir: string): Promise<void> {
	const file = join(dir, 'server.json');
	for (let tries = 0; ; tries++) {
		try {
			await writeFile(file, JSON.stringify({ owner: process.pid }), { flag: 'wx' });
			return;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
		}
		const { owner, url } = await readOwner(dir);
		const serves = url ? await answers(url) : false;
		const held = serves || (!url && owner !== undefined && isAlive(owner));
		if (!held) {
			await rm(file, { force: true });
		} else if ((owner !== undefined && isAlive(owner)) || tries > 100) {
			throw new RtilError(
				'UNAVAILABLE',
				`A server runs in "${dir}" already${url ? `, at ${url}` : ''} (process ${owner})`,
				'Use that one with --nats, stop it, or choose another folder.',
			);
		} else {
			await delay(100);
		}
	}
}

async function readOwner(dir: string): Promise<{ owner?: number; url?: string }> {
	try {
		return JSON.parse(await readFile(join(dir, 'server.json'), 'utf8')) as { owner?: number; url?: string };
	} catch {
		return {};
	}
}

function answers(url: string): Promise<boolean> {
	const { hostname, port } = new URL(url);
	return new Promise((settle) => {
		const socket = connect({ host: hostname, port: Number(port), timeout: 1000 });
		const end = (result: boolean) => {
			socket.destroy();
			settle(result);
		};
		socket.once('connect', () => end(true));
		socket.once('timeout', () => end(true)); // something holds the port and is merely slow
		socket.once('error', () => end(false));
	});
}

async function writeConfig(dir: string, binary: NatsBinary, port: number): Promise<string> {
	const file = join(dir, 'nats-server.conf');
	const lines = [
		'server_name: rtil',
		'host: "127.0.0.1"',
		`port: ${port}`,
		'jetstream {',
		`  store_dir: ${JSON.stringify(join(dir, 'jetstream'))}`,
		// acknowledged means on the disk: without it, a power cut loses up to two minutes
		...(hasSync(binary.version) ? ['  sync_interval: always'] : []),
		'}',
	];
	await writeFile(file, `${lines.join('\n')}\n`);
	return file;
}

function startFailure(exit: GuardianMessage & { type: 'exit' }, port: number, logFile: string): RtilError {
	const last =
		exit.tail.findLast((line) => /\[(FTL|ERR)\]|nats-server:/.test(line)) ?? exit.tail.at(-1) ?? '';
	if (/address already in use/.test(last)) {
		return new RtilError(
			'UNAVAILABLE',
			`Port ${port} on 127.0.0.1 is in use`,
			'Choose another port, or leave it out to get a free one.',
		);
	}
	return new RtilError(
		'ENVIRONMENT',
		`nats-server did not start: it ${exit.reason}. ${last}`,
		`See ${logFile}.`,
	);
}

async function gone(child: ChildProcess): Promise<void> {
	if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
		await once(child, 'exit');
}

function isAlive(pid: number): boolean {
	try {
		return process.kill(pid, 0);
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM';
	}
}

function endProcess(pid: number): void {
	try {
		process.kill(pid, 'SIGTERM');
	} catch {} // it is gone already
}

async function versionOf(path: string): Promise<string | null> {
	try {
		await access(path, constants.X_OK);
		const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 5000 });
		return /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null;
	} catch {
		return null;
	}
}

function hasSync(version: string): boolean {
	return compareVersions(version, '2.10.0') >= 0;
}

function compareVersions(a: string, b: string): number {
	const [x, y] = [a, b].map((version) => version.split('.').map(Number)) as [number[], number[]];
	for (let i = 0; i < 3; i++) {
		const difference = (x[i] || 0) - (y[i] || 0);
		if (difference !== 0) return difference;
	}
	return 0;
}
