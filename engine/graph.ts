// A TensorFlow graph under construction, and its file form: a SavedModel with one meta graph, enough for
// TF_LoadSessionFromSavedModel. Field numbers are those of tensorflow/core/framework/*.proto.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import protobuf from 'protobufjs';

const schema = protobuf.parse(`
	syntax = "proto3";
	message SavedModel { int64 saved_model_schema_version = 1; repeated MetaGraph meta_graphs = 2; }
	message MetaGraph { MetaInfo meta_info_def = 1; Graph graph_def = 2; }
	message MetaInfo { repeated string tags = 4; }
	message Graph { repeated Node node = 1; Versions versions = 4; }
	message Versions { int32 producer = 1; }
	message Node {
		string name = 1; string op = 2; repeated string input = 3; string device = 4; map<string, Attribute> attr = 5;
	}
	message Attribute {
		oneof value { List list = 1; bytes s = 2; int64 i = 3; float f = 4; bool b = 5; int32 type = 6; Shape shape = 7; Tensor tensor = 8; }
	}
	message List { repeated bytes s = 2; repeated int64 i = 3; repeated float f = 4; repeated bool b = 5; repeated int32 type = 6; }
	message Shape { message Dimension { int64 size = 1; } repeated Dimension dim = 2; }
	message Tensor { int32 dtype = 1; Shape tensor_shape = 2; bytes tensor_content = 4; }
`).root;

/** The oldest GraphDef producer version with all the semantics in use; what TensorFlow 2.x writes is larger. */
const graphProducerVersion = 1087;

/** Attribute values in the shape of AttrValue's oneof. */
export type Attribute =
	| { s: Uint8Array }
	| { i: number }
	| { f: number }
	| { b: boolean }
	| { type: number }
	| { shape: { dim: { size: number }[] } }
	| { tensor: { dtype: number; tensorShape: { dim: { size: number }[] }; tensorContent: Uint8Array } }
	| { list: { i?: number[]; f?: number[]; b?: boolean[]; s?: Uint8Array[]; type?: number[] } };

interface Node {
	name: string;
	op: string;
	input: string[];
	attr: Record<string, Attribute>;
	device?: string;
}

/** Where a value comes from: `node` or `node:output`. */
export type Source = string;

export function shapeAttribute(shape: readonly number[]): Attribute {
	return { shape: { dim: shape.map((size) => ({ size })) } };
}

/** Nodes in creation order; names are given here and unique. */
export class GraphBuilder {
	readonly nodes: Node[] = [];
	readonly #constants = new Map<string, Source>();
	#scope = '';

	/** Prefix of the names given from now on. */
	enter(scope: string): void {
		this.#scope = scope;
	}

	/** Adds an operation; `after` are nodes that must have run before it (control inputs). */
	add(
		op: string,
		inputs: readonly Source[],
		attr: Record<string, Attribute> = {},
		after: readonly Source[] = [],
	): Source {
		const name = `${this.#scope}/${op}_${this.nodes.length}`;
		this.nodes.push({ name, op, input: [...inputs, ...after.map((source) => `^${nodeOf(source)}`)], attr });
		return name;
	}

	/** A constant; equal ones are one node. */
	constant(dtype: number, shape: readonly number[], bytes: Uint8Array): Source {
		const key =
			bytes.length <= 1024
				? `${this.#scope}|${dtype}|${shape}|${Buffer.from(bytes).toString('base64')}`
				: undefined;
		const known = key === undefined ? undefined : this.#constants.get(key);
		if (known) return known;
		const dim = shape.map((size) => ({ size }));
		const source = this.add('Const', [], {
			dtype: { type: dtype },
			value: { tensor: { dtype, tensorShape: { dim }, tensorContent: bytes } },
		});
		if (key !== undefined) this.#constants.set(key, source);
		return source;
	}

	placeholder(dtype: number, shape: readonly number[]): Source {
		return this.add('Placeholder', [], { dtype: { type: dtype }, shape: shapeAttribute(shape) });
	}

	/** Writes the graph as a SavedModel with the tag `serve` into `folder`. */
	save(folder: string): void {
		const type = schema.lookupType('SavedModel');
		const bytes = type
			.encode(
				type.fromObject({
					savedModelSchemaVersion: 1,
					metaGraphs: [
						{
							metaInfoDef: { tags: ['serve'] },
							graphDef: { node: this.nodes, versions: { producer: graphProducerVersion } },
						},
					],
				}),
			)
			.finish();
		mkdirSync(folder, { recursive: true });
		writeFileSync(path.join(folder, 'saved_model.pb'), bytes);
	}
}

export function nodeOf(source: Source): string {
	const colon = source.indexOf(':');
	return colon < 0 ? source : source.slice(0, colon);
}
