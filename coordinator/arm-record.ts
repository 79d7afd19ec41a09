// What the folder of a run keeps of one arm's training: `metrics.jsonl`, one line a report; grids of samples; and both
// once more as TensorBoard events, made from them anew whenever training goes back to an earlier step.
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { type MetricsLine, runFiles } from '../report/inputs.ts';
import { readLines, writeWhole } from './files.ts';
import { createEventFile, type EventFile, eventFileName } from './tensorboard.ts';

/** Folder of an arm's TensorBoard events inside that of its run. */
export function eventFolder(arm: string): string {
	return path.join(path.dirname(runFiles.metrics(arm)), 'tensorboard');
}

/** The numbers of a training step, as a trainer sends them. */
export interface ProgressEvent {
	type: 'progress';
	arm: string;
	step: number;
	steps: number;
	images: number;
	losses: Record<string, number | null>;
	imagesPerSecond: number | null;
	secondsLeft: number | null;
	/** Seconds of training so far, and resident memory of the process that trains. */
	seconds?: number;
	memoryBytes?: number;
	phase?: string;
}

export interface ArmRecord extends AsyncDisposable {
	/** Adds a line in the place of those of its step and later ones: training that was resumed repeats some. */
	add(line: MetricsLine): Promise<void>;
	/** Cuts what was written of steps after this one: training goes on from a checkpoint there. */
	cutAfter(step: number): Promise<void>;
	/** Puts other lines in the place of all. */
	replace(lines: readonly MetricsLine[]): Promise<void>;
	/** Keeps a grid of samples; `time` in milliseconds since the epoch. Returns its name in the run's folder. */
	sample(step: number, png: Uint8Array, time: number): Promise<string>;
}

/** Opens the record of an arm in a run's folder; what is there stays. A torn last line is cut. */
export async function openArmRecord(dir: string, arm: string): Promise<ArmRecord> {
	const lines = await readLines<MetricsLine>(path.join(dir, runFiles.metrics(arm)));
	return new Recorded(dir, arm, lines);
}

class Recorded implements ArmRecord {
	readonly #dir: string;
	readonly #arm: string;
	#lines: MetricsLine[];
	#metrics: FileHandle | undefined;
	#events: EventFile | undefined;

	constructor(dir: string, arm: string, lines: MetricsLine[]) {
		this.#dir = dir;
		this.#arm = arm;
		this.#lines = lines;
	}

	async add(line: MetricsLine): Promise<void> {
		await this.cutAfter(line.step - 1);
		const events = await this.#openEvents(line.time);
		this.#lines.push(line);
		this.#metrics ??= await this.#openMetrics();
		await this.#metrics.appendFile(text(line));
		await events.scalars(line, curves(line));
	}

	async cutAfter(step: number): Promise<void> {
		const kept = this.#lines.filter((line) => line.step <= step);
		if (kept.length < this.#lines.length) await this.replace(kept);
	}

	async replace(lines: readonly MetricsLine[]): Promise<void> {
		await this[Symbol.asyncDispose]();
		this.#lines = [...lines];
		await this.#writeMetrics();
	}

	async sample(step: number, png: Uint8Array, time: number): Promise<string> {
		const name = runFiles.sample(this.#arm, step);
		const events = await this.#openEvents(time);
		await writeWhole(path.join(this.#dir, name), png);
		await events.image({ step, time }, 'samples', png);
		return name;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#metrics?.close();
		await this.#events?.[Symbol.asyncDispose]();
		this.#metrics = undefined;
		this.#events = undefined;
	}

	async #openMetrics(): Promise<FileHandle> {
		const file = path.join(this.#dir, runFiles.metrics(this.#arm));
		await mkdir(path.dirname(file), { recursive: true });
		return await open(file, 'a');
	}

	async #writeMetrics(): Promise<void> {
		await writeWhole(path.join(this.#dir, runFiles.metrics(this.#arm)), this.#lines.map(text).join(''));
	}

	/** The event file; a new one holds the whole history and takes the place of those before. */
	async #openEvents(time: number): Promise<EventFile> {
		if (this.#events) return this.#events;
		// Not before the lines are what is on the disk: a writer that was killed may have torn the last one.
		if (this.#lines.length) await this.#writeMetrics();
		const folder = path.join(this.#dir, eventFolder(this.#arm));
		const old = (await readdir(folder).catch(() => [])).filter((name) => eventFileName.test(name));
		const events = await createEventFile(folder, time);
		for (const line of this.#lines) await events.scalars(line, curves(line));
		for (const { step, file } of await this.#samples()) {
			await events.image({ step, time: (await stat(file)).mtimeMs }, 'samples', await readFile(file));
		}
		for (const name of old) await rm(path.join(folder, name));
		this.#events = events;
		return events;
	}

	/** Grids that were kept, up to the last line. */
	async #samples(): Promise<{ step: number; file: string }[]> {
		const folder = path.join(this.#dir, runFiles.samples(this.#arm));
		const last = this.#lines.at(-1)?.step ?? 0;
		const names = await readdir(folder).catch(() => []);
		return names
			.map((name) => ({ step: Number(path.basename(name, '.png')), file: path.join(folder, name) }))
			.filter(({ step }) => Number.isInteger(step) && step <= last)
			.sort((a, b) => a.step - b.step);
	}
}

/** The line of metrics.jsonl that a report of progress makes; none before there are losses. */
export function metricsLine(event: ProgressEvent, time: number): MetricsLine | undefined {
	const { step, images, losses, imagesPerSecond, seconds, memoryBytes } = event;
	if (!losses || Object.keys(losses).length === 0) return undefined;
	const cost = {
		...(seconds === undefined ? {} : { seconds }),
		...(memoryBytes === undefined ? {} : { memoryBytes }),
	};
	return { step, images, losses, imagesPerSecond, ...cost, time };
}

/** What `trainingRecorder` is told, of the events of a training in this process. */
type ToRecord =
	| ProgressEvent
	| { type: 'sample'; step: number; png: Uint8Array }
	| { type: 'checkpoint' | 'log' };

/**
 * Keeps the events of a training, one after the other, while it goes on; `settled` waits for the last and throws what
 * went wrong in between. The first event says from which step training goes on: what was kept of later ones is cut.
 *
 * @param now milliseconds since the epoch
 */
export function trainingRecorder(
	record: ArmRecord,
	now: () => number,
): { take(event: ToRecord): void; settled(): Promise<void> } {
	let writing: Promise<unknown> = Promise.resolve();
	const queue = (work: () => Promise<unknown>): void => {
		writing = writing.then(work);
		writing.catch(() => {}); // thrown by `settled`
	};
	return {
		take(event) {
			if (event.type === 'sample') queue(() => record.sample(event.step, event.png, now()));
			if (event.type !== 'progress') return;
			const line = metricsLine(event, now());
			queue(() => (line ? record.add(line) : record.cutAfter(event.step)));
		},
		settled: async () => void (await writing),
	};
}

const text = (line: MetricsLine): string => `${JSON.stringify(line)}\n`;

/** The curves of a line by TensorBoard tags. */
function curves({
	images,
	losses,
	imagesPerSecond,
	seconds,
	memoryBytes,
}: MetricsLine): Record<string, number | null> {
	return {
		...Object.fromEntries(Object.entries(losses).map(([name, value]) => [`losses/${name}`, value])),
		'progress/kimg': images / 1000,
		'progress/images per second': imagesPerSecond,
		'progress/hours': seconds === undefined ? null : seconds / 3600,
		'progress/memory GiB': memoryBytes === undefined ? null : memoryBytes / 2 ** 30,
	};
}
