// Sizes, counts and times of the cluster, in one place. A message over its size is refused before it is sent.
import { RtilError } from '../errors/index.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const seconds = 1000;

export const limits = {
	/** Largest message of any kind, in bytes; a server allows 1 MiB by default, headers included. */
	message: MiB - 16 * KiB,
	/** Largest payload of a job and largest result, in bytes of JSON. More goes into a blob. */
	payload: 256 * KiB,
	result: 768 * KiB,
	/** Largest blob read into memory, in bytes. */
	blobInMemory: 64 * MiB,
	/** Bytes of a blob sent at once. */
	blobChunk: 512 * KiB,

	/** Jobs waiting; beyond it a submission is refused. */
	jobs: 100_000,
	/** Bytes and age of the event stream; the oldest go first. */
	eventBytes: 512 * MiB,
	eventAge: 90 * 24 * 3600 * seconds,
	/** Dead letters kept. */
	deadLetters: 10_000,

	/** Attempts that may end by an error of the job itself. */
	errors: 3,
	/** Attempts that may end because a worker or a node died. */
	losses: 20,
	/** Wait before attempt n + 1: doubled each time from the first to the second, in milliseconds. */
	retry: { first: 1 * seconds, most: 60 * seconds },
	/** Wait before a dead worker is started again, likewise. */
	restart: { first: 0.2 * seconds, most: 10 * seconds },
	/** Times in a row a worker may die before it was ready. */
	failedStarts: 3,
	/** Calls that may wait for a worker. */
	queue: 16,
	/** Patience at each rung when a worker is to stop: after the message, and after SIGTERM; in milliseconds. */
	ladder: { term: 5 * seconds, kill: 10 * seconds },
	/** Events of a worker that may wait to be published before progress is thinned out. */
	eventsWaiting: 256,

	/** Time a server has to answer, in milliseconds. */
	connect: 4 * seconds,
	request: 5 * seconds,
	/** Time without a byte after which the transfer of a blob is given up. */
	stall: 30 * seconds,
	/** The same message twice within this time is one message. */
	duplicates: 120 * seconds,

	/** Defaults of BusTiming. */
	ackWait: 30 * seconds,
	nodeTtl: 15 * seconds,
	leaseTtl: 10 * seconds,
} as const;

/** Refuses what is too large, before it is sent. Throws EXHAUSTED. */
export function refuseOver(limit: number, bytes: number, what: string): void {
	if (bytes <= limit) return;
	throw new RtilError(
		'EXHAUSTED',
		`Expected at most ${limit} bytes for ${what} but received ${bytes}`,
		'Put large content into a blob and name its digest.',
	);
}
