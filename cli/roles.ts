// rtil coordinator, trainer, inverter: one role of a cluster that spans machines.
import { hostname } from 'node:os';
import path from 'node:path';
import { type Command, Option } from 'commander';
import type { RoleName } from '../coordinator/index.ts';
import { expected, RtilError } from '../errors/index.ts';
import { userCache } from './folders.ts';
import { declare, engineOption, interruptible, natsOption, wholeNumber } from './frame.ts';

interface RoleCommandOptions {
	nats?: string;
	name?: string;
	work?: string;
	engine?: string;
	threads?: number;
	host?: string;
	port?: number;
	checkpoints?: string[];
}

export function coordinatorCommand(): Command {
	return role(
		'coordinator',
		'Coordinates the runs of a cluster. Several may run: one leads, the others stand by.',
		['rtil coordinator --nats nats://gpu-box:4222'],
	);
}

export function trainerCommand(): Command {
	return withEngine(
		role(
			'trainer',
			'Takes training jobs of a cluster, one at a time. On SIGTERM it saves and gives its job back.',
			['rtil trainer --nats nats://gpu-box:4222'],
		),
	).option('--work <dir>', 'folder for checkpoints under way (default: in the cache of the user)');
}

export function inverterCommand(): Command {
	return withEngine(
		role('inverter', 'Takes evaluation jobs of a cluster and serves inversion over gRPC.', [
			'rtil inverter --nats nats://gpu-box:4222 --port 50051',
			'rtil inverter --checkpoints runs/demo/arms/rtil/checkpoints',
		]),
	)
		.option('--checkpoints <dir...>', 'serve the checkpoints in these folders, too')
		.addOption(new Option('--host <host>', 'address gRPC listens on').default('127.0.0.1'))
		.addOption(
			new Option('--port <port>', 'port of gRPC; 0 takes a free one')
				.default(50051)
				.argParser(wholeNumber(0, 65535)),
		);
}

function withEngine(command: Command): Command {
	return command
		.addOption(engineOption())
		.option('--threads <n>', 'threads of the engine (default: all cores)', wholeNumber(1, 1024));
}

function role(name: RoleName, description: string, examples: string[]): Command {
	return declare(name, description, examples)
		.addOption(name === 'inverter' ? natsOption() : natsOption().makeOptionMandatory())
		.option('--name <name>', 'name of this node (default: from role, host and process)')
		.action(async (options: RoleCommandOptions) => {
			const { nats, name: given, work, checkpoints, ...rest } = options;
			const host = hostname().replace(/[^A-Za-z0-9]+/g, '-');
			const nodeName = given ?? `${name}-${host}-${process.pid}`;
			if (!/^[A-Za-z0-9_-]+$/.test(nodeName))
				throw expected('letters, digits, "-" and "_"', '--name', nodeName);
			const cache = path.join(userCache(), 'blobs');
			const onReady = ({ address }: { address?: string }): void =>
				void process.stderr.write(`${nodeName} is ready${address ? `, gRPC at ${address}` : ''}\n`);
			const onLog = (level: string, text: string): void =>
				void process.stderr.write(`${new Date().toISOString()} ${level} ${text}\n`);
			await interruptible(async ({ signal }) => {
				if (nats === undefined)
					return await serveFolders({ ...rest, checkpoints, cache, signal, onReady, onLog });
				const { runRole } = await import('../coordinator/index.ts');
				const folders = work ?? path.join(userCache(), 'work');
				const roleOptions = { nats, name: nodeName, work: folders, cache, ...rest };
				await runRole(
					name,
					{ ...roleOptions, ...(checkpoints ? { checkpoints } : {}) },
					{ signal, onLog, onReady },
				);
			});
		});
}

interface Serving extends Pick<RoleCommandOptions, 'host' | 'port' | 'engine' | 'threads'> {
	checkpoints: string[] | undefined;
	cache: string;
	signal: AbortSignal;
	onReady: (ready: { address: string }) => void;
	onLog: (level: 'info' | 'warn', text: string) => void;
}

/** An inverter without a cluster: gRPC over checkpoints on this machine. */
async function serveFolders({ checkpoints, host, port, engine, threads, ...rest }: Serving): Promise<void> {
	if (!checkpoints) {
		throw new RtilError(
			'INVALID_INPUT',
			'An inverter needs --nats URL, or --checkpoints DIR to serve without a cluster',
		);
	}
	const { engineEnvironment } = await import('../coordinator/index.ts');
	const { runInverterNode } = await import('../inverter/index.ts');
	const grpc = { ...(host ? { host } : {}), ...(port ? { port } : {}) };
	const env = engineEnvironment({ ...(engine ? { engine } : {}), ...(threads ? { threads } : {}) });
	await runInverterNode({ checkpoints, grpc, env, ...rest });
}
