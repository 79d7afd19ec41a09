// rtil coordinator, trainer, inverter: one role of a cluster that spans machines.
import { hostname } from 'node:os';
import path from 'node:path';
import { type Command, Option } from 'commander';
import type { RoleName } from '../coordinator/index.ts';
import { RtilError } from '../errors/index.ts';
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
	);
}

export function inverterCommand(): Command {
	return withEngine(
		role('inverter', 'Takes evaluation jobs of a cluster and serves inversion over gRPC.', [
			'rtil inverter --nats nats://gpu-box:4222 --port 50051',
		]),
	)
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
		.option('--threads <n>', 'threads of the engine (default: all cores)', wholeNumber(1, 1024))
		.option('--work <dir>', 'folder for checkpoints under way (default: in the cache of the user)');
}

function role(name: RoleName, description: string, examples: string[]): Command {
	return declare(name, description, examples)
		.addOption(natsOption().makeOptionMandatory())
		.option('--name <name>', 'name of this node (default: from role, host and process)')
		.action(async (options: RoleCommandOptions) => {
			const { runRole } = await import('../coordinator/index.ts');
			const { nats, name: given, work, ...rest } = options;
			const host = hostname().replace(/[^A-Za-z0-9]+/g, '-');
			const nodeName = given ?? `${name}-${host}-${process.pid}`;
			if (!/^[A-Za-z0-9_-]+$/.test(nodeName)) {
				throw new RtilError(
					'INVALID_INPUT',
					`Expected letters, digits, "-" and "_" for --name but received "${nodeName}"`,
				);
			}
			await interruptible(({ signal }) =>
				runRole(
					name,
					{
						nats: nats!,
						name: nodeName,
						work: work ?? path.join(userCache(), 'work'),
						cache: path.join(userCache(), 'blobs'),
						...rest,
					},
					{
						signal,
						onLog: (level, text) => process.stderr.write(`${new Date().toISOString()} ${level} ${text}\n`),
						onReady: ({ address }) =>
							process.stderr.write(`${nodeName} is ready${address ? `, gRPC at ${address}` : ''}\n`),
					},
				),
			);
		});
}
