// Set-up: what a fresh clone needs before anything of it can run. Plain JavaScript on Node alone, since nothing is
// installed yet. Four steps (packages, engine, nats, build), each with `check`, which looks and is fast, and `ensure`,
// which makes it so. What is optional and cannot be had is named with its cost and remedy, and set-up goes on.
// Start reading at `setUp` below, then engine.mjs.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as build from './build.mjs';
import { lock, recentFailure, rememberFailure, userCache } from './cache.mjs';
import { Console, Missing } from './console.mjs';
import * as engine from './engine.mjs';
import * as nats from './nats.mjs';
import * as packages from './packages.mjs';

const OLDEST_NODE = [20, 19];
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const steps = [
	{ ...packages, needed: true },
	{ ...engine, needed: false },
	{ ...nats, needed: false },
	{ ...build, needed: true },
];

/**
 * Brings everything into place; does nothing, in a tenth of a second, when it is.
 * @param {object} [options]
 * @param {boolean} [options.quiet] tell problems only
 * @param {boolean} [options.force] do every step again
 * @param {boolean} [options.retry] try again what failed within the last hour (a download without a network)
 * @returns {Promise<{ok: boolean, seconds: number, cache: string, node: string, parts: object[]}>} `parts`: for each
 * step its name, state (`ok`, `missing`, `failed`), detail, whether it changed anything; cost and remedy if not ok.
 */
export async function setUp({ quiet = false, force = false, retry = true } = {}) {
	const start = performance.now();
	const context = { root: ROOT, cache: userCache(), retry: retry || force, console: new Console({ quiet }) };
	const parts = [];
	let release;
	try {
		assertNode();
		for (const step of steps) {
			const now = performance.now();
			let { part, changed } = { part: force ? undefined : await look(step, context), changed: false };
			if (!part) {
				const wait = (pid) =>
					context.console.line(`another set-up is running (process ${pid}), waiting for it`);
				const waited = !release;
				release ??= await lock(context.cache, wait);
				part = waited && !force ? await look(step, context) : undefined;
				changed = !part;
				part ??= await attempt(step, context);
			}
			parts.push({ name: step.name, ...part, changed, seconds: since(now) });
			if (part.state !== 'ok') context.console.problem({ name: step.name, ...part });
			if (part.state === 'failed') break;
		}
	} catch (error) {
		if (!(error instanceof Missing)) throw error;
		parts.push(failed('node', error));
		context.console.problem(parts.at(-1));
	} finally {
		release?.();
	}
	const ok = parts.every(({ state }) => state !== 'failed');
	return { ok, seconds: since(start), cache: context.cache, node: process.versions.node, parts };
}

/** What a step finds in place; undefined when there is something to do. */
async function look(step, { retry, ...context }) {
	try {
		const found = await step.check({ retry, ...context });
		if (found || retry || step.needed) return found;
		const failure = recentFailure(context.cache, step.name);
		return failure && { state: 'missing', ...failure };
	} catch (error) {
		return failed(step.name, error, step.needed);
	}
}

async function attempt(step, context) {
	try {
		return await step.ensure(context);
	} catch (error) {
		if (error.slow && !step.needed) rememberFailure(context.cache, step.name, error);
		return failed(step.name, error, step.needed);
	}
}

function failed(name, error, needed = true) {
	if (!(error instanceof Missing)) throw error;
	const { message: detail, cost, remedy } = error;
	return { name, state: needed ? 'failed' : 'missing', detail, cost, remedy };
}

function assertNode() {
	const [major, minor] = process.versions.node.split('.').map(Number);
	if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
	throw new Missing(`Node.js ${OLDEST_NODE.join('.')} or newer is needed, this is ${process.versions.node}`, {
		remedy: 'install a current Node.js, https://nodejs.org',
	});
}

const since = (start) => Math.round(performance.now() - start) / 1000;
