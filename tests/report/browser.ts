// A real Chromium for tests, driven over its debugging pipe: no driver to install, no port.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** Path of a Chromium or Chrome on PATH (or `CHROMIUM`), if there is one. */
export function findChromium(): string | undefined {
	const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
	const folders = (process.env.PATH ?? '').split(path.delimiter);
	const found = folders.flatMap((folder) => names.map((name) => path.join(folder, name)));
	return [process.env.CHROMIUM ?? '', ...found].find((file) => file !== '' && existsSync(file));
}

// biome-ignore lint/suspicious/noExplicitAny: the protocol's messages are as Chromium makes them
type Message = any;

/** A page of a browser: commands of the DevTools protocol, and the events it sent. */
export class Page {
	readonly events: { method: string; params: Message }[] = [];
	readonly #write: Writable;
	readonly #pending = new Map<
		number,
		{ resolve: (value: Message) => void; reject: (error: Error) => void }
	>();
	readonly #awaited: { method: string; resolve: (params: Message) => void }[] = [];
	#session: string | undefined;
	#next = 1;

	constructor(write: Writable, read: Readable) {
		this.#write = write;
		let rest = '';
		read.setEncoding('utf8').on('data', (chunk: string) => {
			const parts = (rest + chunk).split('\0');
			rest = parts.pop() ?? '';
			for (const part of parts) this.#receive(JSON.parse(part));
		});
	}

	/** Opens a tab and talks to it from now on. */
	async attach(): Promise<void> {
		const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
		const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
		this.#session = sessionId;
		for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.send(`${domain}.enable`);
	}

	send(method: string, params: object = {}): Promise<Message> {
		const id = this.#next++;
		const session = this.#session ? { sessionId: this.#session } : {};
		this.#write.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
		return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
	}

	/** Loads an address and waits until its pictures are there too. */
	async open(url: string): Promise<void> {
		const loaded = new Promise((resolve) => this.#awaited.push({ method: 'Page.loadEventFired', resolve }));
		await this.send('Page.navigate', { url });
		await loaded;
	}

	/** The value of an expression in the page. */
	async evaluate(expression: string): Promise<Message> {
		const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
			expression,
			returnByValue: true,
		});
		if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
		return result.value;
	}

	/** Everything the console, the loader and the policy complained about. */
	complaints(): string[] {
		return this.events.flatMap(({ method, params }) => {
			if (method === 'Log.entryAdded') return [params.entry.text];
			if (method === 'Runtime.exceptionThrown') return [params.exceptionDetails.text];
			if (method === 'Network.loadingFailed') return [params.errorText];
			return method === 'Runtime.consoleAPICalled' ? [JSON.stringify(params.args)] : [];
		});
	}

	#receive(message: Message): void {
		if (message.id !== undefined) {
			const waiting = this.#pending.get(message.id);
			this.#pending.delete(message.id);
			if (message.error) waiting?.reject(new Error(message.error.message));
			else waiting?.resolve(message.result);
			return;
		}
		this.events.push({ method: message.method, params: message.params });
		const at = this.#awaited.findIndex(({ method }) => method === message.method);
		if (at >= 0) this.#awaited.splice(at, 1)[0]?.resolve(message.params);
	}
}

/** Runs `body` with a page of a fresh headless browser, which is gone afterwards. */
export async function withPage(chromium: string, body: (page: Page) => Promise<void>): Promise<void> {
	const profile = await mkdtemp(path.join(tmpdir(), 'rtil-chromium-'));
	const flags = [
		'--headless',
		'--no-sandbox',
		'--disable-gpu',
		'--no-first-run',
		'--disable-background-networking',
		'--disable-component-update',
		'--disable-sync',
		'--disable-dev-shm-usage',
		`--user-data-dir=${profile}`,
		'--remote-debugging-pipe',
	];
	const child = spawn(chromium, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
	const exited = once(child, 'exit');
	try {
		const page = new Page(child.stdio[3] as Writable, child.stdio[4] as Readable);
		await page.attach();
		await body(page);
	} finally {
		child.kill('SIGKILL');
		await exited;
		await rm(profile, { recursive: true, force: true, maxRetries: 5 });
	}
}
