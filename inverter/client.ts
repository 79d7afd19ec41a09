// The client of the gRPC service, for the command line and for programs: promises and async iterators, errors of this
// project, cancellation by AbortSignal.
import * as grpc from '@grpc/grpc-js';
import { RtilError } from '../errors/index.ts';
import {
	fromStatus,
	fromWireTensor,
	inverterDefinition,
	inverterService,
	MAX_MESSAGE_BYTES,
	type WireCheckpoint,
	type WireDescription,
	type WireInvertEvent,
	type WireInvertRequest,
	type WireProblem,
	type WireSample,
	type WireSampleRequest,
	type WireSolver,
} from './wire.ts';

/** How long an unanswered connection attempt may take. */
const CONNECT_SECONDS = 5;

export interface InvertRemoteOptions {
	/** An id or its beginning, `run/arm`, or absent for the newest. */
	checkpoint?: string;
	/** Images to measure and compare with, or measurement files alone. */
	input:
		| { problem: object; images: { name: string; file: Uint8Array }[]; resize?: boolean }
		| { measurements: Uint8Array[] };
	solver: object;
	seed?: number;
	progressEvery?: number;
	previewEvery?: number;
	timeLimitSeconds?: number;
	signal?: AbortSignal;
	/** The server gives up after so long; default: no deadline. */
	deadlineSeconds?: number;
}

/** A connection to an inverter node; `close` it. */
export class InverterClient {
	readonly #address: string;
	readonly #client: grpc.Client & Record<string, unknown>;

	/** @param address `HOST:PORT` */
	constructor(address: string) {
		this.#address = address;
		const Client = grpc.makeGenericClientConstructor(inverterService(inverterDefinition()), 'Inverter');
		this.#client = new Client(address, grpc.credentials.createInsecure(), {
			'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
			'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
		}) as grpc.Client & Record<string, unknown>;
	}

	close(): void {
		this.#client.close();
	}

	async listCheckpoints(): Promise<WireCheckpoint[]> {
		return (await this.#unary<{ checkpoints: WireCheckpoint[] }>('listCheckpoints', {})).checkpoints;
	}

	describeCheckpoint(checkpoint = ''): Promise<WireDescription> {
		return this.#unary('describeCheckpoint', { checkpoint });
	}

	async listProblems(): Promise<WireProblem[]> {
		return (await this.#unary<{ problems: WireProblem[] }>('listProblems', {})).problems;
	}

	async listSolvers(): Promise<WireSolver[]> {
		return (await this.#unary<{ solvers: WireSolver[] }>('listSolvers', {})).solvers;
	}

	/** Images drawn from a prior: the tensor [N, H, W, C] and one PNG of all. */
	async sample(
		request: Partial<WireSampleRequest>,
		signal?: AbortSignal,
	): Promise<{ shape: number[]; data: Float32Array; png: Uint8Array }> {
		const { images, png } = await this.#unary<WireSample>('sample', request, signal);
		return { ...fromWireTensor(images), png };
	}

	/** Events of an inversion in their order; `reconstruction` comes once an image. Throws the error of the call. */
	async *invert(options: InvertRemoteOptions): AsyncGenerator<WireInvertEvent> {
		const { input, signal, deadlineSeconds } = options;
		signal?.throwIfAborted();
		await this.#connected();
		const request: Partial<WireInvertRequest> = {
			checkpoint: options.checkpoint ?? '',
			...('measurements' in input
				? { measurements: { files: input.measurements } }
				: {
						simulation: {
							problemJson: JSON.stringify(input.problem),
							images: input.images,
							resize: input.resize ?? false,
						},
					}),
			solverJson: JSON.stringify(options.solver),
			seed: options.seed ?? 0,
			progressEvery: options.progressEvery ?? 0,
			previewEvery: options.previewEvery ?? 0,
			timeLimitSeconds: options.timeLimitSeconds ?? 0,
		};
		const deadline = deadlineSeconds === undefined ? {} : { deadline: Date.now() + 1000 * deadlineSeconds };
		const start = this.#client.invert as (
			request: object,
			options: object,
		) => grpc.ClientReadableStream<WireInvertEvent>;
		const call = start.call(this.#client, request, deadline);
		const cancel = (): void => call.cancel();
		signal?.addEventListener('abort', cancel, { once: true });
		try {
			for await (const event of call) yield event as WireInvertEvent;
		} catch (error) {
			if (signal?.aborted) throw signal.reason;
			throw fromStatus(error as grpc.ServiceError, this.#address);
		} finally {
			signal?.removeEventListener('abort', cancel);
			call.cancel();
		}
	}

	#connected(): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#client.waitForReady(Date.now() + 1000 * CONNECT_SECONDS, (error) => {
				if (!error) return resolve();
				reject(
					new RtilError(
						'UNAVAILABLE',
						`Nobody answers at ${this.#address}.`,
						'Start a server with `rtil inverter`, or give the right --server HOST:PORT.',
					),
				);
			});
		});
	}

	async #unary<Response>(method: string, request: object, signal?: AbortSignal): Promise<Response> {
		signal?.throwIfAborted();
		await this.#connected();
		return new Promise<Response>((resolve, reject) => {
			type Start = (
				request: object,
				callback: (error: grpc.ServiceError | null, response?: Response) => void,
			) => grpc.ClientUnaryCall;
			const call = (this.#client[method] as Start).call(this.#client, request, (error, response) => {
				signal?.removeEventListener('abort', cancel);
				if (signal?.aborted) reject(signal.reason);
				else if (error) reject(fromStatus(error, this.#address));
				else resolve(response!);
			});
			const cancel = (): void => call.cancel();
			signal?.addEventListener('abort', cancel, { once: true });
		});
	}
}

/** One inversion at a server: connects, yields its events, closes. */
export async function* invertRemote(
	address: string,
	options: InvertRemoteOptions,
): AsyncGenerator<WireInvertEvent> {
	const client = new InverterClient(address);
	try {
		yield* client.invert(options);
	} finally {
		client.close();
	}
}
