// The errors a person can meet. Every deliberate failure in the project is an `RtilError` made here: a code, one
// sentence (*Expected ⟨what⟩ for ⟨name⟩ but received ⟨value⟩*), a remedy, an exit code and a gRPC status.
// Everything else that is thrown is a defect and shows its stack. This room imports nothing.

/** Exit codes of the command line, by who can mend it. */
export const ExitCode = { failure: 1, usage: 2, environment: 3, interrupted: 130 } as const;

/** The gRPC status codes in use (grpc.io/docs/guides/status-codes), by name. */
export const Status = {
	CANCELLED: 1,
	INVALID_ARGUMENT: 3,
	DEADLINE_EXCEEDED: 4,
	NOT_FOUND: 5,
	ALREADY_EXISTS: 6,
	RESOURCE_EXHAUSTED: 8,
	FAILED_PRECONDITION: 9,
	ABORTED: 10,
	INTERNAL: 13,
	UNAVAILABLE: 14,
} as const;

interface ErrorKind {
	readonly exit: number;
	readonly status: number;
}

/** The catalogue: what kind of failure a code is. */
export const catalogue = {
	/** A value given by a person (option, file field, request field) is not allowed. */
	INVALID_INPUT: { exit: ExitCode.usage, status: Status.INVALID_ARGUMENT },
	/** A file, folder, run, checkpoint or blob does not exist. */
	NOT_FOUND: { exit: ExitCode.usage, status: Status.NOT_FOUND },
	/** Something of that name exists already and would be overwritten. */
	ALREADY_EXISTS: { exit: ExitCode.usage, status: Status.ALREADY_EXISTS },
	/** A file is damaged: wrong digest, truncated, not of the stated format. */
	CORRUPT: { exit: ExitCode.failure, status: Status.FAILED_PRECONDITION },
	/** Two things do not fit: a checkpoint of another architecture, a solver the prior cannot serve. */
	MISMATCH: { exit: ExitCode.usage, status: Status.FAILED_PRECONDITION },
	/** The machine lacks a part: engine, compiler, nats-server. */
	ENVIRONMENT: { exit: ExitCode.environment, status: Status.FAILED_PRECONDITION },
	/** A server cannot be reached, or a port is in use. */
	UNAVAILABLE: { exit: ExitCode.environment, status: Status.UNAVAILABLE },
	/** A limit was reached: queue full, message too large, out of memory, disk full. */
	EXHAUSTED: { exit: ExitCode.failure, status: Status.RESOURCE_EXHAUSTED },
	/** A number became NaN or infinite, or training diverged. */
	DIVERGED: { exit: ExitCode.failure, status: Status.INTERNAL },
	/** Somebody else holds it now: a stale lease, epoch or revision. */
	CONFLICT: { exit: ExitCode.failure, status: Status.ABORTED },
	/** A job failed; the message carries its reason. */
	JOB_FAILED: { exit: ExitCode.failure, status: Status.INTERNAL },
	/** The time allowed ran out. */
	DEADLINE: { exit: ExitCode.failure, status: Status.DEADLINE_EXCEEDED },
	/** A person or a parent stopped it. */
	CANCELLED: { exit: ExitCode.interrupted, status: Status.CANCELLED },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof catalogue;

/** A failure with a place and a remedy; what the command line and gRPC show of it is all here. */
export class RtilError extends Error {
	readonly code: ErrorCode;
	/** What the reader can do about it: one sentence, or empty. */
	readonly remedy: string;

	constructor(code: ErrorCode, message: string, remedy = '', options?: { cause?: unknown }) {
		super(message, options);
		this.name = 'RtilError';
		this.code = code;
		this.remedy = remedy;
	}

	get exitCode(): number {
		return catalogue[this.code].exit;
	}

	get grpcStatus(): number {
		return catalogue[this.code].status;
	}
}

/** `expected('a ratio in (0, 1]', 'problems[0].ratio', 1.5)`: the one sentence for a value that is not allowed. */
export function expected(what: string, name: string, received: unknown, remedy = ''): RtilError {
	return new RtilError(
		'INVALID_INPUT',
		`Expected ${what} for ${name} but received ${show(received)}`,
		remedy,
	);
}

/** A value as a person would write it, cut to a readable length. */
export function show(value: unknown): string {
	if (value === undefined) return 'nothing';
	const text = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? String(value));
	return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** Serialisable form, for crossing a process or a network border. */
export interface ErrorRecord {
	code: ErrorCode | 'DEFECT';
	message: string;
	remedy: string;
	stack?: string;
}

export function toRecord(error: unknown): ErrorRecord {
	if (error instanceof RtilError) return { code: error.code, message: error.message, remedy: error.remedy };
	const { message, stack } = error instanceof Error ? error : new Error(String(error));
	return { code: 'DEFECT', message, remedy: '', ...(stack ? { stack } : {}) };
}

/** The error that a record describes; a defect of another process stays a plain `Error` with its stack. */
export function fromRecord(record: ErrorRecord): Error {
	if (record.code !== 'DEFECT') return new RtilError(record.code, record.message, record.remedy);
	const error = new Error(record.message);
	if (record.stack) error.stack = record.stack;
	return error;
}
