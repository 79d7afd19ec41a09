// A small checkpoint for tests: what it holds, and the fields its writer states.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import type { CheckpointFields } from '../../checkpoints/index.ts';
import type { HostTensors } from '../../engine/contract.ts';

export async function temporaryFolder(t: ExecutionContext): Promise<string> {
	const dir = await mkdtemp(path.join(tmpdir(), 'rtil-checkpoints-'));
	t.teardown(() => rm(dir, { recursive: true, force: true }));
	return dir;
}

export function fields(step: number, more: Partial<CheckpointFields> = {}): CheckpointFields {
	return {
		createdAt: '2026-01-02T03:04:05.000Z',
		arm: 'vanilla',
		run: 'test',
		step,
		images: step * 16,
		seed: 1,
		architecture: {
			generator: { kind: 'stylegan2', resolution: 32, channels: [64, 32] },
			discriminator: { kind: 'stylegan2' },
		},
		rtil: null,
		dataset: { fingerprint: 'f', count: 3, resolution: 32 },
		engine: 'wasm',
		parent: null,
		metrics: {},
		...more,
	};
}

export function groups(step: number, size = 10): Record<string, HostTensors> {
	const tensor = (seed: number) => ({
		shape: [size],
		data: Float32Array.from({ length: size }, (_, i) => Math.sin(seed + i)),
	});
	return { g_ema: { 'conv.weight': tensor(step) }, state: { count: tensor(step + 0.5) } };
}
