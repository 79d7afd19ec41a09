// The gRPC server: rtil.v1.Inverter with health and reflection. Holds no tensors: a call that needs them goes to the
// worker, whose bounded queue refuses at once what it cannot take.
import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { z } from 'zod';
import type { Bus, WorkerProcess } from '../bus/index.ts';
import type { CheckpointManifest } from '../checkpoints/index.ts';
import { expected, RtilError } from '../errors/index.ts';
import { isGlow, networkOf } from './checkpoint.ts';
import type { InvertEvent, InvertPayload, InvertResult, SampleResult } from './invert.ts';
import { operators, parseProblem } from './problems/index.ts';
import type { CheckpointShelf } from './shelf.ts';
import { optionsSchema, parseSolver, solvers } from './solvers/index.ts';
import {
	fromJson,
	inverterDefinition,
	inverterService,
	MAX_MESSAGE_BYTES,
	SERVICE,
	toStatus,
	toWireTensor,
	type WireCheckpoint,
	type WireInvertEvent,
	type WireInvertRequest,
	type WireSampleRequest,
} from './wire.ts';

export interface ServiceOptions {
	/** Default 127.0.0.1: plain text stays on this machine. */
	host?: string;
	/** 0 takes a free one. */
	port: number;
	shelf: CheckpointShelf;
	worker: WorkerProcess;
	/** Where announced checkpoints are fetched from. */
	bus?: Bus;
	onLog?: (level: 'info' | 'warn', text: string) => void;
}

export interface InverterService {
	/** `127.0.0.1:50051`. */
	readonly address: string;
	/** Says NOT_SERVING, ends the calls under way and closes the port. */
	stop(): Promise<void>;
}

/** Starts the server; throws UNAVAILABLE when the port is in use. */
export async function serveInverter(options: ServiceOptions): Promise<InverterService> {
	const { host = '127.0.0.1', port } = options;
	const definition = inverterDefinition();
	// grpc-js writes its own lines beside the errors that are reported here.
	if (!process.env.GRPC_VERBOSITY) grpc.setLogVerbosity(grpc.logVerbosity.NONE);
	const server = new grpc.Server({
		'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
		'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
	});
	const stopping = new AbortController();
	server.addService(inverterService(definition), handlers(options, stopping.signal));
	const health = new HealthImplementation({ '': 'SERVING', [SERVICE]: 'SERVING' });
	health.addToServer(server as never);
	new ReflectionService(definition).addToServer(server);
	const bound = await bind(server, host, port);
	return {
		address: `${host.includes(':') ? `[${host}]` : host}:${bound}`,
		async stop() {
			health.setStatus('', 'NOT_SERVING');
			health.setStatus(SERVICE, 'NOT_SERVING');
			stopping.abort(new RtilError('UNAVAILABLE', 'The server is being stopped.'));
			const gone = new Promise((resolve) => server.tryShutdown(resolve));
			// Watches of health never end by themselves.
			setTimeout(() => server.forceShutdown(), 500).unref();
			await gone;
		},
	};
}

function bind(server: grpc.Server, host: string, port: number): Promise<number> {
	return new Promise((resolve, reject) => {
		const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
		server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, bound) => {
			if (!error) resolve(bound);
			else {
				const taken = /EADDRINUSE|address already in use/i.test(error.message);
				const why = taken ? 'is in use' : `cannot be opened (${error.message})`;
				const remedy = 'Give another with --port, or 0 for a free one.';
				reject(new RtilError('UNAVAILABLE', `The gRPC address ${address} ${why}.`, remedy));
			}
		});
	});
}

function toWireCheckpoint(manifest: CheckpointManifest): WireCheckpoint {
	const { id, run, arm, step, createdAt, rtil, architecture } = manifest;
	const resolution = Number(architecture.generator.resolution ?? 0);
	return { id, run, arm, step, resolution, createdAt, rtil: rtil !== null };
}

type Unary<Request, Response> = (request: Request, signal: AbortSignal) => Promise<Response> | Response;

/** A unary handler with cancellation and one way of failing. */
function unary<Request, Response>(answer: Unary<Request, Response>): grpc.handleUnaryCall<Request, Response> {
	return (call, callback) => {
		const cancel = new AbortController();
		call.on('cancelled', () => cancel.abort(new RtilError('CANCELLED', 'The call was cancelled.')));
		Promise.resolve()
			.then(() => answer(call.request, cancel.signal))
			.then(
				(response) => callback(null, response),
				(error) => callback(toStatus(error) as grpc.ServiceError),
			);
	};
}

