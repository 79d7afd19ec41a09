// rtil up: an embedded cluster until Ctrl-C.
import path from 'node:path';
import type { Command } from 'commander';
import { declare, engineOption, interruptible, outOption, print, wholeNumber } from './frame.ts';
import { clusterFolder } from './where.ts';

interface UpOptions {
	out: string;
	engine?: string;
	threads?: number;
	natsPort?: number;
	grpcPort?: number;
}

export function upCommand(): Command {
	return declare(
		'up',
		'Starts a cluster on this machine (NATS, a coordinator, a trainer, an inverter) and keeps it until Ctrl-C.\nIts inverter serves the checkpoints of the folder of runs.',
		['rtil up', 'rtil up --nats-port 4222 --grpc-port 50051'],
	)
		.addOption(outOption())
		.addOption(engineOption())
		.option('--threads <n>', 'threads of the engine in each node (default: all cores)', wholeNumber(1, 1024))
		.option('--nats-port <port>', 'port of NATS (default: a free one)', wholeNumber(1, 65535))
		.option('--grpc-port <port>', 'port of gRPC (default: a free one)', wholeNumber(1, 65535))
		.action(async ({ out, ...rest }: UpOptions) => {
			const { startCluster } = await import('../coordinator/index.ts');
			await interruptible(async ({ signal, onForce }) => {
				const onLog = (_: string, text: string): void => void process.stderr.write(`${text}\n`);
				const cluster = await startCluster({
					dir: path.join(out, clusterFolder),
					work: out,
					checkpoints: [path.resolve(out)],
					signal,
					onLog,
					...rest,
				});
				onForce(() => cluster.kill());
				try {
					print(`NATS at ${cluster.url}`);
					const stopped = new Promise<void>((resolve) =>
						signal.addEventListener('abort', () => resolve(), { once: true }),
					);
					const address = await Promise.race([cluster.inverter, cluster.broken, stopped]);
					if (address) print(`gRPC at ${address}\nReady. Submit with: rtil run FILE --nats ${cluster.url}`);
					await Promise.race([stopped, cluster.broken]);
				} finally {
					await cluster.stop();
				}
			});
		});
}
