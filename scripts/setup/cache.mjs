// The per-user cache: where it is, how several set-ups share it, how something large appears in it all at once.
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** `$RTIL_CACHE`, else `$XDG_CACHE_HOME/rtil`, else `~/.cache/rtil`. */
export function userCache(env = process.env) {
	return env.RTIL_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rtil');
}

export function readJson(file) {
	try {
		return JSON.parse(readFileSync(file, 'utf8'));
	} catch {
		return undefined;
	}
}

/** Writes a small file so that a reader sees the old or the new one, never half of it. */
export function writeJson(file, value) {
	mkdirSync(dirname(file), { recursive: true });
	const partial = `${file}.${randomUUID()}`;
	writeFileSync(partial, `${JSON.stringify(value, null, '\t')}\n`);
	renameSync(partial, file);
}

/** Makes a folder beside its final place by `fill(folder)`, and moves it there whole; nothing stays if it fails. */
export async function makeFolder(target, fill) {
	const partial = `${target}.${randomUUID()}`;
	mkdirSync(partial, { recursive: true });
	try {
		const result = await fill(partial);
		rmSync(target, { recursive: true, force: true });
		renameSync(partial, target);
		return result;
	} finally {
		rmSync(partial, { recursive: true, force: true });
	}
}

export function digest(...parts) {
	const hash = createHash('sha256');
	for (const part of parts) hash.update(part).update('\0');
	return hash.digest('hex');
}

const REMEMBERED = 3_600_000; // ms for which a slow failure (no network) is not tried again by itself

const failureFile = (cache, what) => join(cache, 'failures', `${what}.json`);
const surroundings = ({ PATH, RTIL_WHEELS, RTIL_LIBTENSORFLOW }) =>
	[PATH, RTIL_WHEELS, RTIL_LIBTENSORFLOW].join();

/** Keeps a failure that took long to find out, so that the next start does not wait for it again. */
export function rememberFailure(cache, what, { message, cost, remedy }) {
	const key = surroundings(process.env);
	writeJson(failureFile(cache, what), { detail: message, cost, remedy, key, at: Date.now() });
}

/** Such a failure of the last hour, if the environment is still the same. */
export function recentFailure(cache, what) {
	const { key, at, ...failure } = readJson(failureFile(cache, what)) ?? {};
	return key === surroundings(process.env) && Date.now() - at < REMEMBERED ? failure : undefined;
}

const BEAT = 2_000; // ms between signs of life of the holder
const DEAD = 30_000; // ms without one after which the lock may be taken away

/** Waits until no other set-up works on this cache; gives the function that lets the next one in. */
export async function lock(cache, onWait) {
	mkdirSync(cache, { recursive: true });
	const file = join(cache, 'setup.lock');
	const self = { pid: process.pid, host: hostname(), id: randomUUID() };
	for (let told = false; !tryLock(file, self); told = true) {
		const holder = readJson(file);
		if (holder && abandoned(file, holder)) {
			const aside = `${file}.${self.id}`;
			try {
				renameSync(file, aside);
				// Another set-up may have been quicker and hold a new lock: then what was moved is its, give it back.
				if (readJson(aside)?.id === holder.id) rmSync(aside, { force: true });
				else renameSync(aside, file);
			} catch {}
			continue;
		}
		if (!told) onWait(holder?.pid);
		await sleep(200);
	}
	const beat = setInterval(() => {
		try {
			utimesSync(file, new Date(), new Date());
		} catch {}
	}, BEAT);
	beat.unref();
	const release = () => {
		clearInterval(beat);
		process.off('exit', release);
		if (readJson(file)?.id === self.id) rmSync(file, { force: true });
	};
	process.once('exit', release);
	return release;
}

function tryLock(file, self) {
	try {
		writeFileSync(file, JSON.stringify(self), { flag: 'wx' });
		return true;
	} catch (error) {
		if (error.code === 'EEXIST') return false;
		throw error;
	}
}

function abandoned(file, holder) {
	try {
		if (Date.now() - statSync(file).mtimeMs > DEAD) return true;
	} catch {
		return false; // released in the meantime
	}
	if (holder.host !== hostname()) return false;
	try {
		process.kill(holder.pid, 0);
		return false;
	} catch (error) {
		return error.code === 'ESRCH';
	}
}
