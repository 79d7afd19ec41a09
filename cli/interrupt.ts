// Ctrl-C: the first asks everything to stop in order, the second stops at once.
import { RtilError } from '../errors/index.ts';

/** A signal that SIGINT, SIGTERM and SIGHUP abort, and what to do when a second one comes. */
export interface Interrupt extends Disposable {
	readonly signal: AbortSignal;
	/** Called, synchronously, at the second signal, before the process ends; kill children here. */
	onForce(action: () => void): void;
}

/** Takes over the process's signals until disposed. */
export function handleInterrupts(say: (line: string) => void): Interrupt {
	const controller = new AbortController();
	const forced: (() => void)[] = [];
	const stop = (name: NodeJS.Signals): void => {
		if (controller.signal.aborted) {
			for (const action of forced) action();
			process.exit(130);
		}
		say(name === 'SIGINT' ? 'Stopping… (Ctrl-C again to stop at once)' : 'Stopping…');
		controller.abort(new RtilError('CANCELLED', `Stopped by ${name}`));
	};
	const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
	for (const name of signals) process.on(name, stop);
	return {
		signal: controller.signal,
		onForce: (action) => forced.push(action),
		[Symbol.dispose]: () => {
			for (const name of signals) process.off(name, stop);
		},
	};
}
