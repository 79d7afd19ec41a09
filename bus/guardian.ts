// A process of its own between ours and nats-server: it ends the server when our process is gone, however that ended,
// because the channel to its parent closes then. Started by embedded.ts with the binary, its configuration file and
// the log file; sends `ready` with the server's port, or `exit` with the last lines of its log.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

export type GuardianMessage =
	| { type: 'ready'; pid: number; port: number }
	| { type: 'exit'; reason: string; tail: string[] };

const [binary, config, logFile] = process.argv.slice(2) as [string, string, string];
const log = createWriteStream(logFile, { flags: 'a' });
const server = spawn(binary, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
const tail: string[] = [];
let port = 0;

server.on('error', (error) => finish(error.message));
server.on('close', (code, signal) => finish(signal ? `ended by ${signal}` : `ended with code ${code}`));

createInterface({ input: server.stderr }).on('line', (line) => {
	log.write(`${line}\n`);
	tail.push(line.replace(/^\[\d+\] \S+ \S+ /, ''));
	if (tail.length > 20) tail.shift();
	port ||= Number(/Listening for client connections on .*:(\d+)$/.exec(line)?.[1] ?? 0);
	if (line.endsWith('Server is ready')) send({ type: 'ready', pid: server.pid!, port });
});

process.on('message', stop); // the only message there is
process.on('disconnect', stop);
process.on('SIGTERM', stop);
process.on('SIGINT', () => {}); // a Ctrl-C is our parent's business

function stop(): void {
	server.kill('SIGTERM');
	setTimeout(() => server.kill('SIGKILL'), 5000).unref();
}

function finish(reason: string): void {
	send({ type: 'exit', reason, tail });
	log.end(() => process.exit(0));
}

function send(message: GuardianMessage): void {
	if (process.connected) process.send!(message, () => {}); // the parent may go at any moment
}
