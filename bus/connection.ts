// `connectBus`: one connection, the streams and buckets it needs, and the parts of the bus put together.
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, errors, type NatsConnection } from '@nats-io/transport-node';
import { expected, RtilError } from '../errors/index.ts';
import type { CheckpointAnnouncement } from '../proto/index.ts';
import { makeBlobs } from './blobs.ts';
import { systemClock } from './clock.ts';
import type { Bus, BusOptions, FollowOptions, KvStore } from './contract.ts';
import type { CancelFlag } from './delivery.ts';
import { makeEvents } from './events.ts';
import { makeJobs } from './jobs.ts';
import { jsonCodec, messageCodec, openStore } from './kv.ts';
import { makeLeases } from './leases.ts';
import { limits } from './limits.ts';
import { type Link, persist, requirePath, requireToken } from './link.ts';
import { ensureStreams, openBucket } from './topology.ts';

/** Connects to the cluster at a URL. Throws INVALID_INPUT for a URL that is none, UNAVAILABLE within 5 s if no NATS
 * server answers there, ENVIRONMENT if it lacks JetStream. */
export async function connectBus(options: BusOptions): Promise<Bus> {
	const { name, clock = systemClock, onStatus = () => {} } = options;
	requireToken('name', name);
	const { servers, shown, credentials } = parseUrl(options.url);
	const dial = async (suffix = '') =>
		await connect({
			servers,
			...credentials,
			name: `rtil ${name}${suffix}`,
			timeout: limits.connect,
			maxReconnectAttempts: -1, // the default gives up after 20 s, and a trainer with it
			reconnectTimeWait: 500,
			pingInterval: 15_000,
		}).catch((error) => {
			throw connectFailure(shown, error);
		});

	const nc = await dial();
	const closing = new AbortController();
	const starting = new Set<Promise<unknown>>();
	let transfers: Promise<NatsConnection> | undefined;
	const close = async () => {
		closing.abort(new RtilError('CANCELLED', 'The connection to NATS was closed by this process'));
		const second = await transfers?.catch(() => null);
		await Promise.race([Promise.allSettled([...starting]), delay(limits.request, undefined, { ref: false })]);
		await Promise.allSettled([shut(nc), second && shut(second)]);
	};
	try {
		const link: Link = {
			nc,
			js: jetstream(nc, { timeout: limits.request }),
			jsm: await jetstreamManager(nc, { timeout: limits.request }),
			url: shown,
			name,
			clock,
			timing: {
				ackWait: limits.ackWait,
				nodeTtl: limits.nodeTtl,
				leaseTtl: limits.leaseTtl,
				...options.timing,
			},
			maxMessage: Math.min(limits.message, (nc.info?.max_payload ?? limits.message) - 4096),
			closing: closing.signal,
			starting,
			onStatus,
		};
		reportStatus(link);
		const dialForTransfers = () => {
			transfers ??= dial(' blobs');
			transfers.catch(() => {
				transfers = undefined;
			});
			return transfers;
		};
		return { ...(await assemble(link, dialForTransfers, options.cache)), close };
	} catch (error) {
		await close();
		throw error instanceof RtilError ? error : jetstreamFailure(shown, error);
	}
}

async function assemble(
	link: Link,
	dialForTransfers: () => Promise<NatsConnection>,
	cache: string | undefined,
): Promise<Omit<Bus, 'close'>> {
	await ensureStreams(link);
	const events = makeEvents(link);
	const [runs, registry, records, results, checkpoints, nodes, leases] = await Promise.all([
		openStore<unknown>(link, 'runs', jsonCodec()),
		openStore<unknown>(link, 'registry', jsonCodec()),
		openStore(link, 'jobs', messageCodec('JobRecord')),
		openStore(link, 'results', messageCodec('Result')),
		openStore(link, 'checkpoints', messageCodec('CheckpointAnnouncement')),
		openStore(link, 'nodes', messageCodec('NodeStatus')),
		openStore(link, 'leases', messageCodec('LeaseHolder')),
	]);
	const cancels = runs as KvStore<CancelFlag>;
	return {
		url: link.url,
		name: link.name,
		clock: link.clock,
		serverVersion: link.nc.info?.version ?? 'unknown',
		nodeTtl: await ttlOf(link, 'nodes'),
		...events,
		...makeJobs(link, { records, results, cancels, publishEvent: events.publishEvent }),
		...makeLeases(link, leases, await ttlOf(link, 'leases')),
		...makeBlobs(link, dialForTransfers, cache),
		...makeCheckpoints(checkpoints),
		kv: <T>(bucket: 'runs' | 'registry') => (bucket === 'runs' ? runs : registry) as KvStore<T>,
		async reportNode(status) {
			await nodes.put(status.name, status);
		},
		forgetNode: (node) => nodes.delete(node),
		nodes: async () => (await nodes.entries()).map(({ value }) => value),
	};
}

