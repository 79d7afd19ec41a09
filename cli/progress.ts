// Live progress of a run: bars on a terminal, plain lines elsewhere. It only shows; it decides nothing.
import cliProgress from 'cli-progress';
import { clockTime } from './table.ts';

/** One bar: a training job, or all evaluations together. */
export interface ProgressUpdate {
	/** Name of the bar, stable: `vanilla`, `evaluation`. */
	bar: string;
	value: number;
	total: number;
	/** What follows the bar: losses, images a second. */
	note: string;
	secondsLeft?: number | null;
}

export interface Progress {
	update(update: ProgressUpdate): void;
	/** A line of text above the bars. */
	say(line: string): void;
	/** Leaves the last state on the screen. */
	stop(): void;
}

export interface ProgressOptions {
	stream?: NodeJS.WriteStream;
	/** Default: whether the stream is a terminal. */
	tty?: boolean;
	/** Seconds between two plain lines of one bar, where there is no terminal. */
	plainEvery?: number;
	/** Milliseconds. */
	clock?: () => number;
}

/** Shows progress on stderr, so that stdout stays for results. */
export function showProgress({
	stream = process.stderr,
	tty = Boolean(stream.isTTY),
	plainEvery = 10,
	clock = Date.now,
}: ProgressOptions = {}): Progress {
	return tty ? bars(stream) : plainLines(stream, plainEvery * 1000, clock);
}

function bars(stream: NodeJS.WriteStream): Progress {
	const multi = new cliProgress.MultiBar(
		{
			stream,
			format: '{bar} {name} {value}/{total}  {left}  {note}',
			hideCursor: true,
			barsize: 24,
			autopadding: true,
			emptyOnZero: true,
			// Ctrl-C is handled by the command, which stops the bars itself.
			gracefulExit: false,
			fps: 5,
		},
		cliProgress.Presets.shades_classic,
	);
	const byName = new Map<string, cliProgress.SingleBar>();
	return {
		update({ bar, value, total, note, secondsLeft }) {
			const payload = { name: bar.padEnd(12), note, left: `${clockTime(secondsLeft)} left` };
			const existing = byName.get(bar);
			if (existing) {
				existing.setTotal(total);
				existing.update(value, payload);
			} else {
				byName.set(bar, multi.create(total, value, payload));
			}
		},
		say: (line) => {
			if (byName.size > 0) multi.log(`${line}\n`);
			else stream.write(`${line}\n`);
		},
		stop: () => multi.stop(),
	};
}

function plainLines(stream: NodeJS.WriteStream, every: number, clock: () => number): Progress {
	const last = new Map<string, { at: number; value: number }>();
	return {
		update({ bar, value, total, note, secondsLeft }) {
			const before = last.get(bar);
			const now = clock();
			if (before && (value === before.value || (value < total && now - before.at < every))) return;
			last.set(bar, { at: now, value });
			const left = value < total ? `  ${clockTime(secondsLeft)} left` : '';
			stream.write(`${bar}: ${value}/${total}${left}${note ? `  ${note}` : ''}\n`);
		},
		say: (line) => void stream.write(`${line}\n`),
		stop: () => undefined,
	};
}
