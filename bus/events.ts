// The stream of everything that happens in a run. Progress bars, dashboard, TensorBoard and report all read it.
import { randomUUID } from 'node:crypto';
import { DeliverPolicy } from '@nats-io/jetstream';
import { expected } from '../errors/index.ts';
import { decode, encode } from '../proto/index.ts';
import type { Bus, EventData, FollowEventsOptions, FollowedEvent } from './contract.ts';
import { limits, refuseOver } from './limits.ts';
import { isTransient, type Link, persist, requireToken, startConsumer, unavailable } from './link.ts';
import { subjects } from './topology.ts';

export function makeEvents(link: Link): Pick<Bus, 'publishEvent' | 'followEvents'> {
	return {
		async publishEvent(run: string, data: EventData, about: { job?: string; node?: string } = {}) {
			requireToken('run', run);
			requireToken('event.type', data.type);
			const { job = '', node = link.name } = about;
			const bytes = encode('Event', { run, kind: data.type, job, node, at: link.clock.now(), data });
			refuseOver(link.maxMessage, bytes.length, `an event of type ${data.type}`);
			const msgID = randomUUID(); // sent again after a lost answer, it is stored once
			await persist(link, () => link.js.publish(subjects.event(run, data.type), bytes, { msgID }));
		},
		followEvents: (run, options = {}) => followEvents(link, run, options),
	};
}

async function* followEvents(
	link: Link,
	run: string,
	{ from = 'start', kind = '*', signal: asked }: FollowEventsOptions,
): AsyncGenerator<FollowedEvent> {
	requireToken('run', run);
	if (kind !== '*') requireToken('kind', kind);
	if (typeof from === 'number' && !(Number.isInteger(from) && from >= 0)) {
		throw expected("'start', 'now' or a sequence", 'from', from);
	}
	const signal = asked ? AbortSignal.any([asked, link.closing]) : link.closing;
	let next = typeof from === 'number' ? Math.max(from, 1) : undefined;
	while (!signal.aborted) {
		const open = async () => {
			const consumer = await link.js.consumers.get('EVENTS', {
				filter_subjects: subjects.event(run, kind),
				...(next === undefined
					? { deliver_policy: from === 'now' ? DeliverPolicy.New : DeliverPolicy.All }
					: { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: next }),
			});
			return await startConsumer(link, () => consumer.consume());
		};
		const messages = await persist(link, open, { patience: Number.POSITIVE_INFINITY, signal }).catch(
			(error) => {
				if (asked?.aborted) return null;
				throw error;
			},
		);
		if (!messages) return;
		const stop = () => messages.stop();
		signal.addEventListener('abort', stop, { once: true });
		if (signal.aborted) stop();
		try {
			for await (const message of messages) {
				if (signal.aborted) break;
				next = message.seq + 1;
				yield { ...decode('Event', message.data), sequence: message.seq, behind: message.info.pending > 0 };
			}
		} catch (error) {
			if (!isTransient(error)) throw error;
		} finally {
			signal.removeEventListener('abort', stop);
			messages.stop();
		}
		if (asked?.aborted) return;
		if (signal.aborted || link.nc.isClosed()) throw unavailable(link, link.closing.reason);
		await link.clock.sleep(limits.restart.first, signal).catch(() => {});
	}
}
