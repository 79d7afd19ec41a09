// The three roles of a cluster, each one function that runs until its signal aborts: what `rtil coordinator`,
// `rtil trainer` and `rtil inverter` run, and what an embedded cluster runs in processes of its own.
import { connectBus } from '../bus/index.ts';
import type { RoleName, RoleOptions } from './cluster.ts';
import { runCoordinator } from './coordinator.ts';
import { runTrainerNode } from './trainer-node.ts';

export interface RoleContext {
	/** Aborted: the role gives back what it holds and returns. */
	signal: AbortSignal;
	onLog: (level: 'info' | 'warn', text: string) => void;
	onReady: (ready: { address?: string }) => void;
}

/** Runs a role until the signal aborts; throws UNAVAILABLE without a server, ENVIRONMENT without an engine. */
export async function runRole(role: RoleName, options: RoleOptions, context: RoleContext): Promise<void> {
	const { signal, onLog, onReady } = context;
	const bus = await connectBus({
		url: options.nats,
		name: options.name,
		cache: options.cache,
		onStatus: (text) => onLog('warn', text),
	});
	try {
		if (role === 'coordinator') {
			onReady({});
			await runCoordinator({ bus, signal, onLog });
		} else if (role === 'trainer') {
			await runTrainerNode(bus, options, context);
		} else {
			throw new Error('not there yet');
		}
	} finally {
		await bus.close();
	}
}
