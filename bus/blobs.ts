// Content-addressed blobs over the JetStream object store: the name is the sha256 of the content, computed by us before
// sending and again after receiving, so that what arrives is what was meant, whatever lies between.
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StorageType } from '@nats-io/jetstream';
import { type ObjectInfo, type ObjectStore, Objm, setSha256Backend } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import { expected, RtilError } from '../errors/index.ts';
import type { BlobRef, Bus } from './contract.ts';
import { limits, refuseOver } from './limits.ts';
import { type Link, persist } from './link.ts';

type Source = string | Uint8Array;

/**
 * @param connect opens the connection for the transfers: one of their own, so that chunks do not delay heartbeats
 * @param cache folder of blobs fetched as files, or none
 */
export function makeBlobs(
	link: Link,
	connect: () => Promise<NatsConnection>,
	cache: string | undefined,
): Pick<Bus, 'putBlob' | 'hasBlob' | 'getBlob' | 'getBlobFile'> {
	let opened: Promise<ObjectStore> | undefined;
	async function openStore(): Promise<ObjectStore> {
		setSha256Backend('native'); // the library's own check, in JavaScript, would take most of the time
		return await new Objm(await connect()).create('blobs', { storage: StorageType.File });
	}
	const store = async () => {
		opened ??= openStore();
		try {
			return await opened;
		} catch (error) {
			opened = undefined; // not to remember a failure
			throw error;
		}
	};

	async function infoOf(sha256: string): Promise<ObjectInfo | null> {
		if (!/^[0-9a-f]{64}$/.test(sha256)) throw expected('64 hexadecimal digits', 'sha256', sha256);
		const info = await persist(link, async () => (await store()).info(sha256));
		return info && !info.deleted ? info : null;
	}

	async function requireInfo(sha256: string): Promise<ObjectInfo> {
		const info = await infoOf(sha256);
		if (info) return info;
		throw new RtilError(
			'NOT_FOUND',
			`There is no blob ${sha256} in the store`,
			'Run the step that made it again.',
		);
	}

	// An object of that name whose digest is another is damage: a put mends it.
	async function hasBlob(sha256: string): Promise<boolean> {
		const stored = (await infoOf(sha256))?.digest.replace(/^SHA-256=/, '');
		return stored !== undefined && Buffer.from(stored, 'base64url').toString('hex') === sha256;
	}

	async function putBlob(source: Source): Promise<BlobRef> {
		if (typeof source === 'string' && !(await stat(source).catch(() => null))?.isFile()) {
			throw new RtilError('NOT_FOUND', `There is no file ${source}`);
		}
		const ref = await digest(readerOf(source));
		if (await hasBlob(ref.sha256)) return ref;
		const meta = {
			name: ref.sha256,
			options: { max_chunk_size: Math.min(limits.blobChunk, link.maxMessage) },
		};
		await persist(link, async () => {
			const hash = createHash('sha256');
			const content = Readable.toWeb(Readable.from(hashed(readerOf(source), hash)));
			await (await store()).put(meta, content as ReadableStream<Uint8Array>, { timeout: limits.stall });
			if (hash.digest('hex') !== ref.sha256) {
				await (await store()).delete(ref.sha256);
				throw new RtilError(
					'CORRUPT',
					`The file ${String(source)} changed while it was sent`,
					'Send it again.',
				);
			}
		});
		return ref;
	}

	// The content as it comes; fails (CORRUPT) at its end if it is not what its name says.
	async function* contentOf(sha256: string): AsyncGenerator<Uint8Array> {
		const found = await (await store()).get(sha256);
		if (!found) throw new RtilError('NOT_FOUND', `There is no blob ${sha256} in the store`);
		const reader = found.data.getReader();
		found.error.catch(() => {}); // it also comes through the reader
		const hash = createHash('sha256');
		try {
			for (;;) {
				const { done, value } = await withinStall(reader.read(), sha256);
				if (done) break;
				hash.update(value);
				yield value;
			}
		} catch (error) {
			if (error instanceof Error && /corrupt object/.test(error.message)) throw corrupt(sha256);
			throw error;
		} finally {
			await reader.cancel().catch(() => {});
		}
		if (hash.digest('hex') !== sha256) throw corrupt(sha256);
	}

	async function getBlob(sha256: string): Promise<Buffer> {
		refuseOver(limits.blobInMemory, (await requireInfo(sha256)).size, `the blob ${sha256} in memory`);
		return await persist(link, async () => {
			const chunks: Uint8Array[] = [];
			for await (const chunk of contentOf(sha256)) chunks.push(chunk);
			return Buffer.concat(chunks);
		});
	}

	async function getBlobFile(sha256: string, path?: string): Promise<string> {
		const file = path ?? cached(sha256);
		if (await holds(file, sha256)) {
			await utimes(file, new Date(), new Date()).catch(() => {}); // what is used lately is cleaned up last
			return file;
		}
		await requireInfo(sha256);
		await mkdir(dirname(file), { recursive: true });
		const temporary = `${file}.${randomUUID()}.part`;
		try {
			await persist(link, () => pipeline(contentOf(sha256), createWriteStream(temporary)));
			const handle = await open(temporary, 'r+');
			await handle.sync().finally(() => handle.close());
			await rename(temporary, file);
		} finally {
			await rm(temporary, { force: true });
		}
		return file;
	}

	function cached(sha256: string): string {
		if (cache) return join(cache, sha256.slice(0, 2), sha256);
		throw expected('a folder', 'cache of connectBus', cache, 'Give one, or a path to getBlobFile.');
	}

	return { putBlob, hasBlob, getBlob, getBlobFile };
}

async function holds(file: string, sha256: string): Promise<boolean> {
	const found = await stat(file).catch(() => null);
	return found !== null && (await digest(createReadStream(file))).sha256 === sha256;
}

function readerOf(source: Source): Readable {
	if (typeof source === 'string') return createReadStream(source, { highWaterMark: limits.blobChunk });
	return Readable.from([source]);
}

async function digest(content: Readable): Promise<BlobRef> {
	const hash = createHash('sha256');
	let bytes = 0;
	for await (const chunk of content) {
		hash.update(chunk as Uint8Array);
		bytes += (chunk as Uint8Array).length;
	}
	return { sha256: hash.digest('hex'), bytes };
}

async function* hashed(content: Readable, hash: Hash): AsyncGenerator<Uint8Array> {
	for await (const chunk of content) {
		hash.update(chunk as Uint8Array);
		yield chunk as Uint8Array;
	}
}

function corrupt(sha256: string): RtilError {
	return new RtilError(
		'CORRUPT',
		`The blob ${sha256} in the store is not what its digest says`,
		'Run the step that made it again, and check the disk of the NATS server.',
	);
}

async function withinStall<T>(read: Promise<T>, sha256: string): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const stalled = new Promise<never>((_, reject) => {
		timer = setTimeout(
			() => reject(new RtilError('UNAVAILABLE', `No byte of the blob ${sha256} for ${limits.stall} ms`)),
			limits.stall,
		);
	});
	return await Promise.race([read, stalled]).finally(() => clearTimeout(timer));
}
