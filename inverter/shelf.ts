// The checkpoints a node can serve: folders on this machine, and those that are announced on the bus, which are fetched
// when they are first asked for. Holds manifests, no tensors.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Bus } from '../bus/index.ts';
import {
	assembleCheckpoint,
	type CheckpointManifest,
	parseManifest,
	readManifest,
} from '../checkpoints/index.ts';
import { RtilError } from '../errors/index.ts';
import type { CheckpointAnnouncement } from '../proto/index.ts';

/** How deep below a given folder checkpoints are looked for: runs/<run>/arms/<arm>/checkpoints/<step>. */
const DEPTH = 6;

interface Entry {
	manifest: CheckpointManifest;
	/** Its folder, once it is here. */
	dir: Promise<string> | null;
	announcement: CheckpointAnnouncement | null;
}

export interface ShelfOptions {
	/** Folders that are checkpoints or hold some, at any depth up to six. */
	folders: readonly string[];
	/** Where fetched checkpoints are put. */
	cache: string;
	onLog?: (level: 'info' | 'warn', text: string) => void;
}

export class CheckpointShelf {
	readonly #options: ShelfOptions;
	readonly #entries = new Map<string, Entry>();

	constructor(options: ShelfOptions) {
		this.#options = options;
	}

	/** Looks through the folders again. */
	async scan(): Promise<void> {
		for (const folder of this.#options.folders) await this.#scanFolder(path.resolve(folder), DEPTH);
	}

	/** Takes announced checkpoints in until the signal aborts. */
	async follow(bus: Bus, signal: AbortSignal): Promise<void> {
		for await (const announcement of bus.followCheckpoints({ signal })) this.announce(announcement);
	}

	announce(announcement: CheckpointAnnouncement): void {
		try {
			const manifest = parseManifest(announcement.manifest, `announced checkpoint ${announcement.id}`);
			if (this.#entries.has(manifest.id)) return;
			this.#entries.set(manifest.id, { manifest, dir: null, announcement });
			const { id, run, arm, step } = announcement;
			this.#options.onLog?.('info', `serving ${id.slice(0, 12)} (${run}/${arm}, step ${step})`);
		} catch (error) {
			this.#options.onLog?.('warn', (error as Error).message);
		}
	}

	/** Manifests, newest last. */
	list(): CheckpointManifest[] {
		return [...this.#entries.values()]
			.map(({ manifest }) => manifest)
			.sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.step - b.step);
	}

	/**
	 * The checkpoint that a reference names: an id or its beginning, `run/arm` for the newest of an arm, empty for the
	 * newest of all. Looks through the folders again when it is not known.
	 *
	 * @throws NOT_FOUND; INVALID_INPUT when several fit.
	 */
	async find(reference: string): Promise<CheckpointManifest> {
		const found = this.#match(reference);
		if (found.length === 0) await this.scan();
		const matches = found.length > 0 ? found : this.#match(reference);
		if (matches.length > 1) {
			throw new RtilError(
				'INVALID_INPUT',
				`${matches.length} checkpoints begin with "${reference}".`,
				'Give more of the id.',
			);
		}
		if (matches[0]) return matches[0];
		const known = this.list()
			.slice(-3)
			.map(({ id, run, arm }) => `${id.slice(0, 12)} (${run}/${arm})`);
		throw new RtilError(
			'NOT_FOUND',
			reference ? `There is no checkpoint "${reference}" here.` : 'There is no checkpoint here yet.',
			known.length
				? `There are, newest last: ${known.join(', ')}.`
				: 'Train one, or start the node with --checkpoints DIR.',
		);
	}

	#match(reference: string): CheckpointManifest[] {
		const all = this.list();
		if (reference === '') return all.slice(-1);
		if (reference.includes('/')) return all.filter(({ run, arm }) => `${run}/${arm}` === reference).slice(-1);
		return all.filter(({ id }) => id.startsWith(reference));
	}

	/** The folder of a checkpoint, fetched over the bus if it is not here. */
	async folder(id: string, bus?: Bus): Promise<string> {
		const entry = this.#entries.get(id);
		if (!entry) throw new RtilError('NOT_FOUND', `There is no checkpoint ${id} here.`);
		entry.dir ??= this.#fetch(entry, bus);
		try {
			return await entry.dir;
		} catch (error) {
			entry.dir = null;
			throw error;
		}
	}

	async #fetch({ manifest }: Entry, bus: Bus | undefined): Promise<string> {
		if (!bus) throw new RtilError('NOT_FOUND', `The files of checkpoint ${manifest.id} are not here.`);
		return fetchCheckpoint(bus, manifest, this.#options.cache);
	}

	async #scanFolder(dir: string, depth: number): Promise<void> {
		const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
		if (entries.some(({ name }) => name === 'manifest.json')) {
			await this.#add(dir);
			return;
		}
		if (depth === 0) return;
		for (const entry of entries) {
			const hidden = entry.name.startsWith('.') || entry.name === 'node_modules';
			if (entry.isDirectory() && !hidden) await this.#scanFolder(path.join(dir, entry.name), depth - 1);
		}
	}

	async #add(dir: string): Promise<void> {
		try {
			const manifest = await readManifest(dir);
			const announcement = this.#entries.get(manifest.id)?.announcement ?? null;
			this.#entries.set(manifest.id, { manifest, dir: Promise.resolve(dir), announcement });
		} catch (error) {
			this.#options.onLog?.('warn', `${dir}: ${(error as Error).message}`);
		}
	}
}

/** A checkpoint's files from the blob store as a folder under `cache`, named by its id; there already: at once. */
export async function fetchCheckpoint(
	bus: Bus,
	manifest: CheckpointManifest,
	cache: string,
): Promise<string> {
	const dir = path.join(cache, 'checkpoints', manifest.id);
	const here = await readManifest(dir).catch(() => null);
	if (here?.id === manifest.id) return dir;
	const files: Record<string, string> = {};
	for (const [name, { sha256 }] of Object.entries(manifest.files))
		files[name] = await bus.getBlobFile(sha256);
	await assembleCheckpoint(dir, manifest, files);
	return dir;
}
