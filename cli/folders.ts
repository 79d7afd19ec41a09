// Folders that commands share.
import { homedir } from 'node:os';
import path from 'node:path';

/** The user's cache: `RTIL_CACHE`, else the platform's own, with a folder of ours. */
export function userCache(env: NodeJS.ProcessEnv = process.env): string {
	return env.RTIL_CACHE ?? path.join(env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'rtil');
}

/** Prepared data sets, shared by all runs. */
export function datasetCache(): string {
	return path.join(userCache(), 'datasets');
}

/** A file of this package, such as `examples/demo.yaml`, from the sources or from dist/. */
export function packageFile(name: string): URL {
	const here = new URL('../', import.meta.url);
	return new URL(name, here.pathname.endsWith('/dist/') ? new URL('../', here) : here);
}