function handlers(options: ServiceOptions, stopping: AbortSignal): grpc.UntypedServiceImplementation {
	const { shelf, worker, bus, onLog = () => {} } = options;

	/** Folder of a checkpoint and its manifest. */
	async function checkpoint(reference: string): Promise<{ manifest: CheckpointManifest; dir: string }> {
		const manifest = await shelf.find(reference);
		networkOf(manifest);
		return { manifest, dir: await shelf.folder(manifest.id, bus) };
	}

	async function invert(
		request: WireInvertRequest,
		signal: AbortSignal,
		send: (event: WireInvertEvent) => void,
	): Promise<void> {
		const solver = fromJson(request.solverJson || '{"kind": "ilo"}', 'solver_json');
		const { options: complete, ...named } = parseSolver(solver);
		const input = inputOf(request);
		const { manifest, dir } = await checkpoint(request.checkpoint);
		const payload: InvertPayload = {
			checkpoint: { dir },
			input,
			solver,
			seed: request.seed,
			...(request.progressEvery ? { progressEvery: request.progressEvery } : {}),
			...(request.previewEvery ? { previewEvery: request.previewEvery } : {}),
			...(request.timeLimitSeconds > 0 ? { timeLimitSeconds: request.timeLimitSeconds } : {}),
		};
		const { description } = await worker.ready;
		const waiting = worker.waiting;
		// Queued before it is accepted: a full queue refuses the call itself.
		const working = worker.call('invert', payload, {
			signal,
			onEvent: (event) => forward(event as unknown as InvertEvent, send),
		});
		await Promise.race([working, Promise.resolve()]);
		send({
			accepted: {
				checkpoint: toWireCheckpoint(manifest),
				waiting,
				solverJson: JSON.stringify({ ...named, ...complete }),
				engine: String((description as { engine?: unknown } | null)?.engine ?? ''),
			},
		});
		const { images, selectedBy, perceptual, seconds } = (await working) as InvertResult;
		for (const [index, image] of images.entries()) {
			send({
				reconstruction: {
					index,
					name: image.name,
					image: toWireTensor(image.shape, image.data),
					png: image.png,
					residual: image.residual,
					...(image.heldOut === null ? {} : { heldOut: image.heldOut }),
					selectedBy,
					stopReason: image.reason,
					steps: image.steps,
					seconds,
					...known(image, [
						'psnr',
						'ssim',
						'oraclePsnr',
						'holePsnr',
						'holeSsim',
						'compositedPsnr',
						'compositedSsim',
						'lpips',
						'lpipsBy',
						'msssim',
						'identity',
						'identityBy',
						'niqe',
						'niqeBy',
					]),
					...(perceptual === null ? {} : { perceptual }),
					measurement: image.measurement ?? new Uint8Array(),
					spread: image.spread ?? new Uint8Array(),
				},
			});
		}
	}

	return {
		listCheckpoints: unary(async () => {
			await shelf.scan();
			return { checkpoints: shelf.list().map(toWireCheckpoint) };
		}),
		describeCheckpoint: unary(async ({ checkpoint: reference }: { checkpoint: string }) => {
			const manifest = await shelf.find(reference);
			const network = networkOf(manifest);
			const sizes = Object.values(network.shapes).map((shape) =>
				shape.reduce((product, side) => product * side, 1),
			);
			return {
				checkpoint: toWireCheckpoint(manifest),
				manifestJson: JSON.stringify(manifest),
				cuts: isGlow(network) ? [] : network.cuts,
				parameters: sizes.reduce((sum, size) => sum + size, 0),
			};
		}),
		listProblems: unary(() => ({
			problems: operators.map(({ kind, summary, schema }) => ({
				kind,
				summary,
				schemaJson: JSON.stringify(z.toJSONSchema(schema, { io: 'input' })),
			})),
		})),
		listSolvers: unary(() => ({
			solvers: solvers.map((solver) => ({
				kind: solver.kind,
				summary: solver.summary,
				presets: Object.entries(solver.presets).map(([name, values]) => ({
					name,
					optionsJson: JSON.stringify(values),
				})),
				schemaJson: JSON.stringify(optionsSchema(solver)),
			})),
		})),
		sample: unary(async (request: WireSampleRequest & { _truncation?: string }, signal) => {
			const { dir } = await checkpoint(request.checkpoint);
			const payload = {
				checkpoint: { dir },
				count: request.count || 1,
				seed: request.seed,
				truncation: request._truncation ? request.truncation : 1,
			};
			const { shape, data, png } = (await worker.call('sample', payload, {
				signal: AbortSignal.any([signal, stopping]),
			})) as SampleResult;
			return { images: toWireTensor(shape, data), png };
		}),
		invert(call: grpc.ServerWritableStream<WireInvertRequest, WireInvertEvent>) {
			const cancel = new AbortController();
			call.on('cancelled', () => cancel.abort(new RtilError('CANCELLED', 'The call was cancelled.')));
			const signal = AbortSignal.any([cancel.signal, stopping]);
			const send = (event: WireInvertEvent): void => {
				if (!signal.aborted) call.write(event);
			};
			invert(call.request, signal, send).then(
				() => call.end(),
				(error) => {
					if (!(error instanceof RtilError)) onLog('warn', String((error as Error)?.stack ?? error));
					call.emit('error', toStatus(error));
				},
			);
		},
	};
}

/** The oneof of a request, checked as far as it can be without the images. */
function inputOf({ simulation, measurements }: WireInvertRequest): InvertPayload['input'] {
	if (simulation) {
		const problem = fromJson(simulation.problemJson, 'problem_json');
		parseProblem(problem);
		if (simulation.images.length === 0) throw expected('at least one image', 'simulation.images', 0);
		const images = simulation.images.map(({ name, file }, i) => ({ name: name || `image ${i + 1}`, file }));
		return { problem, images, resize: simulation.resize };
	}
	if (measurements && measurements.files.length > 0) return { measurements: measurements.files };
	throw expected('a simulation or measurements', 'input', undefined);
}

function forward(event: InvertEvent, send: (event: WireInvertEvent) => void): void {
	if (event.type === 'preview') send({ preview: { step: event.step, png: event.png } });
	if (event.type !== 'progress') return;
	const { type: _, ...progress } = event;
	send({ progress });
}

/** The fields that are not null. */
function known<T, Key extends keyof T>(of: T, keys: readonly Key[]): { [key in Key]?: NonNullable<T[key]> } {
	const found: { [key in Key]?: NonNullable<T[key]> } = {};
	for (const key of keys) {
		const value = of[key];
		if (value !== null && value !== undefined) found[key] = value;
	}
	return found;
}

/** Resolves when the signal aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
	if (!signal.aborted) await once(signal, 'abort');
}
