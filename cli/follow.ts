// A run on the screen: its events as progress, its end as a table and the path of the report.
import type { FollowedEvent } from '../bus/index.ts';
import type { ProgressEvent, RunResults, RunState, SessionEvents } from '../coordinator/index.ts';
import { print } from './frame.ts';
import { outcomeTable } from './outcome.ts';
import { type Progress, showProgress } from './progress.ts';
import { clockTime } from './table.ts';

/** Shows a session; `stop` leaves the last state of the bars on the screen. */
export function showSession(): { on: SessionEvents; progress: Progress; stop(): void } {
	const progress = showProgress();
	return { on: { ...sessionEvents(progress) }, progress, stop: () => progress.stop() };
}

function sessionEvents(progress: Progress): SessionEvents {
	return {
		say: (line) => progress.say(line),
		preparing: (what, done, total) => progress.update({ bar: what, value: done, total, note: '' }),
		run: (run, dir) => progress.say(`Run ${run} in ${dir}`),
		cluster: (cluster) => {
			progress.say(`Cluster: NATS at ${cluster.url}`);
			cluster.inverter.then(
				(address) => address && progress.say(`Inverter: gRPC at ${address}`),
				() => undefined,
			);
		},
		event: (event) => showEvent(progress, event),
		state: (state) => showState(progress, state),
	};
}

/** One event of a run. */
export function showEvent(progress: Progress, { kind, data, job }: FollowedEvent): void {
	if (kind === 'progress' && data.losses) {
		const { arm, step, steps, losses, imagesPerSecond, secondsLeft, phase } =
			data as unknown as ProgressEvent;
		const numbers = Object.entries(losses).map(
			([name, value]) => `${name} ${value === null ? '–' : value.toFixed(3)}`,
		);
		const speed = imagesPerSecond ? [`${imagesPerSecond.toFixed(1)} img/s`] : [];
		const note = [...(phase && phase !== 'training' ? [phase] : []), ...numbers, ...speed].join('  ');
		progress.update({ bar: arm, value: step, total: steps, note, secondsLeft });
	} else if (kind === 'log' && data.level !== 'info') {
		progress.say(`${job}: ${String(data.text)}`);
	}
}

/** How many evaluations are done, once there are some. */
export function showState(progress: Progress, { jobs, status }: RunState): void {
	const evaluations = jobs.filter(({ id }) => id.startsWith('evaluate.'));
	const done = evaluations.filter(({ state }) => state === 'done').length;
	const running = evaluations.find(({ state }) => state === 'running');
	if (done > 0 || running) {
		progress.update({
			bar: 'evaluation',
			value: done,
			total: evaluations.length,
			note: running?.title ?? '',
		});
	}
	if (status === 'cancelling') progress.say('Cancelling: the nodes save what is worth saving…');
}

/** Prints what a run came to. */
export function printOutcome(results: RunResults | null, report: string, seconds?: number): void {
	if (results && results.rows.length > 0) print(`\n${outcomeTable(results.summary)}`);
	const time = seconds === undefined ? '' : ` (${clockTime(seconds)})`;
	print(`\nReport: ${report}${time}`);
}
