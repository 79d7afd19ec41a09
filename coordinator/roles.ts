// The three roles of a cluster, each one function that runs until its signal aborts: what `rtil coordinator`,
// `rtil trainer` and `rtil inverter` run, and what an embedded cluster runs in processes of its own.
import { type Bus, connectBus } from '../bus/index.ts';
import { runInverterNode } from '../inverter/index.ts';
import type { RoleContext, RoleName, RoleOptions } from './cluster.ts';
import { runCoordinator } from './coordinator.ts';
import { engineEnvironment, runTrainerNode } from './trainer-node.ts';

/** Runs a role until the signal aborts; throws UNAVAILABLE without a server, ENVIRONMENT without an engine. */
export async function runRole(role: RoleName, options: RoleOptions, context: RoleContext): Promise<void> {
	const { onLog } = context;
	const bus = await connectBus({
		url: options.nats,
		name: options.name,
		cache: options.cache,
		...(options.timing ? { timing: options.timing } : {}),
		onStatus: (text: string) => onLog('warn', text),
	});
	try {
		await roles[role](bus, options, context);
	} finally {
		await bus.close();
	}
}

type Role = (bus: Bus, options: RoleOptions, context: RoleContext) => Promise<void>;

const roles: Record<RoleName, Role> = {
	coordinator: async (bus, _, { onReady, ...context }) => {
		onReady({});
		await runCoordinator({ bus, ...context });
	},
	trainer: runTrainerNode,
	inverter: async (bus, options, context) => {
		const { cache, checkpoints = [], host, port } = options;
		const grpc = { ...(host ? { host } : {}), ...(port ? { port } : {}) };
		await runInverterNode({ bus, grpc, cache, checkpoints, env: engineEnvironment(options), ...context });
	},
};
