// Bytes to messages and back, by reflection over rtil/v1/bus.proto: JSON fields are parsed, enumerations become words.
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { RtilError } from '../errors/index.ts';
import { protoFolder } from './files.ts';
import type { Messages, RunEvent } from './messages.ts';

export type MessageName = keyof Messages;
type Fields = Record<string, unknown>;
type Convert = (field: protobuf.Field, value: unknown) => unknown;

// The bytes fields that carry JSON, as `Message.field`.
const jsonFields = new Set([
	'Job.payload',
	'Result.value',
	'Event.data',
	'CheckpointAnnouncement.manifest',
	'NodeStatus.description',
]);

const root = new protobuf.Root();
root.loadSync(join(protoFolder(), 'rtil/v1/bus.proto'));
root.resolveAll();

/** The bytes of a message. */
export function encode<N extends MessageName>(name: N, message: Messages[N]): Uint8Array {
	const type = root.lookupType(`rtil.v1.${name}`);
	const fields = name === 'Event' ? splitBinary(message as RunEvent) : (message as unknown as Fields);
	return type.encode(type.fromObject(mapFields(type, fields, toWire))).finish();
}

/** The message in the bytes. Throws CORRUPT if they are none. */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): Messages[N] {
	const type = root.lookupType(`rtil.v1.${name}`);
	try {
		const wire = type.toObject(type.decode(bytes), { longs: Number, enums: String, defaults: true });
		const fields = mapFields(type, wire, fromWire);
		return (name === 'Event' ? joinBinary(fields) : fields) as unknown as Messages[N];
	} catch (cause) {
		throw new RtilError(
			'CORRUPT',
			`Expected a message rtil.v1.${name} but received ${bytes.length} bytes that are none`,
			'Let every process of the cluster run the same version of rtil.',
			{ cause },
		);
	}
}

const toWire: Convert = (field, value) => {
	if (isJson(field)) return Buffer.from(JSON.stringify(value ?? null));
	if (field.resolvedType instanceof protobuf.Enum)
		return prefix(field.resolvedType) + String(value).toUpperCase();
	return value;
};

const fromWire: Convert = (field, value) => {
	if (isJson(field)) {
		const bytes = value as Uint8Array;
		return bytes.length === 0 ? null : JSON.parse(Buffer.from(bytes).toString('utf8'));
	}
	if (field.resolvedType instanceof protobuf.Enum) {
		return String(value).slice(prefix(field.resolvedType).length).toLowerCase();
	}
	return value;
};

// Every field of the message, and of the messages in it, converted.
function mapFields(type: protobuf.Type, fields: Fields, convert: Convert): Fields {
	const mapped: Fields = {};
	for (const field of type.fieldsArray) {
		const value = fields[field.name] ?? null;
		const inner = field.resolvedType;
		const one = (item: unknown) =>
			inner instanceof protobuf.Type ? mapFields(inner, item as Fields, convert) : convert(field, item);
		if (value === null && !isJson(field)) mapped[field.name] = null;
		else mapped[field.name] = field.repeated ? (value as unknown[]).map(one) : one(value);
	}
	return mapped;
}

function isJson(field: protobuf.Field): boolean {
	return jsonFields.has(`${field.parent?.name}.${field.name}`);
}

// JobState -> JOB_STATE_
function prefix(type: protobuf.Enum): string {
	return `${type.name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()}_`;
}

// Bytes do not survive JSON: they travel beside it, by field name.
function splitBinary(event: RunEvent): Fields {
	const data: Fields = {};
	const binary: Record<string, Uint8Array> = {};
	for (const [name, value] of Object.entries(event.data)) {
		if (value instanceof Uint8Array) binary[name] = value;
		else data[name] = value;
	}
	return { ...event, data, binary };
}

function joinBinary({ binary, ...event }: Fields): Fields {
	return { ...event, data: { ...(event.data as Fields), ...(binary as Fields) } };
}
