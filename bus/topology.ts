// The streams and buckets of the cluster and how they are made: by whoever comes first, with the same outcome.
import {
	AckPolicy,
	DeliverPolicy,
	DiscardPolicy,
	JetStreamApiError,
	ReplayPolicy,
	RetentionPolicy,
	StorageType,
	type StreamConfig,
} from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { nanos } from '@nats-io/transport-node';
import { limits } from './limits.ts';
import type { Link } from './link.ts';

export const subjects = {
	job: (jobClass: string, kind: string) => `job.${jobClass}.${kind}`,
	event: (run: string, kind = '*') => `event.${run}.${kind}`,
	dead: (run = '*') => `dead.${run}`,
};

export type BucketName = 'runs' | 'registry' | 'jobs' | 'results' | 'checkpoints' | 'nodes' | 'leases';

/** Makes the streams that are missing. */
export async function ensureStreams(link: Link): Promise<void> {
	const common = {
		storage: StorageType.File,
		max_msg_size: limits.message,
		duplicate_window: nanos(limits.duplicates),
	};
	await Promise.all([
		// jobs leave when they are done; a full queue refuses instead of forgetting
		ensureStream(link, {
			...common,
			name: 'JOBS',
			subjects: ['job.>'],
			retention: RetentionPolicy.Workqueue,
			discard: DiscardPolicy.New,
			max_msgs: limits.jobs,
		}),
		ensureStream(link, {
			...common,
			name: 'EVENTS',
			subjects: ['event.>'],
			discard: DiscardPolicy.Old,
			max_age: nanos(limits.eventAge),
			max_bytes: limits.eventBytes,
		}),
		ensureStream(link, {
			...common,
			name: 'DLQ',
			subjects: ['dead.>'],
			discard: DiscardPolicy.Old,
			max_msgs: limits.deadLetters,
		}),
	]);
}

async function ensureStream(link: Link, config: Partial<StreamConfig> & { name: string }): Promise<void> {
	try {
		await link.jsm.streams.info(config.name);
	} catch (error) {
		if (!isMissing(error)) throw error;
		await link.jsm.streams.add(config);
	}
}

/** Opens a bucket, making it if it is missing. With a time to live, what is not renewed in it disappears. */
export async function openBucket(link: Link, name: BucketName): Promise<KV> {
	const ttl = name === 'nodes' ? link.timing.nodeTtl : name === 'leases' ? link.timing.leaseTtl : undefined;
	return new Kvm(link.js).create(name, {
		history: 1,
		storage: StorageType.File,
		// reads go to the leader: a revision just written is a revision read
		allow_direct: false,
		...(ttl ? { ttl } : {}),
	});
}

/** Makes the consumer of a resource class if it is missing; returns its `ack_wait` in milliseconds. */
export async function ensureConsumer(link: Link, jobClass: string): Promise<number> {
	const add = () =>
		link.jsm.consumers.add('JOBS', {
			durable_name: jobClass,
			filter_subject: subjects.job(jobClass, '*'),
			ack_policy: AckPolicy.Explicit,
			deliver_policy: DeliverPolicy.All,
			replay_policy: ReplayPolicy.Instant,
			ack_wait: nanos(link.timing.ackWait),
			max_deliver: -1, // budgets are kept in the job's record, by cause
		});
	const info = await link.jsm.consumers.info('JOBS', jobClass).catch((error) => {
		if (isMissing(error)) return add();
		throw error;
	});
	return (info.config.ack_wait ?? nanos(limits.ackWait)) / 1e6;
}

export function isMissing(error: unknown): boolean {
	return error instanceof JetStreamApiError && (error.code === 10014 || error.code === 10059);
}