function makeCheckpoints(
	store: KvStore<CheckpointAnnouncement>,
): Pick<Bus, 'announceCheckpoint' | 'checkpoints' | 'followCheckpoints'> {
	async function announceCheckpoint(announcement: CheckpointAnnouncement): Promise<void> {
		const { run, arm, step } = announcement;
		requireToken('run', run);
		requireToken('arm', arm);
		await store.put(`${run}.${arm}.${step}`, announcement);
	}

	async function checkpoints(run = '*', arm = '*'): Promise<CheckpointAnnouncement[]> {
		const found = (await store.entries(`${run}.${arm}.*`)).map(({ value }) => value);
		return found.sort((a, b) => a.step - b.step || a.at - b.at);
	}

	async function* followCheckpoints(options: FollowOptions & { run?: string } = {}) {
		const { run = '*', signal } = options;
		if (run !== '*') requirePath('run', run);
		for await (const { value } of store.watch(`${run}.*.*`, signal ? { signal } : {})) if (value) yield value;
	}

	return { announceCheckpoint, checkpoints, followCheckpoints };
}

// What the bucket was made with, by whoever came first.
async function ttlOf(link: Link, bucket: 'nodes' | 'leases'): Promise<number> {
	return await persist(link, async () => (await (await openBucket(link, bucket)).status()).ttl);
}

async function reportStatus({ nc, url, onStatus, closing }: Link): Promise<void> {
	for await (const { type } of nc.status()) {
		if (closing.aborted) return;
		if (type === 'disconnect') onStatus(`lost the connection to NATS at ${url}; trying again`);
		if (type === 'reconnect') onStatus(`connected again to NATS at ${url}`);
	}
}

// Sends what is under way, but never waits for a server that is away.
async function shut(nc: NatsConnection): Promise<void> {
	const timer = setTimeout(() => nc.close(), 2000);
	await nc.drain().catch(() => nc.close());
	clearTimeout(timer);
}

function parseUrl(url: string) {
	const parsed = URL.canParse(url) ? new URL(url) : null;
	if (!parsed || !['nats:', 'tls:'].includes(parsed.protocol) || !parsed.hostname) {
		throw expected('an address like nats://127.0.0.1:4222', 'NATS', url);
	}
	const servers = `${parsed.hostname}:${parsed.port || 4222}`;
	const [user, pass] = [decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)];
	const credentials = {
		...(pass ? { user, pass } : user ? { token: user } : {}),
		...(parsed.protocol === 'tls:' ? { tls: {} } : {}),
	};
	return { servers, credentials, shown: `${parsed.protocol}//${servers}` }; // without the password
}

function connectFailure(url: string, cause: unknown): RtilError {
	if (cause instanceof errors.AuthorizationError) {
		return new RtilError(
			'UNAVAILABLE',
			`The NATS server at ${url} refused the credentials`,
			'Give them in the address: nats://user:password@host:port.',
			{ cause },
		);
	}
	return new RtilError(
		'UNAVAILABLE',
		`No NATS server answers at ${url}`,
		'Start one (`rtil up`, or `nats-server -js`), or correct the address given by --nats.',
		{ cause },
	);
}

function jetstreamFailure(url: string, cause: unknown): RtilError {
	const reason = cause instanceof Error ? cause.message : String(cause);
	return new RtilError(
		'ENVIRONMENT',
		`The NATS server at ${url} does not give JetStream: ${reason}`,
		'Start it with -js and a store folder with enough space.',
		{ cause },
	);
}
