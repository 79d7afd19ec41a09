// The gRPC service as TypeScript sees it: shapes of the messages of proto/rtil/v1/inverter.proto (as proto-loader gives
// them under `loaderOptions`), the loaded definition, and the ways across the border.
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { expected, RtilError, Status } from '../errors/index.ts';
import { protoFolder } from '../proto/index.ts';
import type { Quality } from './quality.ts';

export interface WireTensor {
	shape: number[];
	data: Uint8Array;
}

export interface WireCheckpoint {
	id: string;
	run: string;
	arm: string;
	step: number;
	resolution: number;
	createdAt: string;
	rtil: boolean;
}

export interface WireDescription {
	checkpoint: WireCheckpoint;
	manifestJson: string;
	cuts: { name: string; resolution: number; channels: number }[];
	parameters: number;
}

export interface WireProblem {
	kind: string;
	summary: string;
	schemaJson: string;
}

export interface WireSolver {
	kind: string;
	summary: string;
	presets: { name: string; optionsJson: string }[];
	schemaJson: string;
}

export interface WireSampleRequest {
	checkpoint: string;
	count: number;
	seed: number;
	truncation?: number;
}

export interface WireSample {
	images: WireTensor;
	png: Uint8Array;
}

export interface WireInvertRequest {
	checkpoint: string;
	simulation?: { problemJson: string; images: { name: string; file: Uint8Array }[]; resize: boolean } | null;
	measurements?: { files: Uint8Array[] } | null;
	solverJson: string;
	seed: number;
	progressEvery: number;
	previewEvery: number;
	timeLimitSeconds: number;
}

/** What was judged; a field that is null or absent there is absent here. */
type WireQuality = { [Name in keyof Quality]?: NonNullable<Quality[Name]> };

export interface WireReconstruction extends WireQuality {
	index: number;
	name: string;
	image: WireTensor;
	png: Uint8Array;
	residual: number;
	heldOut?: number;
	selectedBy: string;
	stopReason: string;
	steps: number;
	seconds: number;
	oraclePsnr?: number;
	perceptual?: string;
	measurement: Uint8Array;
	spread: Uint8Array;
}

export interface WireProgress {
	layer: string;
	step: number;
	steps: number;
	objective: number[];
	residual: number[];
	secondsLeft: number;
}

/** One of the fields is there; `event` names it. */
export interface WireInvertEvent {
	event?: 'accepted' | 'progress' | 'preview' | 'reconstruction';
	accepted?: { checkpoint: WireCheckpoint; waiting: number; solverJson: string; engine: string } | null;
	progress?: WireProgress | null;
	preview?: { step: number; png: Uint8Array } | null;
	reconstruction?: WireReconstruction | null;
}

/** Requests carry images, answers a picture and a tensor of one image at a time. */
export const MAX_MESSAGE_BYTES = 64 * 2 ** 20;

/** Full name of the service, for health checks. */
export const SERVICE = 'rtil.v1.Inverter';

/** What proto-loader read: also what reflection serves. */
export function inverterDefinition(): PackageDefinition {
	return loadSync('rtil/v1/inverter.proto', {
		includeDirs: [path.resolve(protoFolder())],
		keepCase: false,
		longs: Number,
		enums: String,
		defaults: true,
		oneofs: true,
	});
}

/** The service of a loaded definition. */
export function inverterService(definition: PackageDefinition): grpc.ServiceDefinition {
	return definition[SERVICE] as grpc.ServiceDefinition;
}

export function toWireTensor(shape: readonly number[], data: Float32Array): WireTensor {
	return { shape: [...shape], data: Buffer.from(data.buffer, data.byteOffset, data.byteLength) };
}

/** A copy: bytes off the wire are not aligned. */
export function fromWireTensor({ shape, data }: WireTensor): { shape: number[]; data: Float32Array } {
	const size = shape.reduce((product, side) => product * side, 1);
	if (data.byteLength !== 4 * size)
		throw expected(`${4 * size} bytes`, `a tensor [${shape}]`, data.byteLength);
	return { shape, data: new Float32Array(Uint8Array.from(data).buffer) };
}

/** JSON in a request field; throws INVALID_INPUT naming the field. */
export function fromJson(text: string, field: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		throw expected('JSON', field, text);
	}
}

/** The status that an error becomes: a deliberate one keeps its code and line, a defect is INTERNAL without its stack. */
export function toStatus(error: unknown): { code: grpc.status; details: string } {
	if (error instanceof RtilError) {
		return { code: error.grpcStatus, details: [error.message, error.remedy].filter(Boolean).join(' ') };
	}
	return {
		code: grpc.status.INTERNAL,
		details: `Internal error: ${error instanceof Error ? error.message : error}`,
	};
}

const codes: Record<number, RtilError['code']> = {
	[Status.CANCELLED]: 'CANCELLED',
	[Status.INVALID_ARGUMENT]: 'INVALID_INPUT',
	[Status.DEADLINE_EXCEEDED]: 'DEADLINE',
	[Status.NOT_FOUND]: 'NOT_FOUND',
	[Status.RESOURCE_EXHAUSTED]: 'EXHAUSTED',
	[Status.FAILED_PRECONDITION]: 'MISMATCH',
	[Status.ABORTED]: 'CONFLICT',
	[Status.UNAVAILABLE]: 'UNAVAILABLE',
};

/** A failed call's status as an error of this project. */
export function fromStatus({ code, details }: { code: number; details: string }, address: string): RtilError {
	if (code === Status.UNAVAILABLE && /No connection established|ECONNREFUSED|ENOTFOUND|DNS/.test(details)) {
		return new RtilError(
			'UNAVAILABLE',
			`Nobody answers at ${address}.`,
			'Start a server with `rtil inverter`, or give the right --server HOST:PORT.',
		);
	}
	return new RtilError(
		codes[code] ?? 'JOB_FAILED',
		details || `The call to ${address} failed (status ${code}).`,
	);
}
