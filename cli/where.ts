// Which cluster a command means: the one that is named, else the one that an embedded command runs on this machine.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Bus } from '../bus/index.ts';
import { RtilError } from '../errors/index.ts';

/** Folder of an embedded cluster inside a folder of runs, or inside a run's own. */
export const clusterFolder = '.cluster';

/** A run and where its cluster is kept. */
export interface Where {
	nats?: string;
	out: string;
	/** Look first in the folder of this run. */
	run?: string;
}

/** The URL of the cluster: `nats`, else of the one that runs under `out`; null if there is none. */
export async function findCluster({ nats, out, run }: Where): Promise<string | null> {
	if (nats) return nats;
	const { runningNats } = await import('../bus/index.ts');
	const runs = run ? [run] : await readdir(out).catch(() => []);
	const folders = [...runs.map((name) => path.join(out, name, clusterFolder)), path.join(out, clusterFolder)];
	for (const folder of folders) {
		const url = await runningNats(path.join(folder, 'nats'));
		if (url) return url;
	}
	return null;
}

/** Connects to the cluster; throws UNAVAILABLE if there is none. */
export async function connect(where: Where, signal?: AbortSignal): Promise<Bus> {
	signal?.throwIfAborted();
	const url = await findCluster(where);
	if (!url) {
		throw new RtilError(
			'UNAVAILABLE',
			`No cluster runs under ${where.out}`,
			'Name one with --nats URL, or start one with: rtil up',
		);
	}
	const { connectBus } = await import('../bus/index.ts');
	return connectBus({ url, name: `cli-${process.pid}` });
}
