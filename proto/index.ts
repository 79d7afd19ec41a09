// The wire: typed envelopes for NATS, read from proto/rtil/v1/*.proto by reflection, and where those files are.
// May import only errors. Start reading at rtil/v1/bus.proto; the TypeScript shapes of its messages are in messages.ts.
export { decode, encode, type MessageName } from './envelope.ts';
export { protoFolder } from './files.ts';
export type {
	BlobFile,
	CheckpointAnnouncement,
	DeadLetter,
	Failure,
	Job,
	JobRecord,
	JobResult,
	JobState,
	LeaseHolder,
	Messages,
	NodeState,
	NodeStatus,
	RunEvent,
} from './messages.ts';
