// The folder of a run: evidence on disk, written by whoever follows the run. `events.jsonl` is the truth: one line an
// event, with its position in the stream. The other line files are made from it, so a follower that was killed between
// two writes, and a second one that attaches later, leave the same files.
import { type FileHandle, mkdir, open, readFile, truncate } from 'node:fs/promises';
import path from 'node:path';
import type { FollowedEvent } from '../bus/index.ts';
import type { MetricsLine } from '../report/inputs.ts';
import { type ArmRecord, metricsLine, openArmRecord, type ProgressEvent } from './arm-record.ts';
import { readLines, writeWhole } from './files.ts';

/** Names inside the folder, beside those of `runFiles`. */
export const runFileNames = {
	/** As it was given. */
	experiment: 'experiment.yaml',
	events: 'events.jsonl',
	log: 'log.jsonl',
	checkpoints: (arm: string): string => `arms/${arm}/checkpoints`,
} as const;

export interface RunRecorder extends AsyncDisposable {
	readonly dir: string;
	/** The position to go on from: one after the last event written, or the start. */
	readonly from: number | 'start';
	/** Writes an event and what follows from it; one that was written already is passed over. */
	record(event: FollowedEvent): Promise<void>;
}

/** Opens a run's folder, makes it if missing, and mends what a killed writer left half-written. */
export async function openRunDirectory(dir: string): Promise<RunRecorder> {
	await mkdir(dir, { recursive: true });
	const recorder = new Recorder(dir);
	await recorder.begin();
	return recorder;
}

interface EventLine {
	sequence: number;
	time: number;
	kind: string;
	job: string;
	node: string;
	data: Record<string, unknown>;
}

class Recorder implements RunRecorder {
	readonly dir: string;
	#sequence = 0;
	readonly #files = new Map<string, FileHandle>();
	readonly #arms = new Map<string, ArmRecord>();

	constructor(dir: string) {
		this.dir = dir;
	}

	get from(): number | 'start' {
		return this.#sequence === 0 ? 'start' : this.#sequence + 1;
	}

	async begin(): Promise<void> {
		const file = path.join(this.dir, runFileNames.events);
		const text = await readFile(file, 'utf8').catch(() => '');
		const whole = text.lastIndexOf('\n') + 1;
		if (whole < text.length) await truncate(file, Buffer.byteLength(text.slice(0, whole)));
		const logged: string[] = [];
		const metrics = new Map<string, MetricsLine[]>();
		for (const line of await readLines<EventLine>(file)) {
			this.#sequence = Math.max(this.#sequence, line.sequence);
			const reported =
				line.kind === 'progress' && metricsLine(line.data as unknown as ProgressEvent, line.time);
			if (reported) {
				const arm = String(line.data.arm);
				const before = (metrics.get(arm) ?? []).filter(({ step }) => step < reported.step);
				metrics.set(arm, [...before, reported]);
			}
			logged.push(logLine(line));
		}
		for (const [arm, lines] of metrics) await (await this.#arm(arm)).replace(lines);
		if (logged.length) await writeWhole(path.join(this.dir, runFileNames.log), logged.join(''));
	}

	async record(event: FollowedEvent): Promise<void> {
		if (event.sequence <= this.#sequence) return;
		const { sequence, at: time, kind, job, node } = event;
		const data: Record<string, unknown> = { ...event.data };
		if (kind === 'sample') {
			const { arm, step, png } = event.data as unknown as { arm: string; step: number; png: Uint8Array };
			data.png = await (await this.#arm(arm)).sample(step, png, time);
		}
		for (const [key, value] of Object.entries(data)) if (value instanceof Uint8Array) delete data[key];
		const line: EventLine = { sequence, time, kind, job, node, data };
		const logged = logLine(line);
		if (logged) await this.#append(runFileNames.log, logged);
		if (kind === 'progress') {
			const progress = event.data as unknown as ProgressEvent;
			const metrics = metricsLine(progress, time);
			if (metrics) await (await this.#arm(progress.arm)).add(metrics);
		}
		// Last: an event counts as written when all that follows from it is.
		await this.#append(runFileNames.events, `${JSON.stringify(line)}\n`);
		this.#sequence = sequence;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const file of this.#files.values()) await file.close();
		this.#files.clear();
		for (const arm of this.#arms.values()) await arm[Symbol.asyncDispose]();
	}

	async #arm(name: string): Promise<ArmRecord> {
		const record = this.#arms.get(name) ?? (await openArmRecord(this.dir, name));
		this.#arms.set(name, record);
		return record;
	}

	async #append(name: string, text: string): Promise<void> {
		let file = this.#files.get(name);
		if (!file) {
			const full = path.join(this.dir, name);
			await mkdir(path.dirname(full), { recursive: true });
			file = await open(full, 'a');
			this.#files.set(name, file);
		}
		await file.appendFile(text);
	}
}

/** What log.jsonl says of an event: lines of the jobs, and what became of jobs and run; empty for all others. */
function logLine({ time, node, job, kind, data }: EventLine): string {
	const text = logText(kind, job, data);
	if (text === undefined) return '';
	const level =
		kind === 'log' ? data.level : data.state === 'dead' || data.status === 'failed' ? 'error' : 'info';
	return `${JSON.stringify({ time, level, node, job, text })}\n`;
}

function logText(kind: string, job: string, data: Record<string, unknown>): string | undefined {
	const because = (reason: unknown): string => (reason ? `: ${String(reason)}` : '');
	if (kind === 'log') return String(data.text);
	if (kind === 'checkpoint') return `checkpoint at step ${String(data.step)}`;
	if (kind === 'run') return `run ${String(data.status)}${because(data.reason)}`;
	if (kind !== 'job') return undefined;
	const failure = data.failure as { message?: string } | null | undefined;
	return `job ${job} ${String(data.state)}${because(failure?.message)}`;
}
