// Timing on a machine that other work shares: the best of several alternating runs, and everything in yardsticks of the
// same run.

/** Something that is timed; `run` does it once. */
export interface Subject {
	name: string;
	/** Floating-point operations of one run, where they are counted. */
	flops?: number | undefined;
	/** What one run does as many of (steps, operations); the time is divided by it. */
	repeats?: number;
	/** Answers the milliseconds that count, where they are not those of the whole run. */
	run(): unknown;
}

export interface Row {
	name: string;
	/** Milliseconds, best of the rounds. */
	ms: number;
	/** Milliseconds over those of the yardstick. */
	yardsticks: number;
	/** FLOP rate over that of the yardstick; null where FLOPs are not counted. */
	utilisation: number | null;
}

/** Times each subject once a round, round after round, so that a slow minute hits all alike; the first is the yardstick. */
export async function timeAll(
	subjects: readonly Subject[],
	rounds: number,
	onRound: (round: number) => void,
): Promise<Row[]> {
	const best = subjects.map(() => Number.POSITIVE_INFINITY);
	for (const subject of subjects) await subject.run(); // the first run optimises the graphs
	for (let round = 0; round < rounds; round++) {
		onRound(round);
		for (const [i, { run, repeats = 1 }] of subjects.entries()) {
			const start = performance.now();
			const own = await run();
			const ms = typeof own === 'number' ? own : (performance.now() - start) / repeats;
			best[i] = Math.min(best[i]!, ms);
		}
	}
	const rate = (i: number): number => (subjects[i]!.flops ?? Number.NaN) / best[i]!;
	return subjects.map(({ name, flops }, i) => ({
		name,
		ms: best[i]!,
		yardsticks: best[i]! / best[0]!,
		utilisation: flops ? rate(i) / rate(0) : null,
	}));
}
