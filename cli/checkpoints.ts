// rtil checkpoints: what has been trained, in the folder of runs and in the cluster.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { declare, jsonOption, natsOption, outOption, print, printJson } from './frame.ts';
import { renderTable } from './table.ts';
import { connect } from './where.ts';

interface Found {
	id: string;
	run: string;
	arm: string;
	step: number;
	/** Folder, or `cluster`. */
	where: string;
	rtil: boolean;
}

export function checkpointsCommand(): Command {
	return declare('checkpoints', 'Lists checkpoints: of the folder of runs, and with --nats of a cluster.', [
		'rtil checkpoints',
		'rtil checkpoints --nats nats://gpu-box:4222 --json',
	])
		.addOption(natsOption())
		.addOption(outOption())
		.addOption(jsonOption())
		.action(async ({ nats, out, json }: { nats?: string; out: string; json?: boolean }) => {
			const found = nats ? await ofCluster(nats, out) : await ofFolder(out);
			if (json) return printJson(found);
			if (found.length === 0) return print('No checkpoints yet. Train some with: rtil demo');
			print(
				renderTable<Found>(
					[
						{ title: 'run', cell: ({ run }) => run },
						{ title: 'arm', cell: ({ arm }) => arm },
						{ title: 'step', cell: ({ step }) => String(step), align: 'right' },
						{ title: 'training', cell: ({ rtil }) => (rtil ? 'RTIL' : 'vanilla') },
						{ title: 'id', cell: ({ id }) => id.slice(0, 12) },
						{ title: 'where', cell: ({ where }) => where },
					],
					found,
				),
			);
		});
}

async function ofFolder(out: string): Promise<Found[]> {
	const { listCheckpoints } = await import('../checkpoints/index.ts');
	const { runFileNames } = await import('../coordinator/index.ts');
	const found: Found[] = [];
	for (const run of await readdir(out).catch(() => [])) {
		for (const arm of await readdir(path.join(out, run, 'arms')).catch(() => [])) {
			for (const { dir, manifest } of await listCheckpoints(
				path.join(out, run, runFileNames.checkpoints(arm)),
			)) {
				found.push({
					id: manifest.id,
					run,
					arm,
					step: manifest.step,
					where: dir,
					rtil: manifest.rtil !== null,
				});
			}
		}
	}
	return found;
}

async function ofCluster(nats: string, out: string): Promise<Found[]> {
	const bus = await connect({ nats, out });
	try {
		return (await bus.checkpoints()).map(({ id, run, arm, step, manifest }) => ({
			id,
			run,
			arm,
			step,
			where: 'cluster',
			rtil: (manifest as { rtil?: unknown }).rtil != null,
		}));
	} finally {
		await bus.close();
	}
}
