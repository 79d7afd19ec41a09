// A real inverter node in this process: its gRPC port, its worker process, and a folder with checkpoints of a small
// random StyleGAN2. Ends with the test.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Bus } from '../../bus/index.ts';
import { type CheckpointManifest, checkpointFiles, writeCheckpoint } from '../../checkpoints/index.ts';
import { encodePng } from '../../data/index.ts';
import { type HostTensors, stream } from '../../engine/index.ts';
import { InverterClient, type InverterNodeOptions, runInverterNode } from '../../inverter/index.ts';
import { stylegan2Generator } from '../../models/index.ts';

export const model = { resolution: 16, channels: [8, 8, 8], zDim: 8, wDim: 8, mappingLayers: 2 };

/** Writes a checkpoint of random weights. */
export async function writeTinyCheckpoint(
	dir: string,
	arm = 'vanilla',
	step = 10,
): Promise<CheckpointManifest> {
	const params = stylegan2Generator(model).init(step);
	return writeNetwork(dir, { arm, step, architecture: { generator: model, discriminator: null }, params });
}

/** Writes a checkpoint of these weights. */
export function writeNetwork(
	dir: string,
	network: {
		arm: string;
		step: number;
		architecture: CheckpointManifest['architecture'];
		params: HostTensors;
	},
): Promise<CheckpointManifest> {
	const { arm, step, architecture, params } = network;
	return writeCheckpoint(
		dir,
		{
			createdAt: new Date(Date.UTC(2026, 0, 1, 0, 0, step)).toISOString(),
			arm,
			run: 'tiny',
			step,
			images: 0,
			seed: 0,
			architecture,
			rtil: arm === 'rtil' ? { cuts: ['b4', 'b8'], sigma: 1 } : null,
			dataset: null,
			engine: 'none',
			parent: null,
			metrics: {},
		},
		{ g_ema: params },
	);
}

/** A checkpoint whose files are blobs. */
export async function storedCheckpoint(bus: Bus, dir: string, arm: string): Promise<CheckpointManifest> {
	const manifest = await writeTinyCheckpoint(dir, arm);
	for (const { path: file } of await checkpointFiles(dir)) await bus.putBlob(file);
	return manifest;
}

/** The record of a job once it has ended. */
export async function ended(bus: Bus, run: string, id: string) {
	for await (const record of bus.followJobs(run)) {
		if (record.job.id === id && ['done', 'dead', 'cancelled'].includes(record.state)) return record;
	}
	throw new Error('unreachable');
}

export async function temporaryFolder(t: ExecutionContext): Promise<string> {
	const dir = await mkdtemp(path.join(tmpdir(), 'rtil-inverter-'));
	t.teardown(() => rm(dir, { recursive: true, force: true }));
	return dir;
}

export async function startNode(
	t: ExecutionContext,
	options: Partial<InverterNodeOptions> = {},
): Promise<{ address: string; client: InverterClient; dir: string; stop: () => Promise<void> }> {
	const dir = await temporaryFolder(t);
	const ending = new AbortController();
	let running: Promise<void> = Promise.resolve();
	const address = await new Promise<string>((resolve, reject) => {
		running = runInverterNode({
			checkpoints: [path.join(dir, 'runs')],
			cache: path.join(dir, 'cache'),
			signal: ending.signal,
			env: { RTIL_THREADS: '1' },
			...options,
			onReady: (ready) => resolve(ready.address),
		});
		running.catch(reject);
	});
	const client = new InverterClient(address);
	let stopped: Promise<void> | undefined;
	const stop = (): Promise<void> => {
		stopped ??= (async () => {
			client.close();
			ending.abort();
			await running;
		})();
		return stopped;
	};
	t.teardown(stop);
	return { address, client, dir, stop };
}

/** A PNG of smooth colours. */
export async function picture(seed = 1, side = 16): Promise<Buffer> {
	const phase = stream(seed, 'picture').uniforms(0, 9);
	const data = new Float32Array(side * side * 3);
	for (let i = 0; i < data.length; i++) {
		const [c, x, y] = [i % 3, Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
		data[i] = 0.8 * Math.sin(6 * phase[c]! + (4 * (phase[c + 3]! * x + phase[c + 6]! * y)) / side);
	}
	return encodePng(data, { width: side, height: side, channels: 3 });
}
