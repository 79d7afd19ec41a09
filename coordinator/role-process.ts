// The module that a role's process runs inside an embedded cluster. It lives as long as its parent's IPC channel: when
// that closes, because the parent stops the cluster or was killed, the role ends in order, and in bounded time.
import pino from 'pino';
import { toRecord } from '../errors/index.ts';
import type { RoleMessage, RoleName, RoleOptions } from './cluster.ts';
import { runRole } from './roles.ts';

/** A role that has not ended by itself after this many milliseconds is ended. */
const patience = 18_000;

const [role, json] = process.argv.slice(2) as [RoleName, string];
const options = JSON.parse(json) as RoleOptions;
const log = pino({ base: { role, pid: process.pid } });
const stop = new AbortController();

const leave = (): void => {
	stop.abort();
	setTimeout(() => process.exit(1), patience).unref();
};
process.on('disconnect', leave);
if (!process.connected) leave(); // the parent was gone before we listened
// Ctrl-C in a terminal reaches every process of its group; the parent decides what it means.
for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
process.on('SIGTERM', () => stop.abort());

const tell = (message: RoleMessage): void => {
	if (process.connected) process.send!(message);
};

try {
	await runRole(role, options, {
		signal: stop.signal,
		onLog: (level, text) => log[level](text),
		onReady: (ready) => tell({ type: 'ready', ...ready }),
	});
} catch (error) {
	log.error(error);
	const record = toRecord(error);
	// A defect may pass with a new start; what a person must mend will not.
	if (record.code !== 'DEFECT' && record.code !== 'UNAVAILABLE') tell({ type: 'error', error: record });
	process.exitCode = 1;
}
// Whatever still holds the event loop has had its chance.
setTimeout(() => process.exit(), 500).unref();
if (process.connected) process.disconnect();
